/* SHA-512, FIPS 180-4, eight messages at once: word i of eight states in one 512-bit register.
 *
 * Chosen at run time, so only this file is compiled for the instructions. Needs AVX-512 F (vprorq, vpternlogq) and
 * BW (vpshufb, for the byte order).
 */
#include "hash.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h> /* above the pragma: its functions name their own targets */

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw")
#endif

#include "lanes.h"

typedef __m512i lanes;

#define ADD(x, y) _mm512_add_epi64(x, y)
/* vpternlogq computes any function of three bits; the index is its truth table. */
#define XOR3(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0x96)
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0xca)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0xe8)
#define ROTATE(x, bits) _mm512_ror_epi64(x, bits)
#define SHIFT(x, bits) _mm512_srli_epi64(x, bits)

/* FIPS 180-4 6.4.2 step 3; the caller renames the variables instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                              \
    do {                                                                                              \
        h = ADD(h, ADD(w[(t) & 15], _mm512_set1_epi64((long long)constants[t])));                      \
        h = ADD(h, ADD(CHOOSE(e, f, g), XOR3(ROTATE(e, 14), ROTATE(e, 18), ROTATE(e, 41))));           \
        d = ADD(d, h);                                                                                \
        h = ADD(h, ADD(MAJORITY(a, b, c), XOR3(ROTATE(a, 28), ROTATE(a, 34), ROTATE(a, 39))));         \
    } while (0)

/* FIPS 180-4 6.4.2 step 1, in place in a ring of sixteen. */
#define SCHEDULE(t)                                                                                   \
    do {                                                                                              \
        lanes x = w[((t) + 1) & 15], y = w[((t) + 14) & 15];                                          \
        lanes s0 = XOR3(ROTATE(x, 1), ROTATE(x, 8), SHIFT(x, 7));                                     \
        lanes s1 = XOR3(ROTATE(y, 19), ROTATE(y, 61), SHIFT(y, 6));                                   \
        w[t] = ADD(ADD(w[t], w[((t) + 9) & 15]), ADD(s0, s1));                                        \
    } while (0)

#define EIGHT_ROUNDS(t, before)                                                                       \
    before(t + 0); ROUND(a, b, c, d, e, f, g, h, t + 0);                                              \
    before(t + 1); ROUND(h, a, b, c, d, e, f, g, t + 1);                                              \
    before(t + 2); ROUND(g, h, a, b, c, d, e, f, t + 2);                                              \
    before(t + 3); ROUND(f, g, h, a, b, c, d, e, t + 3);                                              \
    before(t + 4); ROUND(e, f, g, h, a, b, c, d, t + 4);                                              \
    before(t + 5); ROUND(d, e, f, g, h, a, b, c, t + 5);                                              \
    before(t + 6); ROUND(c, d, e, f, g, h, a, b, t + 6);                                              \
    before(t + 7); ROUND(b, c, d, e, f, g, h, a, t + 7)

#define NOTHING(t) (void)0

static inline __attribute__((always_inline)) lanes swap_bytes(lanes x) {
    const lanes order = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    return _mm512_shuffle_epi8(x, order);
}

static void absorb(uint64_t *state, uint64_t *work, const uint8_t *message, size_t stride, size_t first, size_t blocks,
                   size_t length) {
    (void)work, (void)length;
    lanes s[8], w[16];
    for (int i = 0; i < 8; i++) s[i] = _mm512_load_si512(state + 8 * i);
    for (size_t block = first; block < blocks; block++) {
        gather(w, message + block * BLOCK_BYTES, stride);
        gather(w + 8, message + block * BLOCK_BYTES + 64, stride);
        for (int i = 0; i < 16; i++) w[i] = swap_bytes(w[i]);
        lanes a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
        const uint64_t *constants = sha512_constants;
        EIGHT_ROUNDS(0, NOTHING);
        EIGHT_ROUNDS(8, NOTHING);
        for (int sixteen = 1; sixteen < 5; sixteen++) {
            constants += 16;
            EIGHT_ROUNDS(0, SCHEDULE);
            EIGHT_ROUNDS(8, SCHEDULE);
        }
        s[0] = ADD(s[0], a), s[1] = ADD(s[1], b), s[2] = ADD(s[2], c), s[3] = ADD(s[3], d);
        s[4] = ADD(s[4], e), s[5] = ADD(s[5], f), s[6] = ADD(s[6], g), s[7] = ADD(s[7], h);
    }
    for (int i = 0; i < 8; i++) _mm512_store_si512(state + 8 * i, s[i]);
}

static void digest(const uint64_t *state, uint8_t *out, size_t stride) {
    lanes s[8];
    for (int i = 0; i < 8; i++) s[i] = swap_bytes(_mm512_load_si512(state + 8 * i));
    scatter(s, out, stride);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const struct hash *sha512_avx512(void) {
    static const struct hash path = {8, sha512_start, sha512_pad, absorb, digest, sha512_blocks};
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") ? &path : NULL;
}

#else

const struct hash *sha512_avx512(void) { return NULL; }

#endif
