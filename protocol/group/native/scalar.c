/* Arithmetic modulo the group's order: four words of 64 bits, Montgomery's reduction with R = 2^256. */
#include "scalar.h"

#include <string.h>

#include "bytes.h"
#include "constants.h"

typedef unsigned __int128 two_words;

typedef struct {
    uint64_t w[4];
} scalar;

INLINE scalar scalar_load(const uint8_t *bytes) {
    return (scalar){{load_word(bytes), load_word(bytes + 8), load_word(bytes + 16), load_word(bytes + 24)}};
}

INLINE void scalar_store(uint8_t *bytes, scalar a) {
    for (size_t i = 0; i < 4; i++) {
        store_word(bytes + 8 * i, a.w[i]);
    }
}

INLINE scalar scalar_constant(const uint64_t *words) { return (scalar){{words[0], words[1], words[2], words[3]}}; }

/* a + b under the mask; below 2^256 for all callers. */
INLINE scalar add_masked(scalar a, const uint64_t *b, uint64_t mask) {
    uint64_t carry = 0;
    UNROLL for (int i = 0; i < 4; i++) {
        const two_words sum = (two_words)a.w[i] + (b[i] & mask) + carry;
        a.w[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    return a;
}

/* a - b; all ones in *borrow where a < b, else zero. */
INLINE scalar subtract_words(scalar a, const uint64_t *b, uint64_t *borrow) {
    uint64_t under = 0;
    UNROLL for (int i = 0; i < 4; i++) {
        const two_words difference = (two_words)a.w[i] - b[i] - under;
        a.w[i] = (uint64_t)difference;
        under = (uint64_t)(difference >> 64) & 1;
    }
    *borrow = (uint64_t)0 - under;
    return a;
}

/* a modulo l for a < 2 l. */
INLINE scalar subtract_order_once(scalar a) {
    uint64_t borrow;
    const scalar less = subtract_words(a, ORDER, &borrow);
    return add_masked(less, ORDER, borrow);
}

/* a b / R modulo l, for a < 2^256 and b < l. Word by word (CIOS): add a_i b, then the multiple of l that
 * clears the lowest word, and shift. The total stays below b + l < 2 l < 2^254 after each shift: before it,
 * t + a_i b + m l < 2 l + 2^64 (b + l), a word longer. */
INLINE scalar montgomery(scalar a, scalar b) {
    uint64_t t[5] = {0, 0, 0, 0, 0};
    UNROLL for (int i = 0; i < 4; i++) {
        two_words sum = 0;
        UNROLL for (int j = 0; j < 4; j++) {
            sum += (two_words)a.w[i] * b.w[j] + t[j];
            t[j] = (uint64_t)sum;
            sum >>= 64;
        }
        t[4] += (uint64_t)sum;
        const uint64_t m = t[0] * ORDER_NEGATED_INVERSE;
        sum = (two_words)m * ORDER[0] + t[0];
        sum >>= 64;
        UNROLL for (int j = 1; j < 4; j++) {
            sum += (two_words)m * ORDER[j] + t[j];
            t[j - 1] = (uint64_t)sum;
            sum >>= 64;
        }
        sum += t[4];
        t[3] = (uint64_t)sum;
        t[4] = (uint64_t)(sum >> 64);
    }
    return subtract_order_once((scalar){{t[0], t[1], t[2], t[3]}});
}

/* a b modulo l, for a < 2^256 and b < l. */
INLINE scalar multiply(scalar a, scalar b) {
    return montgomery(montgomery(a, b), scalar_constant(ORDER_R2));
}

void scalar_digits(int8_t *digits, size_t step, const uint8_t *bytes, int halve) {
    scalar a = scalar_load(bytes);
    if (halve) {
        /* (a or a + l, whichever is even) / 2 < l. */
        a = add_masked(a, ORDER, (uint64_t)0 - (a.w[0] & 1));
        UNROLL for (int i = 0; i < 3; i++) {
            a.w[i] = a.w[i] >> 1 | a.w[i + 1] << 63;
        }
        a.w[3] >>= 1;
    }
    /* Nibbles 0 to 15 become -8 to 7 with a carry; a < l < 2^253, so the last digit is at most 1 + 1. */
    unsigned carry = 0;
    for (size_t i = 0; i < 64; i++) {
        const unsigned nibble = (unsigned)(a.w[i / 16] >> (4 * (i % 16)) & 15) + carry;
        carry = (nibble + 8) >> 4;
        digits[i * step] = (int8_t)((int)nibble - (int)(carry << 4));
    }
    wipe(&a, sizeof a);
}

enum scalar_fault scalars_fault(const uint8_t *rows, size_t count, int zero_allowed) {
    uint64_t large = 0, zero = 0;
    for (size_t i = 0; i < count; i++) {
        const scalar a = scalar_load(rows + SCALAR_BYTES * i);
        uint64_t below;
        (void)subtract_words(a, ORDER, &below);
        large |= ~below;
        zero |= row_is_zero(rows + SCALAR_BYTES * i);
    }
    if (large) {
        return SCALAR_NOT_BELOW_ORDER;
    }
    return zero && !zero_allowed ? SCALAR_IS_ZERO : SCALARS_GOOD;
}

void scalars_reduce(uint8_t *result, const uint8_t *uniform, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* low + 2^256 high = low R / R + high R^2 / R. */
        const scalar low = montgomery(scalar_load(uniform + 64 * i), scalar_constant(ORDER_R));
        const scalar high = montgomery(scalar_load(uniform + 64 * i + 32), scalar_constant(ORDER_R2));
        scalar_store(result + 32 * i, subtract_order_once(add_masked(low, high.w, UINT64_MAX)));
    }
}

void scalars_multiply(uint8_t *result, const uint8_t *left, const uint8_t *right, size_t count) {
    for (size_t i = 0; i < count; i++) {
        scalar_store(result + 32 * i, multiply(scalar_load(left + 32 * i), scalar_load(right + 32 * i)));
    }
}

void scalars_subtract(uint8_t *result, const uint8_t *left, const uint8_t *right, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const scalar b = scalar_load(right + 32 * i);
        uint64_t borrow;
        const scalar difference = subtract_words(scalar_load(left + 32 * i), b.w, &borrow);
        scalar_store(result + 32 * i, add_masked(difference, ORDER, borrow));
    }
}

/* a^(l - 2) with a in Montgomery's form, and so the result. The exponent is public. */
static scalar invert(scalar a) {
    scalar r = scalar_constant(ORDER_R);
    for (int bit = 252; bit >= 0; bit--) {
        r = montgomery(r, r);
        if (ORDER_MINUS_2[bit / 64] >> (bit % 64) & 1) {
            r = montgomery(r, a);
        }
    }
    return r;
}

/* Montgomery's trick. A row a, as it is, is a/R in Montgomery's form, and so the products below stay in that
 * form: row i of the result first holds that of rows 0 to i. The inverse of their product in Montgomery's
 * form is R^2 times what it would be plainly, so two reductions rid every inverse made from it of R^2. Then,
 * from the end, the inverse of row i is (product of 0 to i - 1) (inverse of the product of 0 to i): one
 * factor in Montgomery's form, one plain, so plain again. */
void scalars_invert(uint8_t *result, const uint8_t *rows, size_t count) {
    if (!count) {
        return;
    }
    const scalar one = {{1, 0, 0, 0}};
    scalar running = scalar_load(rows);
    scalar_store(result, running);
    for (size_t i = 1; i < count; i++) {
        running = montgomery(running, scalar_load(rows + 32 * i));
        scalar_store(result + 32 * i, running);
    }
    running = montgomery(montgomery(invert(running), one), one);
    for (size_t i = count - 1; i > 0; i--) {
        scalar_store(result + 32 * i, montgomery(running, scalar_load(result + 32 * (i - 1))));
        running = montgomery(running, scalar_load(rows + 32 * i));
    }
    scalar_store(result, running);
    wipe(&running, sizeof running);
}
