/* Bytes in and out, the rules for encodings, and wiping. */
#ifndef BLINDMATCH_BYTES_H
#define BLINDMATCH_BYTES_H

#include <stdint.h>
#include <string.h>

#include "kernel.h"

INLINE uint64_t load_word(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

INLINE void store_word(uint8_t *bytes, uint64_t word) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(bytes, &word, sizeof word);
}

/* Zero memory although nobody reads it afterwards: the empty assembler statement claims to. */
INLINE void wipe(void *memory, size_t size) {
    memset(memory, 0, size);
    __asm__ __volatile__("" : : "r"(memory) : "memory");
}

/* RFC 9496 4.3.1 steps 1 and 2, and RFC 9497 2.1: 1 unless s < p (which covers bit 255), s is even, and s is
 * not zero, the encoding of the identity. The bytes are the peer's and no secret; there is still no branch
 * on them. */
INLINE unsigned encoding_is_bad(const uint8_t *row) {
    const uint64_t w0 = load_word(row), w1 = load_word(row + 8), w2 = load_word(row + 16),
                   w3 = load_word(row + 24);
    /* p = 2^255 - 19: s >= p exactly when the three upper words are all at their largest (bit 255 aside) and
     * the lowest is at least 2^64 - 19; or when bit 255 is set. */
    const unsigned upper_full = (w1 & w2 & (w3 | (1ull << 63))) == UINT64_MAX;
    const unsigned too_large = (upper_full & (w0 >= UINT64_MAX - 18)) | (unsigned)(w3 >> 63);
    return too_large | (unsigned)(w0 & 1) | ((w0 | w1 | w2 | w3) == 0);
}

INLINE unsigned row_is_zero(const uint8_t *row) {
    return (load_word(row) | load_word(row + 8) | load_word(row + 16) | load_word(row + 24)) == 0;
}

#endif
