/* The path for x86-64 with AVX-512 IFMA: eight elements at a time. Compiled for it whatever the compiler's
 * flags say, and only called after ifma_is_supported. */
#include "kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "bytes.h"
#include "scalar.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512ifma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx512ifma")
#endif

#include "field_ifma.h"

#include "curve.h"

#include "batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

int ifma_is_supported(void) {
    __builtin_cpu_init();
    /* The compiler's run-time checks that the operating system saves the registers, too. */
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512ifma");
}

const struct path ifma_path = {"ifma", LANES, sizeof(workspace), run};

#else
/* ISO C wants a declaration in every file. */
typedef int ifma_is_for_x86_64;
#endif
