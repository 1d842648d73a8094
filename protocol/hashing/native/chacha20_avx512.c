/* ChaCha20, RFC 8439, sixteen keys at once: word i of sixteen states in one 512-bit register. Needs AVX-512 F. */
#if defined(__x86_64__) && defined(__GNUC__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif

#include "chacha20.h"

static void wide(const uint32_t *keys, uint32_t counter, uint32_t *blocks) { chacha20(keys, counter, blocks); }

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

key_stream *chacha20_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") ? wide : NULL;
}

#else

#include "seal.h"

key_stream *chacha20_avx512(void) { return NULL; }

#endif
