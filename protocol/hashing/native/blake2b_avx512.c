/* BLAKE2b, RFC 7693, eight messages at once: word i of eight messages in one 512-bit register. Needs AVX-512 F.
 *
 * The working vector takes sixteen of the 32 registers; the message words stay in memory, each the operand of an addition.
 */
#include "blake2b.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h> /* above the pragma: its functions name their own targets */

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif

#include "lanes.h"

typedef __m512i lanes;

#define ADD(x, y) _mm512_add_epi64(x, y)
#define XOR(x, y) _mm512_xor_si512(x, y)
#define XOR3(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0x96)
#define CONSTANT(i) _mm512_set1_epi64((long long)blake2b_constants[i])

/* RFC 7693 3.1: half of a mix, with message word m[s[k]]. */
#define HALF(a, b, c, d, k, r1, r2)                                                                   \
    v[a] = ADD(ADD(v[a], v[b]), m[s[k]]), v[d] = _mm512_ror_epi64(XOR(v[d], v[a]), r1);               \
    v[c] = ADD(v[c], v[d]), v[b] = _mm512_ror_epi64(XOR(v[b], v[c]), r2)

/* Four mixes side by side: they do not depend on each other, and the processor overlaps them. */
#define MIX4(a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3, k)                       \
    HALF(a0, b0, c0, d0, k, 32, 24);                                                                  \
    HALF(a1, b1, c1, d1, k + 2, 32, 24);                                                              \
    HALF(a2, b2, c2, d2, k + 4, 32, 24);                                                              \
    HALF(a3, b3, c3, d3, k + 6, 32, 24);                                                              \
    HALF(a0, b0, c0, d0, k + 1, 16, 63);                                                              \
    HALF(a1, b1, c1, d1, k + 3, 16, 63);                                                              \
    HALF(a2, b2, c2, d2, k + 5, 16, 63);                                                              \
    HALF(a3, b3, c3, d3, k + 7, 16, 63)

/* RFC 7693 3.2 */
static inline __attribute__((always_inline)) void compress(lanes *h, const lanes *m, size_t absorbed, int last) {
    lanes v[16];
    for (int i = 0; i < 8; i++) v[i] = h[i], v[i + 8] = CONSTANT(i);
    v[12] = XOR(v[12], _mm512_set1_epi64((long long)absorbed));
    v[14] = XOR(v[14], _mm512_set1_epi64(-(long long)last));
#pragma GCC unroll 12
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = blake2b_sigma[round];
        MIX4(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0);
        MIX4(0, 5, 10, 15, 1, 6, 11, 12, 2, 7, 8, 13, 3, 4, 9, 14, 8);
    }
    for (int i = 0; i < 8; i++) h[i] = XOR3(h[i], v[i], v[i + 8]);
}

static void absorb(uint64_t *state, uint64_t *work, const uint8_t *message, size_t stride, size_t first, size_t blocks,
                   size_t length) {
    lanes h[8], *m = (lanes *)work;
    size_t whole = blake2b_blocks(length);
    for (int i = 0; i < 8; i++) h[i] = _mm512_load_si512(state + 8 * i);
    for (size_t block = first; block < blocks; block++) {
        int last = block + 1 == whole;
        gather(m, message + block * BLOCK_BYTES, stride);
        gather(m + 8, message + block * BLOCK_BYTES + 64, stride);
        compress(h, m, last ? length : (block + 1) * BLOCK_BYTES, last);
    }
    for (int i = 0; i < 8; i++) _mm512_store_si512(state + 8 * i, h[i]);
}

static void digest(const uint64_t *state, uint8_t *out, size_t stride) {
    lanes h[8];
    for (int i = 0; i < 8; i++) h[i] = _mm512_load_si512(state + 8 * i);
    scatter(h, out, stride);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const struct hash *blake2b_avx512(void) {
    static const struct hash path = {8, blake2b_start, blake2b_pad, absorb, digest, blake2b_blocks};
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") ? &path : NULL;
}

#else

const struct hash *blake2b_avx512(void) { return NULL; }

#endif
