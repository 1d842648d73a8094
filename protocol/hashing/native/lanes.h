/* Eight lanes of 64 bits: what the AVX-512 paths share. Include below the target pragma. */
#ifndef BLINDMATCH_LANES_H
#define BLINDMATCH_LANES_H

#include <immintrin.h>
#include <stdint.h>
#include <stddef.h>

/* Transpose eight rows of eight words: row i, word j to row j, word i. Pairs, then quarters, then halves change places. */
static inline __attribute__((always_inline)) void transpose(__m512i r[8]) {
    __m512i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + j] = _mm512_shuffle_i64x2(a[i + j], a[i + 2 + j], 0x88);
            b[i + 2 + j] = _mm512_shuffle_i64x2(a[i + j], a[i + 2 + j], 0xdd);
        }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_shuffle_i64x2(b[j], b[4 + j], 0x88);
        r[4 + j] = _mm512_shuffle_i64x2(b[j], b[4 + j], 0xdd);
    }
}

/* Word j of lane i's 64 bytes at source + i * stride goes to lane i of words[j]. */
static inline __attribute__((always_inline)) void gather(__m512i words[8], const uint8_t *source, size_t stride) {
    for (int lane = 0; lane < 8; lane++) words[lane] = _mm512_loadu_si512(source + (size_t)lane * stride);
    transpose(words);
}

static inline __attribute__((always_inline)) void scatter(__m512i words[8], uint8_t *target, size_t stride) {
    transpose(words);
    for (int lane = 0; lane < 8; lane++) _mm512_storeu_si512(target + (size_t)lane * stride, words[lane]);
}

#endif
