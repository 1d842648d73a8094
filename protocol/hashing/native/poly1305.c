/* Poly1305 (RFC 8439 2.5) over whole blocks of sixteen bytes; RFC 8439 2.8 pads what it authenticates to such.
 *
 * Numbers modulo p = 2^130 - 5 are h0 + h1 2^44 + h2 2^88. What lies above bit 130 comes back times 5; a product of limbs
 * lands two limbs up at 2^132 or above, so it comes back times 20.
 */
#include "hash.h"
#include "seal.h"

typedef unsigned __int128 wide;

#define LOW44 (((uint64_t)1 << 44) - 1)
#define LOW42 (((uint64_t)1 << 42) - 1)

static uint64_t load(const uint8_t *b) {
    return (uint64_t)b[7] << 56 | (uint64_t)b[6] << 48 | (uint64_t)b[5] << 40 | (uint64_t)b[4] << 32 |
           (uint64_t)b[3] << 24 | (uint64_t)b[2] << 16 | (uint64_t)b[1] << 8 | (uint64_t)b[0];
}

static void store(uint8_t *bytes, uint64_t word) {
    for (int i = 0; i < 8; i++, word >>= 8) bytes[i] = (uint8_t)word;
}

/* h = (h + block + 2^128) r.
 *
 * Bounds, kept from block to block: h0 < 2^44, h1 < 2^44 + 2^6, h2 < 2^42. With the block h0, h1 < 2^45.1 and h2 < 2^42.7.
 * Clamped, r0, r1 < 2^44 and r2 < 2^36, so s1 < 2^48.4 and s2 < 2^40.4. Then d0 < 2^91.5, d1 < 2^90.3, d2 < 2^89.6, carries
 * included: what each column passes on is below 2^48 and fits 64 bits. d2 leaves less than 2^47.6 above bit 130, times 5
 * less than 2^50, so h0 passes less than 2^6 on to h1. */
static void absorb(struct poly1305 *p, const uint8_t *block) {
    uint64_t t0 = load(block), t1 = load(block + 8);
    uint64_t h0 = p->h[0] + (t0 & LOW44);
    uint64_t h1 = p->h[1] + ((t0 >> 44 | t1 << 20) & LOW44);
    uint64_t h2 = p->h[2] + (t1 >> 24) + ((uint64_t)1 << 40);
    uint64_t r0 = p->r[0], r1 = p->r[1], r2 = p->r[2], s1 = 20 * r1, s2 = 20 * r2;
    wide d0 = (wide)h0 * r0 + (wide)h1 * s2 + (wide)h2 * s1;
    wide d1 = (wide)h0 * r1 + (wide)h1 * r0 + (wide)h2 * s2;
    wide d2 = (wide)h0 * r2 + (wide)h1 * r1 + (wide)h2 * r0;
    d1 += (uint64_t)(d0 >> 44);
    d2 += (uint64_t)(d1 >> 44);
    h0 = ((uint64_t)d0 & LOW44) + 5 * (uint64_t)(d2 >> 42);
    p->h[0] = h0 & LOW44;
    p->h[1] = ((uint64_t)d1 & LOW44) + (h0 >> 44);
    p->h[2] = (uint64_t)d2 & LOW42;
}

void poly1305_start(struct poly1305 *p, const uint8_t *key) {
    /* RFC 8439 2.5: r is clamped. */
    uint64_t t0 = load(key) & 0x0ffffffc0fffffffull, t1 = load(key + 8) & 0x0ffffffc0ffffffcull;
    *p = (struct poly1305){{t0 & LOW44, (t0 >> 44 | t1 << 20) & LOW44, t1 >> 24}, {0, 0, 0}, {load(key + 16), load(key + 24)}};
}

void poly1305_absorb(struct poly1305 *p, const uint8_t *text, size_t blocks) {
    for (; blocks--; text += 16) absorb(p, text);
}

/* (h mod p) + s modulo 2^128. */
void poly1305_finish(struct poly1305 *p, uint8_t *tag) {
    uint64_t h0 = p->h[0], h1 = p->h[1], h2 = p->h[2];
    for (int i = 0; i < 2; i++) { /* carry until every limb is in its range */
        h2 += h1 >> 44, h1 &= LOW44;
        h0 += 5 * (h2 >> 42), h2 &= LOW42;
        h1 += h0 >> 44, h0 &= LOW44;
    }
    h2 += h1 >> 44, h1 &= LOW44;
    /* g = h + 5 - 2^130 is h - p: not negative exactly when h >= p. Chosen by a mask, not by a branch. */
    uint64_t g0 = h0 + 5, g1 = h1 + (g0 >> 44), g2 = h2 + (g1 >> 44);
    uint64_t mask = 0 - (g2 >> 42);
    g0 &= LOW44, g1 &= LOW44, g2 &= LOW42;
    h0 ^= mask & (h0 ^ g0), h1 ^= mask & (h1 ^ g1), h2 ^= mask & (h2 ^ g2);
    wide sum = ((wide)h2 << 88) + ((wide)h1 << 44) + h0 + ((wide)p->s[1] << 64) + p->s[0];
    store(tag, (uint64_t)sum);
    store(tag + 8, (uint64_t)(sum >> 64));
    wipe(p, sizeof *p);
}
