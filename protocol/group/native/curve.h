/* edwards25519 in extended coordinates, and ristretto255 (RFC 9496) on top of it.
 *
 * Included by each path after its field header; everything works on LANES elements at once, and for square
 * roots on up to SIDE_BY_SIDE groups of them. No branch and no address depends on a value; `count` and
 * `wanted` arguments are public.
 *
 * The curve is -x^2 + y^2 = 1 + d x^2 y^2; a point is (X : Y : Z : T) with x = X/Z, y = Y/Z, x y = T/Z.
 */
#ifndef BLINDMATCH_CURVE_H
#define BLINDMATCH_CURVE_H

#include "constants.h"

typedef struct {
    fe x, y, z, t;
} point;

/* A point made ready to be added: Y + X, Y - X, 2 Z, 2 d T. */
typedef struct {
    fe plus, minus, z2, t2d;
} cached;

#define TABLE 8
#define DIGITS 64

INLINE fe fe_multiply(fe a, fe b) { return fe_carry(fe_product(a, b)); }
INLINE fe fe_square(fe a) { return fe_carry(fe_product_self(a)); }
INLINE fe fe_one(void) { return fe_constant(FIELD_ONE); }
INLINE fe fe_negate(fe a) { return fe_subtract(fe_zero(), a); }
INLINE mask fe_equal(fe a, fe b) { return fe_is_zero(fe_subtract(a, b)); }
/* RFC 9496 3.1: CT_ABS. */
INLINE fe fe_absolute(fe a) { return fe_select(fe_is_negative(a), fe_negate(a), a); }

/* ---- Powers: each step on `count` elements side by side, so that their chains overlap. ---- */

/* r = a^(2^times); r may be a. */
static __attribute__((noinline)) void square_times(fe *r, const fe *a, int times, size_t count) {
    for (size_t i = 0; i < count; i++) {
        r[i] = fe_square(a[i]);
    }
    for (int step = 1; step < times; step++) {
        for (size_t i = 0; i < count; i++) {
            r[i] = fe_square(r[i]);
        }
    }
}

/* r = a b; r may be either. */
static __attribute__((noinline)) void multiply_all(fe *r, const fe *a, const fe *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        r[i] = fe_multiply(a[i], b[i]);
    }
}

/* r = a^(2^250 - 1) and a11 = a^11, from which both exponents below are a few steps away. r is not a. */
static void power_250(fe *r, fe *a11, const fe *a, size_t count) {
    fe t[SIDE_BY_SIDE], u[SIDE_BY_SIDE];
    square_times(t, a, 1, count);          /* 2 */
    square_times(u, t, 2, count);          /* 8 */
    multiply_all(u, u, a, count);          /* 9 */
    multiply_all(a11, u, t, count);        /* 11 */
    square_times(t, a11, 1, count);        /* 22 */
    multiply_all(r, t, u, count);          /* 31 = 2^5 - 1 */
    square_times(t, r, 5, count);
    multiply_all(r, t, r, count);          /* 2^10 - 1 */
    square_times(t, r, 10, count);
    multiply_all(u, t, r, count);          /* 2^20 - 1 */
    square_times(t, u, 20, count);
    multiply_all(t, t, u, count);          /* 2^40 - 1 */
    square_times(t, t, 10, count);
    multiply_all(r, t, r, count);          /* 2^50 - 1 */
    square_times(t, r, 50, count);
    multiply_all(u, t, r, count);          /* 2^100 - 1 */
    square_times(t, u, 100, count);
    multiply_all(t, t, u, count);          /* 2^200 - 1 */
    square_times(t, t, 50, count);
    multiply_all(r, t, r, count);          /* 2^250 - 1 */
}

/* r = a^((p - 5)/8) = a^(2^252 - 3) */
static void power_for_roots(fe *r, const fe *a, size_t count) {
    fe a11[SIDE_BY_SIDE];
    power_250(r, a11, a, count);
    square_times(r, r, 2, count);
    multiply_all(r, r, a, count);
}

/* 1/a = a^(p - 2) = a^(2^255 - 21); 0 for 0 */
static fe fe_invert(fe a) {
    fe r, a11;
    power_250(&r, &a11, &a, 1);
    square_times(&r, &r, 5, 1);
    return fe_multiply(r, a11);
}

/* RFC 9496 4.2, SQRT_RATIO_M1: r = the non-negative root of u/v, or where that is no square, of SQRT_M1 u/v. */
static void square_roots(fe *r, mask *was_square, const fe *u, const fe *v, size_t count) {
    fe uv3[SIDE_BY_SIDE], uv7[SIDE_BY_SIDE];
    for (size_t i = 0; i < count; i++) {
        const fe v3 = fe_multiply(fe_square(v[i]), v[i]);
        uv3[i] = fe_multiply(u[i], v3);
        uv7[i] = fe_multiply(fe_multiply(uv3[i], v3), v[i]);
    }
    power_for_roots(r, uv7, count);
    const fe sqrt_m1 = fe_constant(FIELD_SQRT_M1);
    for (size_t i = 0; i < count; i++) {
        const fe root = fe_multiply(uv3[i], r[i]);
        const fe check = fe_multiply(v[i], fe_square(root));
        const fe minus_u = fe_negate(u[i]);
        const mask correct = fe_equal(check, u[i]);
        const mask flipped = fe_equal(check, minus_u);
        const mask flipped_i = fe_equal(check, fe_multiply(minus_u, sqrt_m1));
        r[i] = fe_absolute(fe_select(mask_or(flipped, flipped_i), fe_multiply(root, sqrt_m1), root));
        was_square[i] = mask_or(correct, flipped);
    }
}

/* ---- The curve. Doubling and addition are functions of their own: four copies beside each other are more
 * than the processor's cache of decoded instructions likes, a quarter of the portable path's time. ---- */

INLINE point point_identity(void) { return (point){fe_zero(), fe_one(), fe_one(), fe_zero()}; }

INLINE cached cached_identity(void) {
    return (cached){fe_one(), fe_one(), fe_add(fe_one(), fe_one()), fe_zero()};
}

INLINE cached cached_from(const point *p) {
    return (cached){
        fe_add(p->y, p->x),
        fe_subtract(p->y, p->x),
        fe_add(p->z, p->z),
        fe_multiply(p->t, fe_constant(FIELD_2D)),
    };
}

/* dbl-2008-hwcd (EFD, twisted Edwards, extended coordinates; Hisil, Wong, Carter, Dawson 2008, 3.3); a = -1:
 *     A = X^2, B = Y^2, C = 2 Z^2, E = (X + Y)^2 - A - B, G = B - A, F = G - C, H = -A - B
 *     X3 = E F, Y3 = G H, T3 = E H, Z3 = F G
 * Here F and H are the negatives of those: all four results change sign, which is the same point. T is left
 * out where no addition follows. It needs no T of its operand. */
static __attribute__((noinline)) void point_double(point *r, const point *p, int t_wanted) {
    const wide a = fe_product_self(p->x);
    const wide b = fe_product_self(p->y);
    const wide c = fe_product_self(p->z);
    const wide s = fe_product_self(fe_add(p->x, p->y));
    const wide ab = wide_plus(a, b);
    const fe h = fe_carry(ab);
    const fe e = wide_difference(s, ab);
    const fe g = wide_difference(b, a);
    const fe f = wide_difference(wide_plus(wide_plus(c, c), a), b); /* C - G */
    r->x = fe_multiply(e, f);
    r->y = fe_multiply(g, h);
    r->z = fe_multiply(f, g);
    if (t_wanted) {
        r->t = fe_multiply(e, h);
    }
}

/* add-2008-hwcd-3 (EFD; Hisil et al. 3.1 with k = 2 d), complete for a = -1 because d is no square:
 *     A = (Y1 - X1)(Y2 - X2), B = (Y1 + X1)(Y2 + X2), C = T1 2 d T2, D = Z1 2 Z2
 *     E = B - A, F = D - C, G = D + C, H = B + A; X3 = E F, Y3 = G H, T3 = E H, Z3 = F G
 * Where `negative` is set, -Q is added: (Y2 - X2) and (Y2 + X2) change places, and C changes sign, so F and
 * G change places. */
static __attribute__((noinline)) void point_add(point *r, const point *p, const cached *q, mask negative, int t_wanted) {
    const fe plus = fe_select(negative, q->minus, q->plus);
    const fe minus = fe_select(negative, q->plus, q->minus);
    const wide a = fe_product(fe_subtract(p->y, p->x), minus);
    const wide b = fe_product(fe_add(p->y, p->x), plus);
    const wide c = fe_product(p->t, q->t2d);
    const wide d = fe_product(p->z, q->z2);
    const fe e = wide_difference(b, a);
    const fe h = wide_sum(b, a);
    const fe d_less_c = wide_difference(d, c);
    const fe d_and_c = wide_sum(d, c);
    const fe f = fe_select(negative, d_and_c, d_less_c);
    const fe g = fe_select(negative, d_less_c, d_and_c);
    r->x = fe_multiply(e, f);
    r->y = fe_multiply(g, h);
    r->z = fe_multiply(f, g);
    if (t_wanted) {
        r->t = fe_multiply(e, h);
    }
}

SPARE __attribute__((noinline)) void point_sum(point *r, const point *p, const point *q) {
    const cached ready = cached_from(q);
    point_add(r, p, &ready, mask_from_bits(0), 1);
}

/* table[k] = (k + 1) P for k from 0 to 7. */
static __attribute__((noinline)) void make_table(cached *table, const point *p) {
    point multiple;
    table[0] = cached_from(p);
    point_double(&multiple, p, 1);
    for (int k = 1;; k++) {
        table[k] = cached_from(&multiple);
        if (k == TABLE - 1) {
            break;
        }
        point_add(&multiple, &multiple, &table[0], mask_from_bits(0), 1);
    }
}

/* One coordinate of entry size - 1 of the table, or the identity's for size 0: all eight are read, and the
 * right one kept under a mask. */
#define CHOOSE(coordinate)                                                                              \
    for (unsigned k = 0; k < TABLE; k++) {                                                              \
        chosen.coordinate = fe_select(digit_is(size, k + 1), table[k].coordinate, chosen.coordinate);   \
    }

/* Multiply by sum digits[i] 16^i, -8 <= digits[i] <= 8; digits[i * LANES + lane]. P is replaced by the
 * product, with its T where that is wanted. */
static __attribute__((noinline)) void multiply_point(point *p, cached *table, const int8_t *digits,
                                                     int t_wanted) {
    make_table(table, p);
    *p = point_identity();
    for (int i = DIGITS - 1; i >= 0; i--) {
        const digit d = digit_load(digits + (size_t)i * LANES);
        const digit size = digit_absolute(d);
        cached chosen = cached_identity();
        CHOOSE(plus)
        CHOOSE(minus)
        CHOOSE(z2)
        CHOOSE(t2d)
        /* Times 16, but for the identity at the start. */
        for (int step = 3; i != DIGITS - 1 && step >= 0; step--) {
            point_double(p, p, step == 0);
        }
        point_add(p, p, &chosen, digit_is_negative(d), t_wanted && i == 0);
    }
}

#undef CHOOSE

/* ---- ristretto255. ---- */

/* RFC 9496 4.3.1 from step 3: decode s, whose bytes have been found canonical. Bits of lanes that do not
 * decode are set in bad. */
static void decode_points(point *p, mask *bad, const fe *s, size_t count) {
    fe u1[SIDE_BY_SIDE], u2[SIDE_BY_SIDE], v[SIDE_BY_SIDE];
    fe under[SIDE_BY_SIDE], ones[SIDE_BY_SIDE], invsqrt[SIDE_BY_SIDE];
    mask was_square[SIDE_BY_SIDE];
    const fe one = fe_one(), d = fe_constant(FIELD_D);
    for (size_t i = 0; i < count; i++) {
        const fe ss = fe_square(s[i]);
        u1[i] = fe_subtract(one, ss);
        u2[i] = fe_add(one, ss);
        const fe u2_sqr = fe_square(u2[i]);
        v[i] = fe_negate(fe_add(fe_multiply(d, fe_square(u1[i])), u2_sqr));
        under[i] = fe_multiply(v[i], u2_sqr);
        ones[i] = one;
    }
    square_roots(invsqrt, was_square, ones, under, count);
    for (size_t i = 0; i < count; i++) {
        const fe den_x = fe_multiply(invsqrt[i], u2[i]);
        const fe den_y = fe_multiply(fe_multiply(invsqrt[i], den_x), v[i]);
        p[i].x = fe_absolute(fe_multiply(fe_add(s[i], s[i]), den_x));
        p[i].y = fe_multiply(u1[i], den_y);
        p[i].z = one;
        p[i].t = fe_multiply(p[i].x, p[i].y);
        bad[i] = mask_or(mask_not(was_square[i]), mask_or(fe_is_negative(p[i].t), fe_is_zero(p[i].y)));
    }
}

/* RFC 9496 4.3.4, MAP: an element from a field element, of either sign. */
static void map_to_points(point *p, const fe *t, size_t count) {
    fe r[SIDE_BY_SIDE], u[SIDE_BY_SIDE], v[SIDE_BY_SIDE], roots[SIDE_BY_SIDE];
    mask was_square[SIDE_BY_SIDE];
    const fe one = fe_one(), d = fe_constant(FIELD_D), minus_one = fe_negate(one);
    for (size_t i = 0; i < count; i++) {
        r[i] = fe_multiply(fe_constant(FIELD_SQRT_M1), fe_square(t[i]));
        u[i] = fe_multiply(fe_add(r[i], one), fe_constant(FIELD_ONE_MINUS_D_SQ));
        v[i] = fe_multiply(fe_subtract(minus_one, fe_multiply(r[i], d)), fe_add(r[i], d));
    }
    square_roots(roots, was_square, u, v, count);
    for (size_t i = 0; i < count; i++) {
        const fe s_prime = fe_negate(fe_absolute(fe_multiply(roots[i], t[i])));
        const fe s = fe_select(was_square[i], roots[i], s_prime);
        const fe c = fe_select(was_square[i], minus_one, r[i]);
        const fe n = fe_subtract(
            fe_multiply(fe_multiply(c, fe_subtract(r[i], one)), fe_constant(FIELD_D_MINUS_ONE_SQ)), v[i]);
        const fe ss = fe_square(s);
        const fe w0 = fe_multiply(fe_add(s, s), v[i]);
        const fe w1 = fe_multiply(n, fe_constant(FIELD_SQRT_AD_MINUS_ONE));
        const fe w2 = fe_subtract(one, ss);
        const fe w3 = fe_add(one, ss);
        p[i] = (point){fe_multiply(w0, w3), fe_multiply(w2, w1), fe_multiply(w1, w3), fe_multiply(w0, w2)};
    }
}

/* RFC 9496 4.3.2. */
static void encode_points(fe *s, const point *p, size_t count) {
    fe u1[SIDE_BY_SIDE], u2[SIDE_BY_SIDE], ones[SIDE_BY_SIDE], under[SIDE_BY_SIDE], invsqrt[SIDE_BY_SIDE];
    mask was_square[SIDE_BY_SIDE];
    const fe sqrt_m1 = fe_constant(FIELD_SQRT_M1);
    for (size_t i = 0; i < count; i++) {
        u1[i] = fe_multiply(fe_add(p[i].z, p[i].y), fe_subtract(p[i].z, p[i].y));
        u2[i] = fe_multiply(p[i].x, p[i].y);
        ones[i] = fe_one();
        under[i] = fe_multiply(u1[i], fe_square(u2[i]));
    }
    square_roots(invsqrt, was_square, ones, under, count);
    for (size_t i = 0; i < count; i++) {
        const fe den1 = fe_multiply(invsqrt[i], u1[i]);
        const fe den2 = fe_multiply(invsqrt[i], u2[i]);
        const fe z_inv = fe_multiply(fe_multiply(den1, den2), p[i].t);
        const fe enchanted_denominator = fe_multiply(den1, fe_constant(FIELD_INVSQRT_A_MINUS_D));
        const mask rotate = fe_is_negative(fe_multiply(p[i].t, z_inv));
        const fe x = fe_select(rotate, fe_multiply(p[i].y, sqrt_m1), p[i].x);
        fe y = fe_select(rotate, fe_multiply(p[i].x, sqrt_m1), p[i].y);
        const fe den_inv = fe_select(rotate, enchanted_denominator, den2);
        y = fe_select(fe_is_negative(fe_multiply(x, z_inv)), fe_negate(y), y);
        s[i] = fe_absolute(fe_multiply(den_inv, fe_subtract(p[i].z, y)));
    }
}

/* Encoding of 2 P without a square root, so that a batch shares one inversion.
 *
 * dbl-2008-hwcd above gives 2 P = (e/f, g/h), (e h : g f : f h : e g) in extended coordinates, with
 *     e = 2 X Y,  f = Y^2 - X^2,  g = X^2 + Y^2,  h = 2 Z^2 - f
 * (its E, G, -H and -F). The curve's equation, times Z^2, says f = Z^2 + d T^2 and so h = Z^2 - d T^2.
 *
 * RFC 9496 4.3.2 then takes the square root of 1/(u1 u2^2), where u1 = (fh)^2 - (gf)^2 = f^2 (h^2 - g^2) and
 * u2 = e h g f. But
 *     g^2 - f^2 = 4 X^2 Y^2 = e^2;   h^2 - f^2 = -4 d Z^2 T^2 = -d e^2   (T Z = X Y);
 * the difference is h^2 - g^2 = (a - d) e^2 with a = -1: u1 is the square of f e sqrt(a - d). Up to a sign,
 * which the final absolute value forgets (and which cancels in z_inv, a product of two), the RFC's
 * intermediate values become
 *     den1 = sqrt(a - d)/(g h),  den2 = 1/(sqrt(a - d) e f),  z_inv = den1 den2 t = 1/(f h),
 *     t z_inv = e g/(f h),  x z_inv = e/f,  i y z_inv = i g/h
 *     not rotated: s = |(h -+ g)/(sqrt(a - d) e)|,   rotated: s = |(f -+ i e)/g|
 * with the upper sign where x z_inv (or i y z_inv when rotated) is not negative.
 *
 * halves_begin leaves e, f, g, h and w = e f g h. Where w is zero, 2 P is the identity's coset (f and h are
 * never zero, e g = 0 means t = 0): given 1/w = 0, halves_end gives s = 0, the identity's encoding.
 */
typedef struct {
    fe e, f, g, h, eg, fh;
} half;

INLINE fe halves_begin(half *r, const point *p) {
    const wide zz = fe_product_self(p->z);
    const wide xx = fe_product_self(p->x);
    const wide yy = fe_product_self(p->y);
    const wide xy = fe_product(p->x, p->y);
    r->e = wide_sum(xy, xy);
    r->f = wide_difference(yy, xx);
    r->g = wide_sum(xx, yy);
    r->h = wide_difference(wide_plus(wide_plus(zz, zz), xx), yy);
    r->eg = fe_multiply(r->e, r->g);
    r->fh = fe_multiply(r->f, r->h);
    return fe_multiply(r->eg, r->fh);
}

INLINE fe halves_end(const half *p, fe w_inverse) {
    const fe sqrt_m1 = fe_constant(FIELD_SQRT_M1);
    const fe eg_inverse = fe_multiply(w_inverse, p->fh);
    const fe fh_inverse = fe_multiply(w_inverse, p->eg);
    const fe ie = fe_multiply(p->e, sqrt_m1);
    const fe ig = fe_multiply(p->g, sqrt_m1);
    const mask rotate = fe_is_negative(fe_multiply(p->eg, fh_inverse));
    /* x z_inv f h: e h, or i g f. */
    const fe x = fe_multiply(fe_select(rotate, ig, p->e), fe_select(rotate, p->f, p->h));
    const mask negative = fe_is_negative(fe_multiply(x, fh_inverse));
    const fe first = fe_select(rotate, p->f, p->h);
    const fe second = fe_select(rotate, ie, p->g);
    const fe sum = fe_select(negative, fe_add(first, second), fe_subtract(first, second));
    /* 1/g = e/(e g); 1/(sqrt(a - d) e) = g/(e g)/sqrt(a - d). */
    const fe over = fe_select(rotate, p->e, fe_multiply(p->g, fe_constant(FIELD_INVSQRT_A_MINUS_D)));
    return fe_absolute(fe_multiply(fe_multiply(sum, over), eg_inverse));
}

#endif
