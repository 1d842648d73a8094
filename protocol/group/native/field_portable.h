/* Field arithmetic modulo p = 2^255 - 19, one element at a time: five limbs of 51 bits, products in unsigned
 * __int128.
 *
 * Bounds on limbs, which tools/kernel_bounds.py recomputes:
 *     tight   what a product or a carry leaves             below 2^51 + 2^13
 *     fe      what any operation accepts                   below 2^54
 * Columns of a product of two fe: at most 2^108 (1 + 4 x 19) < 2^114.3, so a column shifted by 51 bits fits
 * a word. Every operation here takes the same time and touches the same addresses whatever the values.
 */
#ifndef BLINDMATCH_FIELD_PORTABLE_H
#define BLINDMATCH_FIELD_PORTABLE_H

#include "bytes.h"
#include "constants.h"

#define LANES 1
/* Square roots and inversions are chains of dependent products: one chain at a time is all that this path
 * gains from. */
#define SIDE_BY_SIDE 1

#define LIMB_MASK ((1ull << 51) - 1)

typedef unsigned __int128 column;

typedef struct {
    uint64_t l[5];
} fe;

/* A product whose carries may wait. This path never waits: a wide is a tight fe, and sums of up to three
 * stay below 2^53. */
typedef fe wide;

/* All ones or all zeros, one per lane. */
typedef uint64_t mask;

/* The signed digit of each lane. */
typedef int64_t digit;

INLINE mask mask_from_bits(unsigned bits) { return (uint64_t)0 - (bits & 1); }
INLINE unsigned mask_to_bits(mask m) { return (unsigned)(m & 1); }
INLINE mask mask_or(mask a, mask b) { return a | b; }
INLINE mask mask_and(mask a, mask b) { return a & b; }
INLINE mask mask_xor(mask a, mask b) { return a ^ b; }
INLINE mask mask_not(mask a) { return ~a; }

INLINE digit digit_load(const int8_t *digits) { return *digits; }
INLINE mask digit_is_negative(digit d) { return (uint64_t)(d >> 63); }
INLINE digit digit_absolute(digit d) { return (d ^ (d >> 63)) - (d >> 63); }
/* For digits and values from 0 to 8: the difference of the two is zero exactly when one less than it is
 * negative. */
INLINE mask digit_is(digit d, unsigned value) {
    const uint64_t difference = (uint64_t)d ^ value;
    return (uint64_t)((int64_t)(difference - 1) >> 63);
}

INLINE fe fe_constant(const uint64_t *limbs) {
    return (fe){{limbs[0], limbs[1], limbs[2], limbs[3], limbs[4]}};
}

INLINE fe fe_zero(void) { return (fe){{0, 0, 0, 0, 0}}; }

/* One parallel carry: limbs below 2^63 to tight ones (2^12 x 19 is the most that comes into limb 0). */
INLINE fe carry_once(fe a) {
    fe r;
    r.l[0] = (a.l[0] & LIMB_MASK) + 19 * (a.l[4] >> 51);
    UNROLL for (int i = 1; i < 5; i++) {
        r.l[i] = (a.l[i] & LIMB_MASK) + (a.l[i - 1] >> 51);
    }
    return r;
}

INLINE fe columns_carry(column c0, column c1, column c2, column c3, column c4) {
    fe r;
    c1 += (uint64_t)(c0 >> 51);
    c2 += (uint64_t)(c1 >> 51);
    c3 += (uint64_t)(c2 >> 51);
    c4 += (uint64_t)(c3 >> 51);
    /* c4 has no term times 19: below 2^110.4, so its carry times 19 is below 2^63.7. */
    const uint64_t low = ((uint64_t)c0 & LIMB_MASK) + 19 * (uint64_t)(c4 >> 51);
    r.l[0] = low & LIMB_MASK;
    r.l[1] = ((uint64_t)c1 & LIMB_MASK) + (low >> 51);
    r.l[2] = (uint64_t)c2 & LIMB_MASK;
    r.l[3] = (uint64_t)c3 & LIMB_MASK;
    r.l[4] = (uint64_t)c4 & LIMB_MASK;
    return r;
}

/* Schoolbook, with 2^255 = 19 folded in: column k sums a_i b_j over i + j = k, and 19 a_i b_j over i + j = k
 * + 5. */
INLINE wide fe_product(fe a, fe b) {
    const uint64_t b1 = 19 * b.l[1], b2 = 19 * b.l[2], b3 = 19 * b.l[3], b4 = 19 * b.l[4];
#define TERM(i, value) ((column)a.l[i] * (value))
    return columns_carry(
        TERM(0, b.l[0]) + TERM(1, b4) + TERM(2, b3) + TERM(3, b2) + TERM(4, b1),
        TERM(0, b.l[1]) + TERM(1, b.l[0]) + TERM(2, b4) + TERM(3, b3) + TERM(4, b2),
        TERM(0, b.l[2]) + TERM(1, b.l[1]) + TERM(2, b.l[0]) + TERM(3, b4) + TERM(4, b3),
        TERM(0, b.l[3]) + TERM(1, b.l[2]) + TERM(2, b.l[1]) + TERM(3, b.l[0]) + TERM(4, b4),
        TERM(0, b.l[4]) + TERM(1, b.l[3]) + TERM(2, b.l[2]) + TERM(3, b.l[1]) + TERM(4, b.l[0]));
#undef TERM
}

INLINE wide fe_product_self(fe a) {
    const uint64_t a0 = 2 * a.l[0], a1 = 2 * a.l[1], a2 = 2 * a.l[2];
    const uint64_t a3 = 19 * a.l[3], a4 = 19 * a.l[4];
#define TERM(x, y) ((column)(x) * (y))
    return columns_carry(
        TERM(a.l[0], a.l[0]) + TERM(a1, a4) + TERM(a2, a3),
        TERM(a0, a.l[1]) + TERM(a2, a4) + TERM(a.l[3], a3),
        TERM(a0, a.l[2]) + TERM(a.l[1], a.l[1]) + TERM(2 * a.l[3], a4),
        TERM(a0, a.l[3]) + TERM(a1, a.l[2]) + TERM(a.l[4], a4),
        TERM(a0, a.l[4]) + TERM(a1, a.l[3]) + TERM(a.l[2], a.l[2]));
#undef TERM
}

INLINE fe fe_carry(wide a) { return a; }

/* Sum two sums of products; no more than three products in all. */
INLINE wide wide_plus(wide a, wide b) {
    wide r;
    UNROLL for (int i = 0; i < 5; i++) {
        r.l[i] = a.l[i] + b.l[i];
    }
    return r;
}

/* a + b, of at most three products in all: below 3 (2^51 + 2^13) < 2^53. */
INLINE fe wide_sum(wide a, wide b) { return wide_plus(a, b); }

/* a - b, where a sums at most three products and b at most two: b < 2^52 + 2^14 < 4 p's limbs, and
 * a + 4 p < 3 (2^51 + 2^13) + 2^53 < 2^54. */
INLINE fe wide_difference(wide a, wide b) {
    fe r;
    r.l[0] = a.l[0] + 4 * (LIMB_MASK - 18) - b.l[0];
    UNROLL for (int i = 1; i < 5; i++) {
        r.l[i] = a.l[i] + 4 * LIMB_MASK - b.l[i];
    }
    return r;
}

INLINE fe fe_add(fe a, fe b) { return carry_once(wide_plus(a, b)); }

/* 8 p: limbs of 2^54 - 8 and 2^54 - 152, at least any limb that wide_difference leaves. */
INLINE fe fe_subtract(fe a, fe b) {
    fe r;
    r.l[0] = a.l[0] + 8 * (LIMB_MASK - 18) - b.l[0];
    UNROLL for (int i = 1; i < 5; i++) {
        r.l[i] = a.l[i] + 8 * LIMB_MASK - b.l[i];
    }
    return carry_once(r);
}

/* Choose `yes` in the lanes of the mask, `no` elsewhere. */
INLINE fe fe_select(mask m, fe yes, fe no) {
    fe r;
    UNROLL for (int i = 0; i < 5; i++) {
        r.l[i] = no.l[i] ^ (m & (yes.l[i] ^ no.l[i]));
    }
    return r;
}

/* The least non-negative representative. */
INLINE fe fe_canonical(fe a) {
    a = carry_once(carry_once(a));
    /* a < 2^255 + 2^204 < 2 p: subtract p once, if a + 19 reaches 2^255. */
    uint64_t carry = (a.l[0] + 19) >> 51;
    UNROLL for (int i = 1; i < 5; i++) {
        carry = (a.l[i] + carry) >> 51;
    }
    carry *= 19;
    UNROLL for (int i = 0; i < 5; i++) {
        carry += a.l[i];
        a.l[i] = carry & LIMB_MASK;
        carry >>= 51;
    }
    return a;
}

/* RFC 9496 3.1: the lowest bit of the canonical form. */
INLINE mask fe_is_negative(fe a) { return (uint64_t)0 - (fe_canonical(a).l[0] & 1); }

INLINE mask fe_is_zero(fe a) {
    a = fe_canonical(a);
    const uint64_t any = a.l[0] | a.l[1] | a.l[2] | a.l[3] | a.l[4];
    return (uint64_t)((int64_t)(any - 1) >> 63);
}

/* Read one row of 32 bytes (RFC 9496 3.2); bit 255 is left out. `step` is the distance of the lanes' rows. */
INLINE fe fe_load(const uint8_t *rows, size_t step) {
    (void)step;
    const uint64_t w0 = load_word(rows), w1 = load_word(rows + 8), w2 = load_word(rows + 16),
                   w3 = load_word(rows + 24);
    return (fe){{
        w0 & LIMB_MASK,
        (w0 >> 51 | w1 << 13) & LIMB_MASK,
        (w1 >> 38 | w2 << 26) & LIMB_MASK,
        (w2 >> 25 | w3 << 39) & LIMB_MASK,
        (w3 >> 12) & LIMB_MASK,
    }};
}

INLINE void fe_store(uint8_t *rows, size_t step, fe a) {
    (void)step;
    a = fe_canonical(a);
    store_word(rows, a.l[0] | a.l[1] << 51);
    store_word(rows + 8, a.l[1] >> 13 | a.l[2] << 38);
    store_word(rows + 16, a.l[2] >> 26 | a.l[3] << 25);
    store_word(rows + 24, a.l[3] >> 39 | a.l[4] << 12);
}

#endif
