/* Field arithmetic modulo p = 2^255 - 19, eight elements at a time: AVX-512 IFMA on five limbs of 51 bits.
 *
 * A register holds one limb of eight elements ("lanes"). VPMADD52LUQ and VPMADD52HUQ multiply the low 52
 * bits of two lanes and add the low or the high 52 bits of the product; bits above 52 of an operand are
 * dropped in silence. Hence the bounds, which tools/kernel_bounds.py recomputes:
 *     fe      operand of a product       below 2^51 + 2^16: every sum and difference is carried before it is multiplied
 *     wide    columns of one product     below 2^59
 *     sums of at most three wides        below 2^60.6; with the bias of a difference below 2^62
 *
 * Radix 51 against 52-bit halves: a_i b_j = low + 2^52 high stands at 2^(51 (i + j)), so low belongs to
 * column i + j and high, doubled, to column i + j + 1. 2^255 = 19 then folds column k + 5 into column k.
 * Every operation here takes the same time and touches the same addresses whatever the values.
 */
#ifndef BLINDMATCH_FIELD_IFMA_H
#define BLINDMATCH_FIELD_IFMA_H

#include <immintrin.h>

#include "bytes.h"
#include "constants.h"

#define LANES 8
/* A square root is a chain of dependent squarings, each about 70 cycles long and 17 cycles of work: four
 * chains at a time. */
#define SIDE_BY_SIDE 4

#define LIMB_MASK ((1ull << 51) - 1)

typedef struct {
    __m512i l[5];
} fe;

/* Columns of one or several products, not carried yet. */
typedef struct {
    __m512i c[5];
} wide;

/* One bit per lane. */
typedef __mmask8 mask;

/* The signed digit of each lane. */
typedef __m512i digit;

INLINE mask mask_from_bits(unsigned bits) { return (mask)bits; }
INLINE unsigned mask_to_bits(mask m) { return m; }
INLINE mask mask_or(mask a, mask b) { return (mask)(a | b); }
INLINE mask mask_and(mask a, mask b) { return (mask)(a & b); }
INLINE mask mask_xor(mask a, mask b) { return (mask)(a ^ b); }
INLINE mask mask_not(mask a) { return (mask)~a; }

INLINE digit digit_load(const int8_t *digits) {
    return _mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)digits));
}
INLINE mask digit_is_negative(digit d) { return _mm512_movepi64_mask(d); }
INLINE digit digit_absolute(digit d) { return _mm512_abs_epi64(d); }
INLINE mask digit_is(digit d, unsigned value) {
    return _mm512_cmpeq_epi64_mask(d, _mm512_set1_epi64((long long)value));
}

INLINE __m512i every_lane(uint64_t word) { return _mm512_set1_epi64((long long)word); }

/* The same value, of which the compiler knows nothing: it would otherwise replace the multiplication by 19,
 * one instruction on Zen 5, with four shifts and sums, which cost more there. */
INLINE __m512i opaque(__m512i value) {
    __asm__("" : "+v"(value));
    return value;
}

INLINE fe fe_constant(const uint64_t *limbs) {
    fe r;
    UNROLL for (int i = 0; i < 5; i++) {
        r.l[i] = every_lane(limbs[i]);
    }
    return r;
}

INLINE fe fe_zero(void) {
    const __m512i zero = _mm512_setzero_si512();
    return (fe){{zero, zero, zero, zero, zero}};
}

/* One parallel carry: columns below 2^63 to an fe. What leaves the top, below 2^12, comes back times 19,
 * below 2^16.3; from columns below 2^62, all that the operations here produce, it is below 2^15.3. */
INLINE fe fe_carry(wide a) {
    const __m512i low = every_lane(LIMB_MASK), nineteen = every_lane(19);
    fe r;
    r.l[0] = _mm512_madd52lo_epu64(_mm512_and_si512(a.c[0], low), _mm512_srli_epi64(a.c[4], 51), nineteen);
    r.l[1] = _mm512_add_epi64(_mm512_and_si512(a.c[1], low), _mm512_srli_epi64(a.c[0], 51));
    r.l[2] = _mm512_add_epi64(_mm512_and_si512(a.c[2], low), _mm512_srli_epi64(a.c[1], 51));
    r.l[3] = _mm512_add_epi64(_mm512_and_si512(a.c[3], low), _mm512_srli_epi64(a.c[2], 51));
    r.l[4] = _mm512_add_epi64(_mm512_and_si512(a.c[4], low), _mm512_srli_epi64(a.c[3], 51));
    return r;
}

/* Accumulate the low or the high half of x y; double an accumulator. */
#define LOW(sum, x, y) sum = _mm512_madd52lo_epu64(sum, x, y)
#define HIGH(sum, x, y) sum = _mm512_madd52hi_epu64(sum, x, y)
#define DOUBLE(sum) sum = _mm512_add_epi64(sum, sum)
#define TIMES19(sum) sum = _mm512_mullo_epi64(sum, nineteen)

/* Schoolbook. Column k is first the high halves of column k - 1, then doubled, then joined by the low
 * halves.
 *
 * An operand is below 2^51 + 2^16, so a high half is below 2^50 + 2^17 and a low half below 2^52. The worst
 * is column 0: one low half of its own, and 19 times column 5: four low halves and twice five high halves.
 *     2^52 + 19 (4 x 2^52 + 10 (2^50 + 2^17)) < 125 x 2^52 < 2^59
 */
INLINE wide fe_product(fe a, fe b) {
    const __m512i zero = _mm512_setzero_si512(), nineteen = opaque(every_lane(19));
    const __m512i a0 = a.l[0], a1 = a.l[1], a2 = a.l[2], a3 = a.l[3], a4 = a.l[4];
    const __m512i b0 = b.l[0], b1 = b.l[1], b2 = b.l[2], b3 = b.l[3], b4 = b.l[4];
    __m512i c0, c1 = zero, c2 = zero, c3 = zero, c4 = zero;
    __m512i c5 = zero, c6 = zero, c7 = zero, c8 = zero, c9 = zero;

    HIGH(c5, a0, b4); HIGH(c6, a1, b4); HIGH(c7, a2, b4); HIGH(c8, a3, b4); HIGH(c9, a4, b4);
    HIGH(c5, a1, b3); HIGH(c6, a2, b3); HIGH(c7, a3, b3); HIGH(c8, a4, b3);
    HIGH(c5, a2, b2); HIGH(c6, a3, b2); HIGH(c7, a4, b2);
    HIGH(c5, a3, b1); HIGH(c6, a4, b1);
    HIGH(c5, a4, b0);
    DOUBLE(c5); DOUBLE(c6); DOUBLE(c7); DOUBLE(c8); DOUBLE(c9);
    LOW(c5, a1, b4); LOW(c6, a2, b4); LOW(c7, a3, b4); LOW(c8, a4, b4);
    LOW(c5, a2, b3); LOW(c6, a3, b3); LOW(c7, a4, b3);
    LOW(c5, a3, b2); LOW(c6, a4, b2);
    LOW(c5, a4, b1);
    TIMES19(c5); TIMES19(c6); TIMES19(c7); TIMES19(c8); TIMES19(c9);

    HIGH(c1, a0, b0); HIGH(c2, a0, b1); HIGH(c3, a0, b2); HIGH(c4, a0, b3);
    HIGH(c2, a1, b0); HIGH(c3, a1, b1); HIGH(c4, a1, b2);
    HIGH(c3, a2, b0); HIGH(c4, a2, b1);
    HIGH(c4, a3, b0);
    DOUBLE(c1); DOUBLE(c2); DOUBLE(c3); DOUBLE(c4);
    c0 = c5;
    c1 = _mm512_add_epi64(c1, c6);
    c2 = _mm512_add_epi64(c2, c7);
    c3 = _mm512_add_epi64(c3, c8);
    c4 = _mm512_add_epi64(c4, c9);
    LOW(c0, a0, b0); LOW(c1, a0, b1); LOW(c2, a0, b2); LOW(c3, a0, b3); LOW(c4, a0, b4);
    LOW(c1, a1, b0); LOW(c2, a1, b1); LOW(c3, a1, b2); LOW(c4, a1, b3);
    LOW(c2, a2, b0); LOW(c3, a2, b1); LOW(c4, a2, b2);
    LOW(c3, a3, b0); LOW(c4, a3, b1);
    LOW(c4, a4, b0);
    return (wide){{c0, c1, c2, c3, c4}};
}

/* The same columns with a_i a_j and a_j a_i computed once and doubled: 30 multiplications for 50. Column k
 * is, in this order, high halves of mixed terms (column k - 1), doubled, low halves of mixed terms and the
 * high half of a square, doubled, the low half of a square. Column 9 has the high half of a4 a4 only. The
 * bounds are those of fe_product. */
INLINE wide fe_product_self(fe a) {
    const __m512i zero = _mm512_setzero_si512(), nineteen = opaque(every_lane(19));
    const __m512i a0 = a.l[0], a1 = a.l[1], a2 = a.l[2], a3 = a.l[3], a4 = a.l[4];
    __m512i c0, c1 = zero, c2 = zero, c3 = zero, c4 = zero;
    __m512i c5 = zero, c6 = zero, c7 = zero, c8 = zero, c9 = zero;

    HIGH(c5, a0, a4); HIGH(c6, a1, a4); HIGH(c7, a2, a4); HIGH(c8, a3, a4);
    HIGH(c5, a1, a3); HIGH(c6, a2, a3);
    DOUBLE(c5); DOUBLE(c6); DOUBLE(c7); DOUBLE(c8);
    LOW(c5, a1, a4); LOW(c6, a2, a4); LOW(c7, a3, a4); HIGH(c9, a4, a4);
    LOW(c5, a2, a3); HIGH(c7, a3, a3);
    HIGH(c5, a2, a2);
    DOUBLE(c5); DOUBLE(c6); DOUBLE(c7); DOUBLE(c8); DOUBLE(c9);
    LOW(c6, a3, a3); LOW(c8, a4, a4);
    TIMES19(c5); TIMES19(c6); TIMES19(c7); TIMES19(c8); TIMES19(c9);

    HIGH(c2, a0, a1); HIGH(c3, a0, a2); HIGH(c4, a0, a3);
    HIGH(c4, a1, a2);
    DOUBLE(c2); DOUBLE(c3); DOUBLE(c4);
    HIGH(c1, a0, a0); LOW(c3, a0, a3); LOW(c4, a0, a4);
    LOW(c1, a0, a1); LOW(c2, a0, a2); LOW(c3, a1, a2); LOW(c4, a1, a3);
    HIGH(c3, a1, a1);
    DOUBLE(c1); DOUBLE(c2); DOUBLE(c3); DOUBLE(c4);
    c0 = c5;
    c1 = _mm512_add_epi64(c1, c6);
    c2 = _mm512_add_epi64(c2, c7);
    c3 = _mm512_add_epi64(c3, c8);
    c4 = _mm512_add_epi64(c4, c9);
    LOW(c0, a0, a0); LOW(c2, a1, a1); LOW(c4, a2, a2);
    return (wide){{c0, c1, c2, c3, c4}};
}

#undef LOW
#undef HIGH
#undef DOUBLE
#undef TIMES19

/* Sum two sums of products; no more than three products in all. */
INLINE wide wide_plus(wide a, wide b) {
    UNROLL for (int i = 0; i < 5; i++) {
        a.c[i] = _mm512_add_epi64(a.c[i], b.c[i]);
    }
    return a;
}

/* a + b, of at most three products in all: below 3 x 2^59 < 2^61. */
INLINE fe wide_sum(wide a, wide b) { return fe_carry(wide_plus(a, b)); }

/* a + 1024 p - b. 1024 p has limbs of 2^61 - 2^10 and 2^61 - 19 x 2^10: above b's two products, 2^60; and the
 * three products of a stay below 3 x 2^59 + 2^61 < 2^62. */
INLINE wide wide_minus(wide a, wide b) {
    a.c[0] = _mm512_sub_epi64(_mm512_add_epi64(a.c[0], every_lane(1024 * (LIMB_MASK - 18))), b.c[0]);
    UNROLL for (int i = 1; i < 5; i++) {
        a.c[i] = _mm512_sub_epi64(_mm512_add_epi64(a.c[i], every_lane(1024 * LIMB_MASK)), b.c[i]);
    }
    return a;
}

/* a - b, where a sums at most three products and b at most two. */
INLINE fe wide_difference(wide a, wide b) { return fe_carry(wide_minus(a, b)); }

INLINE wide wide_from(fe a) { return (wide){{a.l[0], a.l[1], a.l[2], a.l[3], a.l[4]}}; }

INLINE fe fe_add(fe a, fe b) { return wide_sum(wide_from(a), wide_from(b)); }

INLINE fe fe_subtract(fe a, fe b) { return wide_difference(wide_from(a), wide_from(b)); }

/* Choose `yes` in the lanes of the mask, `no` elsewhere. */
INLINE fe fe_select(mask m, fe yes, fe no) {
    UNROLL for (int i = 0; i < 5; i++) {
        no.l[i] = _mm512_mask_mov_epi64(no.l[i], m, yes.l[i]);
    }
    return no;
}

/* The least non-negative representative. */
INLINE fe fe_canonical(fe a) {
    const __m512i low = every_lane(LIMB_MASK);
    a = fe_carry(wide_from(fe_carry(wide_from(a))));
    /* a < 2^255 + 2^204 < 2 p: subtract p once, if a + 19 reaches 2^255. */
    __m512i carry = _mm512_srli_epi64(_mm512_add_epi64(a.l[0], every_lane(19)), 51);
    UNROLL for (int i = 1; i < 5; i++) {
        carry = _mm512_srli_epi64(_mm512_add_epi64(a.l[i], carry), 51);
    }
    carry = _mm512_madd52lo_epu64(_mm512_setzero_si512(), carry, every_lane(19));
    UNROLL for (int i = 0; i < 5; i++) {
        carry = _mm512_add_epi64(carry, a.l[i]);
        a.l[i] = _mm512_and_si512(carry, low);
        carry = _mm512_srli_epi64(carry, 51);
    }
    return a;
}

/* RFC 9496 3.1: the lowest bit of the canonical form. */
INLINE mask fe_is_negative(fe a) { return _mm512_test_epi64_mask(fe_canonical(a).l[0], every_lane(1)); }

INLINE mask fe_is_zero(fe a) {
    a = fe_canonical(a);
    __m512i any = _mm512_or_si512(a.l[0], a.l[1]);
    any = _mm512_or_si512(any, _mm512_or_si512(a.l[2], a.l[3]));
    any = _mm512_or_si512(any, a.l[4]);
    return _mm512_testn_epi64_mask(any, any);
}

/* Read one row of 32 bytes per lane (RFC 9496 3.2); bit 255 is left out. `step` is the distance of the
 * lanes' rows. */
INLINE fe fe_load(const uint8_t *rows, size_t step) {
    uint64_t words[4][LANES] __attribute__((aligned(64)));
    for (size_t lane = 0; lane < LANES; lane++) {
        for (size_t word = 0; word < 4; word++) {
            words[word][lane] = load_word(rows + lane * step + 8 * word);
        }
    }
    const __m512i low = every_lane(LIMB_MASK);
    const __m512i w0 = _mm512_load_si512(words[0]), w1 = _mm512_load_si512(words[1]);
    const __m512i w2 = _mm512_load_si512(words[2]), w3 = _mm512_load_si512(words[3]);
    fe r;
    r.l[0] = w0;
    r.l[1] = _mm512_or_si512(_mm512_srli_epi64(w0, 51), _mm512_slli_epi64(w1, 13));
    r.l[2] = _mm512_or_si512(_mm512_srli_epi64(w1, 38), _mm512_slli_epi64(w2, 26));
    r.l[3] = _mm512_or_si512(_mm512_srli_epi64(w2, 25), _mm512_slli_epi64(w3, 39));
    r.l[4] = _mm512_srli_epi64(w3, 12);
    UNROLL for (int i = 0; i < 5; i++) {
        r.l[i] = _mm512_and_si512(r.l[i], low);
    }
    return r;
}

INLINE void fe_store(uint8_t *rows, size_t step, fe a) {
    uint64_t words[4][LANES] __attribute__((aligned(64)));
    a = fe_canonical(a);
    _mm512_store_si512(words[0], _mm512_or_si512(a.l[0], _mm512_slli_epi64(a.l[1], 51)));
    _mm512_store_si512(words[1],
                       _mm512_or_si512(_mm512_srli_epi64(a.l[1], 13), _mm512_slli_epi64(a.l[2], 38)));
    _mm512_store_si512(words[2],
                       _mm512_or_si512(_mm512_srli_epi64(a.l[2], 26), _mm512_slli_epi64(a.l[3], 25)));
    _mm512_store_si512(words[3],
                       _mm512_or_si512(_mm512_srli_epi64(a.l[3], 39), _mm512_slli_epi64(a.l[4], 12)));
    for (size_t lane = 0; lane < LANES; lane++) {
        for (size_t word = 0; word < 4; word++) {
            store_word(rows + lane * step + 8 * word, words[word][lane]);
        }
    }
}

#endif
