/* Hashing the rows of batches: one message per row, all of one length, most of whose bytes are the same in every row. */
#ifndef BLINDMATCH_ROWS_H
#define BLINDMATCH_ROWS_H

#include "hash.h"

#define MAX_PARTS 4
#define MAX_FRAMES 2

/* Bytes of the message that differ from row to row: `width` bytes of each row, exclusive-or `mask`, at `offset`. */
struct part {
    const uint8_t *rows;
    size_t width;
    size_t offset;
    uint8_t mask;
};

/* A message: `length` bytes that are the same in every row, but for its parts. The second frame of a batch also takes
 * the first one's digest, at `digest_at`. Every offset and width has been checked against the length. */
struct frame {
    const uint8_t *text;
    size_t length;
    struct part parts[MAX_PARTS];
    size_t part_count;
    size_t digest_at;
};

struct batch {
    const struct hash *path;     /* how to hash */
    const struct hash *portable; /* the same hash, one lane: for leading blocks that all rows share */
    const uint8_t *parameters;   /* DIGEST_BYTES of them */
    struct frame frames[MAX_FRAMES];
    size_t frame_count;
    size_t rows;
    uint8_t *out; /* rows x size */
    size_t size;  /* up to DIGEST_BYTES */
};

/* Hash all rows on up to `threads` threads (0: one per processor that the process may use). 0, or -1 without memory. */
int hash_rows(const struct batch *batch, size_t threads);

#endif
