/* What a hash is to the code that lays messages out: a state, a way to absorb blocks, a way to give the digest.
 *
 * SHA-512 (FIPS 180-4) and BLAKE2b (RFC 7693) have the same shape: eight 64-bit words of state, blocks of 128 bytes,
 * a digest of up to 64. A path hashes `lanes` messages of one length at once, one per lane; the portable paths have one.
 */
#ifndef BLINDMATCH_HASH_H
#define BLINDMATCH_HASH_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES 128
#define DIGEST_BYTES 64
#define STATE_WORDS 8
#define BLOCK_WORDS 16
#define MAX_LANES 8

struct hash {
    size_t lanes;

    /* The state before the first block, one lane. `parameters` has 64 bytes: BLAKE2b's block, of no use to SHA-512. */
    void (*start)(uint64_t state[STATE_WORDS], const uint8_t *parameters);

    /* What follows a message of `length` bytes up to `blocks` whole blocks. The bytes after `length` are zero. */
    void (*pad)(uint8_t *message, size_t length, size_t blocks);

    /* Absorb blocks first .. blocks - 1 of one message per lane.
     *
     * state: word-major, state[word * lanes + lane], 64-byte aligned.
     * work: BLOCK_WORDS * lanes words for message words, 64-byte aligned; the caller wipes it.
     * message: lane i's message begins at message + i * stride.
     * length: bytes of the whole message without padding.
     */
    void (*absorb)(uint64_t *state, uint64_t *work, const uint8_t *message, size_t stride, size_t first, size_t blocks,
                   size_t length);

    /* Lane i's 64 digest bytes to out + i * stride. */
    void (*digest)(const uint64_t *state, uint8_t *out, size_t stride);

    /* Blocks that a message of `length` bytes takes with its padding. */
    size_t (*blocks)(size_t length);
};

extern const struct hash sha512_portable;
extern const struct hash blake2b_portable;

/* The paths with eight lanes in AVX-512 registers; NULL where the processor or the compiler has none. */
const struct hash *sha512_avx512(void);
const struct hash *blake2b_avx512(void);

/* What the paths of one hash share. */
void sha512_start(uint64_t state[STATE_WORDS], const uint8_t *parameters);
void sha512_pad(uint8_t *message, size_t length, size_t blocks);
size_t sha512_blocks(size_t length);
void blake2b_start(uint64_t state[STATE_WORDS], const uint8_t *parameters);
void blake2b_pad(uint8_t *message, size_t length, size_t blocks);
size_t blake2b_blocks(size_t length);

/* FIPS 180-4 4.2.3 */
extern const uint64_t sha512_constants[80];

/* Overwrite with zeros in a way that the compiler does not leave out. */
void wipe(void *memory, size_t size);

/* Overwrite what compressions have left on the stack below the caller's frame: their deepest frames take a few KiB. */
__attribute__((noinline)) void wipe_stack(void);

#endif
