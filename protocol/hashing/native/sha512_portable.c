/* SHA-512, FIPS 180-4, one message at a time in plain C. Additions, rotations and logic only: the time depends on
 * the length alone. */
#include "hash.h"

#include <string.h>

/* FIPS 180-4 4.2.3: the first 64 bits of the fractional parts of the cube roots of the first eighty primes. */
const uint64_t sha512_constants[80] = {
    0x428a2f98d728ae22ull, 0x7137449123ef65cdull, 0xb5c0fbcfec4d3b2full, 0xe9b5dba58189dbbcull,
    0x3956c25bf348b538ull, 0x59f111f1b605d019ull, 0x923f82a4af194f9bull, 0xab1c5ed5da6d8118ull,
    0xd807aa98a3030242ull, 0x12835b0145706fbeull, 0x243185be4ee4b28cull, 0x550c7dc3d5ffb4e2ull,
    0x72be5d74f27b896full, 0x80deb1fe3b1696b1ull, 0x9bdc06a725c71235ull, 0xc19bf174cf692694ull,
    0xe49b69c19ef14ad2ull, 0xefbe4786384f25e3ull, 0x0fc19dc68b8cd5b5ull, 0x240ca1cc77ac9c65ull,
    0x2de92c6f592b0275ull, 0x4a7484aa6ea6e483ull, 0x5cb0a9dcbd41fbd4ull, 0x76f988da831153b5ull,
    0x983e5152ee66dfabull, 0xa831c66d2db43210ull, 0xb00327c898fb213full, 0xbf597fc7beef0ee4ull,
    0xc6e00bf33da88fc2ull, 0xd5a79147930aa725ull, 0x06ca6351e003826full, 0x142929670a0e6e70ull,
    0x27b70a8546d22ffcull, 0x2e1b21385c26c926ull, 0x4d2c6dfc5ac42aedull, 0x53380d139d95b3dfull,
    0x650a73548baf63deull, 0x766a0abb3c77b2a8ull, 0x81c2c92e47edaee6ull, 0x92722c851482353bull,
    0xa2bfe8a14cf10364ull, 0xa81a664bbc423001ull, 0xc24b8b70d0f89791ull, 0xc76c51a30654be30ull,
    0xd192e819d6ef5218ull, 0xd69906245565a910ull, 0xf40e35855771202aull, 0x106aa07032bbd1b8ull,
    0x19a4c116b8d2d0c8ull, 0x1e376c085141ab53ull, 0x2748774cdf8eeb99ull, 0x34b0bcb5e19b48a8ull,
    0x391c0cb3c5c95a63ull, 0x4ed8aa4ae3418acbull, 0x5b9cca4f7763e373ull, 0x682e6ff3d6b2b8a3ull,
    0x748f82ee5defb2fcull, 0x78a5636f43172f60ull, 0x84c87814a1f0ab72ull, 0x8cc702081a6439ecull,
    0x90befffa23631e28ull, 0xa4506cebde82bde9ull, 0xbef9a3f7b2c67915ull, 0xc67178f2e372532bull,
    0xca273eceea26619cull, 0xd186b8c721c0c207ull, 0xeada7dd6cde0eb1eull, 0xf57d4f7fee6ed178ull,
    0x06f067aa72176fbaull, 0x0a637dc5a2c898a6ull, 0x113f9804bef90daeull, 0x1b710b35131c471bull,
    0x28db77f523047d84ull, 0x32caab7b40c72493ull, 0x3c9ebe0a15c9bebcull, 0x431d67c49c100d4cull,
    0x4cc5d4becb3e42b6ull, 0x597f299cfc657e2aull, 0x5fcb6fab3ad6faecull, 0x6c44198c4a475817ull,
};

/* FIPS 180-4 5.3.5: the first 64 bits of the fractional parts of the square roots of the first eight primes. */
static const uint64_t initial[STATE_WORDS] = {
    0x6a09e667f3bcc908ull, 0xbb67ae8584caa73bull, 0x3c6ef372fe94f82bull, 0xa54ff53a5f1d36f1ull,
    0x510e527fade682d1ull, 0x9b05688c2b3e6c1full, 0x1f83d9abfb41bd6bull, 0x5be0cd19137e2179ull,
};

static uint64_t rotate(uint64_t x, unsigned bits) { return x >> bits | x << (64 - bits); }

/* Big-endian; compilers make one load and one byte swap of this. */
static uint64_t load(const uint8_t *b) {
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 | (uint64_t)b[3] << 32 |
           (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 | (uint64_t)b[6] << 8 | (uint64_t)b[7];
}

static void store(uint8_t *bytes, uint64_t word) {
    for (int i = 7; i >= 0; i--, word >>= 8) bytes[i] = (uint8_t)word;
}

void sha512_start(uint64_t state[STATE_WORDS], const uint8_t *parameters) {
    (void)parameters;
    memcpy(state, initial, sizeof initial);
}

/* FIPS 180-4 5.1.2: a one bit, zeros, and the length in bits as 128 of them. */
size_t sha512_blocks(size_t length) { return (length + 17 + BLOCK_BYTES - 1) / BLOCK_BYTES; }

void sha512_pad(uint8_t *message, size_t length, size_t blocks) {
    uint8_t *end = message + blocks * BLOCK_BYTES;
    message[length] = 0x80;
    store(end - 16, (uint64_t)length >> 61);
    store(end - 8, (uint64_t)length << 3);
}

/* FIPS 180-4 6.4.2 step 3; the caller renames the variables instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                              \
    h += (rotate(e, 14) ^ rotate(e, 18) ^ rotate(e, 41)) + (g ^ (e & (f ^ g))) + constants[t] + w[t]; \
    d += h;                                                                                           \
    h += (rotate(a, 28) ^ rotate(a, 34) ^ rotate(a, 39)) + ((a & b) ^ (c & (a ^ b)))

#define EIGHT_ROUNDS(t)                                                                               \
    ROUND(a, b, c, d, e, f, g, h, t);                                                                 \
    ROUND(h, a, b, c, d, e, f, g, t + 1);                                                             \
    ROUND(g, h, a, b, c, d, e, f, t + 2);                                                             \
    ROUND(f, g, h, a, b, c, d, e, t + 3);                                                             \
    ROUND(e, f, g, h, a, b, c, d, t + 4);                                                             \
    ROUND(d, e, f, g, h, a, b, c, t + 5);                                                             \
    ROUND(c, d, e, f, g, h, a, b, t + 6);                                                             \
    ROUND(b, c, d, e, f, g, h, a, t + 7)

/* FIPS 180-4 6.4.2. Sixteen words of the schedule are made at a time, in place. */
static void compress(uint64_t *s, uint64_t *w, const uint8_t *block) {
    uint64_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    const uint64_t *constants = sha512_constants;
    for (int t = 0; t < BLOCK_WORDS; t++) w[t] = load(block + 8 * t);
    for (int sixteen = 0; sixteen < 5; sixteen++, constants += 16) {
        EIGHT_ROUNDS(0);
        EIGHT_ROUNDS(8);
        if (sixteen == 4) break;
#pragma GCC unroll 16
        for (int t = 0; t < BLOCK_WORDS; t++) {
            uint64_t x = w[(t + 1) & 15], y = w[(t + 14) & 15];
            w[t] += (rotate(x, 1) ^ rotate(x, 8) ^ x >> 7) + w[(t + 9) & 15] +
                    (rotate(y, 19) ^ rotate(y, 61) ^ y >> 6);
        }
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

static void absorb(uint64_t *state, uint64_t *work, const uint8_t *message, size_t stride, size_t first, size_t blocks,
                   size_t length) {
    (void)stride, (void)length;
    for (size_t block = first; block < blocks; block++) compress(state, work, message + block * BLOCK_BYTES);
}

static void digest(const uint64_t *state, uint8_t *out, size_t stride) {
    (void)stride;
    for (int i = 0; i < STATE_WORDS; i++) store(out + 8 * i, state[i]);
}

const struct hash sha512_portable = {1, sha512_start, sha512_pad, absorb, digest, sha512_blocks};
