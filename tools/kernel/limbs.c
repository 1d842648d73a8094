/* Field operations on limbs as given, for a test that knows the worst ones.
 *
 * limbs OPERATION: reads lines of ten hexadecimal limbs (a, then b) and writes lines of five limbs of the
 * result, or of the 32 bytes of the canonical form as four words and 0. Compile with -DPATH_IFMA for that
 * path.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#ifdef PATH_IFMA
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512ifma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx512ifma")
#endif
#include "field_ifma.h"
#else
#include "field_portable.h"
#endif

static fe from_lanes(uint64_t limbs[LANES][10], int start) {
    fe r;
    for (int i = 0; i < 5; i++) {
        uint64_t lanes[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            lanes[lane] = limbs[lane][start + i];
        }
        memcpy(&r.l[i], lanes, sizeof lanes);
    }
    return r;
}

static int compute(const char *operation, uint64_t limbs[LANES][10], uint64_t result[LANES][5]) {
    const fe a = from_lanes(limbs, 0), b = from_lanes(limbs, 5);
    fe r;
    if (!strcmp(operation, "multiply")) {
        r = fe_carry(fe_product(a, b));
    } else if (!strcmp(operation, "square")) {
        r = fe_carry(fe_product_self(a));
    } else if (!strcmp(operation, "add")) {
        r = fe_add(a, b);
    } else if (!strcmp(operation, "subtract")) {
        r = fe_subtract(a, b);
    } else if (!strcmp(operation, "sum")) { /* 3 a b: the most that a sum may hold */
        const wide ab = fe_product(a, b);
        r = wide_sum(wide_plus(ab, ab), ab);
    } else if (!strcmp(operation, "difference")) { /* 3 a b - 2 b^2: the most on both sides */
        const wide ab = fe_product(a, b), bb = fe_product_self(b);
        r = wide_difference(wide_plus(wide_plus(ab, ab), ab), wide_plus(bb, bb));
    } else if (!strcmp(operation, "canonical") || !strcmp(operation, "negative") || !strcmp(operation, "zero")) {
        uint8_t bytes[LANES * 32];
        const mask verdict = *operation == 'n' ? fe_is_negative(a) : fe_is_zero(a);
        fe_store(bytes, 32, a);
        for (int lane = 0; lane < LANES; lane++) {
            memset(result[lane], 0, sizeof result[lane]);
            if (*operation == 'c') {
                memcpy(result[lane], bytes + 32 * lane, 32);
            } else {
                result[lane][0] = mask_to_bits(verdict) >> lane & 1;
            }
        }
        return 0;
    } else {
        return 1;
    }
    for (int i = 0; i < 5; i++) {
        uint64_t lanes[LANES];
        memcpy(lanes, &r.l[i], sizeof lanes);
        for (int lane = 0; lane < LANES; lane++) {
            result[lane][i] = lanes[lane];
        }
    }
    return 0;
}

#ifdef PATH_IFMA
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

int main(int count, char **words) {
    uint64_t limbs[LANES][10], result[LANES][5];
    int lanes = 0;
    for (;;) {
        int found = 0;
        memset(limbs, 0, sizeof limbs);
        for (lanes = 0; lanes < LANES; lanes++) {
            for (found = 0; found < 10 && scanf("%" SCNx64, &limbs[lanes][found]) == 1; found++) {
            }
            if (found < 10) {
                break;
            }
        }
        if (count != 2 || (lanes && compute(words[1], limbs, result))) {
            fputs("usage: limbs OPERATION < limbs\n", stderr);
            return 2;
        }
        for (int lane = 0; lane < lanes; lane++) {
            for (int i = 0; i < 5; i++) {
                printf("%" PRIx64 "%c", result[lane][i], i == 4 ? '\n' : ' ');
            }
        }
        if (lanes < LANES) {
            return 0;
        }
    }
}
