/* BLAKE2b, RFC 7693, one message at a time in plain C. The time depends on the length alone. */
#include "blake2b.h"

#include <string.h>

static uint64_t rotate(uint64_t x, unsigned bits) { return x >> bits | x << (64 - bits); }

/* Little-endian; compilers make one load of this. */
static uint64_t load(const uint8_t *b) {
    return (uint64_t)b[7] << 56 | (uint64_t)b[6] << 48 | (uint64_t)b[5] << 40 | (uint64_t)b[4] << 32 |
           (uint64_t)b[3] << 24 | (uint64_t)b[2] << 16 | (uint64_t)b[1] << 8 | (uint64_t)b[0];
}

/* RFC 7693 2.5 and 3.3: the parameter block over the constants. */
void blake2b_start(uint64_t state[STATE_WORDS], const uint8_t *parameters) {
    for (int i = 0; i < STATE_WORDS; i++) state[i] = blake2b_constants[i] ^ load(parameters + 8 * i);
}

/* An empty message is one block of zeros. */
size_t blake2b_blocks(size_t length) { return length ? (length + BLOCK_BYTES - 1) / BLOCK_BYTES : 1; }

void blake2b_pad(uint8_t *message, size_t length, size_t blocks) { (void)message, (void)length, (void)blocks; }

/* RFC 7693 3.1 */
static inline __attribute__((always_inline)) void mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y) {
    v[a] += v[b] + x, v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d], v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y, v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d], v[b] = rotate(v[b] ^ v[c], 63);
}

/* RFC 7693 3.2: `absorbed` bytes up to the end of this block. */
static void compress(uint64_t *state, uint64_t *m, const uint8_t *block, size_t absorbed, int last) {
    uint64_t v[BLOCK_WORDS];
    for (int i = 0; i < BLOCK_WORDS; i++) m[i] = load(block + 8 * i);
    memcpy(v, state, STATE_WORDS * sizeof *v);
    memcpy(v + 8, blake2b_constants, sizeof blake2b_constants);
    v[12] ^= absorbed;
    if (last) v[14] = ~v[14];
#pragma GCC unroll 12
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = blake2b_sigma[round];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < STATE_WORDS; i++) state[i] ^= v[i] ^ v[i + 8];
    wipe(v, sizeof v);
}

static void absorb(uint64_t *state, uint64_t *work, const uint8_t *message, size_t stride, size_t first, size_t blocks,
                   size_t length) {
    (void)stride;
    for (size_t block = first; block < blocks; block++) {
        int last = block + 1 == blake2b_blocks(length);
        compress(state, work, message + block * BLOCK_BYTES, last ? length : (block + 1) * BLOCK_BYTES, last);
    }
}

static void digest(const uint64_t *state, uint8_t *out, size_t stride) {
    (void)stride;
    for (int i = 0; i < STATE_WORDS; i++)
        for (int j = 0; j < 8; j++) out[8 * i + j] = (uint8_t)(state[i] >> 8 * j);
}

const struct hash blake2b_portable = {1, blake2b_start, blake2b_pad, absorb, digest, blake2b_blocks};
