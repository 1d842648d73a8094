/* Sealing rows, sixteen at a time: the key stream of all of them at once, then each row's tag. */
#define _GNU_SOURCE /* posix_memalign */
#include "seal.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

/* Everything secret, in one place to wipe. */
struct workspace {
    uint32_t keys[8 * SEAL_LANES] __attribute__((aligned(64)));
    uint32_t blocks[STREAM_WORDS * SEAL_LANES] __attribute__((aligned(64)));
    uint8_t stream[STREAM_BYTES];
    uint8_t tag_keys[SEAL_LANES][SEAL_KEY_BYTES];
};

static uint32_t load(const uint8_t *b) {
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | (uint32_t)b[0];
}

/* `bytes` bytes of one lane's block; words go out least significant byte first. */
static void lane_bytes(const uint32_t *blocks, size_t lane, uint8_t *out, size_t bytes) {
    for (size_t word = 0; word < bytes / 4; word++) {
        uint32_t value = blocks[word * SEAL_LANES + lane];
        for (int i = 0; i < 4; i++) out[4 * word + i] = (uint8_t)(value >> 8 * i);
    }
}

static void mix(uint8_t *target, const uint8_t *source, const uint8_t *stream, size_t size) {
    uint64_t a, b;
    for (; size >= sizeof a; size -= sizeof a, target += sizeof a, source += sizeof a, stream += sizeof a) {
        memcpy(&a, source, sizeof a);
        memcpy(&b, stream, sizeof b);
        a ^= b;
        memcpy(target, &a, sizeof a);
    }
    while (size--) *target++ = *source++ ^ *stream++;
}

/* RFC 8439 2.8 without associated data: the ciphertext, zeros to a whole block, the lengths of both. */
static void tag_of(const uint8_t *key, const uint8_t *text, size_t size, uint8_t *tag) {
    struct poly1305 poly;
    uint8_t last[16] = {0}, lengths[16] = {0};
    poly1305_start(&poly, key);
    poly1305_absorb(&poly, text, size / 16);
    if (size % 16) {
        memcpy(last, text + size / 16 * 16, size % 16);
        poly1305_absorb(&poly, last, 1);
    }
    for (int i = 0; i < 8; i++) lengths[8 + i] = (uint8_t)((uint64_t)size >> 8 * i);
    poly1305_absorb(&poly, lengths, 1);
    poly1305_finish(&poly, tag);
}

static void seal_group(key_stream *path, struct workspace *space, const uint8_t *keys, const uint8_t *rows, size_t count,
                       size_t width, uint8_t *out) {
    size_t sealed = width + SEAL_TAG_BYTES;
    for (size_t lane = 0; lane < count; lane++)
        for (size_t word = 0; word < 8; word++)
            space->keys[word * SEAL_LANES + lane] = load(keys + lane * SEAL_KEY_BYTES + 4 * word);
    /* RFC 8439 2.6: block 0 gives the tag's key, blocks 1 and on the stream. */
    path(space->keys, 0, space->blocks);
    for (size_t lane = 0; lane < count; lane++) lane_bytes(space->blocks, lane, space->tag_keys[lane], SEAL_KEY_BYTES);
    uint32_t counter = 1;
    for (size_t at = 0; at < width; at += STREAM_BYTES, counter++) {
        size_t size = width - at < STREAM_BYTES ? width - at : STREAM_BYTES;
        path(space->keys, counter, space->blocks);
        for (size_t lane = 0; lane < count; lane++) {
            lane_bytes(space->blocks, lane, space->stream, STREAM_BYTES);
            mix(out + lane * sealed + at, rows + lane * width + at, space->stream, size);
        }
    }
    for (size_t lane = 0; lane < count; lane++)
        tag_of(space->tag_keys[lane], out + lane * sealed, width, out + lane * sealed + width);
}

int seal_rows(key_stream *path, const uint8_t *keys, const uint8_t *rows, size_t count, size_t width, uint8_t *out) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(struct workspace))) return -1;
    memset(memory, 0, sizeof(struct workspace));
    for (size_t row = 0; row < count; row += SEAL_LANES) {
        size_t live = count - row < SEAL_LANES ? count - row : SEAL_LANES;
        seal_group(path, memory, keys + row * SEAL_KEY_BYTES, rows + row * width, live, width,
                   out + row * (width + SEAL_TAG_BYTES));
    }
    wipe(memory, sizeof(struct workspace));
    free(memory);
    wipe_stack();
    return 0;
}
