/* ChaCha20's block function (RFC 8439 2.3) on sixteen lanes of 32 bits, for a file that says which instructions to use.
 *
 * Written with the compilers' vector types: where the registers are shorter than sixteen words, each operation becomes several.
 */
#include "seal.h"

typedef uint32_t lanes __attribute__((vector_size(64)));

#define ROTATE(x, bits) ((x) << (bits) | (x) >> (32 - (bits)))

/* RFC 8439 2.1 */
#define QUARTER(a, b, c, d)                                                                           \
    v[a] += v[b], v[d] = ROTATE(v[d] ^ v[a], 16);                                                     \
    v[c] += v[d], v[b] = ROTATE(v[b] ^ v[c], 12);                                                     \
    v[a] += v[b], v[d] = ROTATE(v[d] ^ v[a], 8);                                                      \
    v[c] += v[d], v[b] = ROTATE(v[b] ^ v[c], 7)

static inline __attribute__((always_inline)) void chacha20(const uint32_t *keys, uint32_t counter, uint32_t *blocks) {
    /* RFC 8439 2.3: "expand 32-byte k", the key, the counter, the nonce (zero). */
    static const uint32_t words[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    const lanes *key = (const lanes *)keys, none = {0};
    lanes *out = (lanes *)blocks, start[STREAM_WORDS], v[STREAM_WORDS];
    for (int i = 0; i < 4; i++) start[i] = none + words[i];
    for (int i = 0; i < 8; i++) start[4 + i] = key[i];
    start[12] = none + counter;
    start[13] = start[14] = start[15] = none;
    for (int i = 0; i < STREAM_WORDS; i++) v[i] = start[i];
    for (int round = 0; round < 20; round += 2) {
        QUARTER(0, 4, 8, 12);
        QUARTER(1, 5, 9, 13);
        QUARTER(2, 6, 10, 14);
        QUARTER(3, 7, 11, 15);
        QUARTER(0, 5, 10, 15);
        QUARTER(1, 6, 11, 12);
        QUARTER(2, 7, 8, 13);
        QUARTER(3, 4, 9, 14);
    }
    for (int i = 0; i < STREAM_WORDS; i++) out[i] = v[i] + start[i];
}
