/* ChaCha20, RFC 8439, with whatever vector instructions the compiler may take for granted. */
#include "chacha20.h"

void chacha20_portable(const uint32_t *keys, uint32_t counter, uint32_t *blocks) { chacha20(keys, counter, blocks); }
