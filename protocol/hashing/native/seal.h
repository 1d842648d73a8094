/* ChaCha20-Poly1305 (RFC 8439 2.8) over rows: each row under its own key, nonce zero, no associated data. */
#ifndef BLINDMATCH_SEAL_H
#define BLINDMATCH_SEAL_H

#include <stddef.h>
#include <stdint.h>

#define SEAL_LANES 16
#define SEAL_KEY_BYTES 32
#define SEAL_TAG_BYTES 16
#define STREAM_BYTES 64
#define STREAM_WORDS 16

/* One block of key stream for each of sixteen keys, all at one counter. Both arrays are word-major: word i of lane j at
 * [i * SEAL_LANES + j]; keys have 8 words a lane, blocks 16; both 64-byte aligned. */
typedef void key_stream(const uint32_t *keys, uint32_t counter, uint32_t *blocks);

void chacha20_portable(const uint32_t *keys, uint32_t counter, uint32_t *blocks);

/* The same in AVX-512 registers; NULL where the processor or the compiler has none. */
key_stream *chacha20_avx512(void);

/* Poly1305 (RFC 8439 2.5) over whole blocks of 16 bytes, under a one-time key of 32. `finish` wipes it. */
struct poly1305 {
    uint64_t r[3], h[3], s[2];
};

void poly1305_start(struct poly1305 *p, const uint8_t *key);
void poly1305_absorb(struct poly1305 *p, const uint8_t *text, size_t blocks);
void poly1305_finish(struct poly1305 *p, uint8_t *tag);

/* Seal count rows of width bytes under keys (count x 32) to out (count x (width + 16)). 0, or -1 without memory. */
int seal_rows(key_stream *path, const uint8_t *keys, const uint8_t *rows, size_t count, size_t width, uint8_t *out);

#endif
