/* Bytes from anywhere into every operation of both paths, which must agree; for the sanitizers and for a
 * fuzzer.
 *
 * With -DLIBFUZZER (clang -fsanitize=fuzzer) the fuzzer brings main. Without, main is a driver of its own:
 * it runs a fixed number of inputs, made from valid encodings by changes that a counter decides, so that a
 * failure comes back: fuzz [inputs] [first].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "kernel.h"
#include "scalar.h"

static void fail(const char *what) {
    fprintf(stderr, "the paths do not agree: %s\n", what);
    abort();
}

static const struct path *second_path(void) {
#if defined(__x86_64__)
    if (ifma_is_supported()) {
        return &ifma_path;
    }
#endif
    return &portable_path;
}

/* Buffers of exactly the size that is asked for, so that one byte too many is found. */
static uint8_t *buffer(size_t bytes) {
    uint8_t *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        abort();
    }
    return memory;
}

static void compare(enum task task, const uint8_t *input, const uint8_t *other, const uint8_t *scalars, size_t step,
                    size_t rows, size_t threads) {
    const struct path *paths[2] = {&portable_path, second_path()};
    size_t bad[2];
    uint8_t *output[2], total[2][POINT_BYTES] = {{0}};
    for (int i = 0; i < 2; i++) {
        output[i] = buffer(rows * POINT_BYTES);
        memset(output[i], 0, rows * POINT_BYTES);
        const int writes = task != CHECK && task != COMBINE;
        const struct job job = {task, rows, input, other, scalars, step, writes ? output[i] : NULL};
        bad[i] = run_job(paths[i], &job, i ? threads : 1, task == COMBINE ? total[i] : NULL);
    }
    if (bad[0] != bad[1]) {
        fail("first bad row");
    }
    if (bad[0] == NONE && (memcmp(output[0], output[1], rows * POINT_BYTES) || memcmp(total[0], total[1], POINT_BYTES))) {
        fail("results");
    }
    free(output[0]);
    free(output[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* Rows of 64 bytes; their first halves are encodings, the second make scalars. */
    const size_t rows = size / 64;
    if (!rows) {
        return 0;
    }
    uint8_t *uniform = buffer(rows * 64), *points = buffer(rows * 32), *scalars = buffer(rows * 32);
    uint8_t *scratch = buffer(rows * 32), *product = buffer(rows * 32);
    memcpy(uniform, data, rows * 64);
    scalars_reduce(scalars, uniform, rows);
    for (size_t i = 0; i < rows; i++) {
        memcpy(points + 32 * i, data + 64 * i, 32);
        scalars[32 * i] |= row_is_zero(scalars + 32 * i);
    }
    compare(CHECK, points, NULL, NULL, 0, rows, 1);
    compare(DERIVE, uniform, NULL, NULL, 0, rows, 1);
    compare(MULTIPLY, points, NULL, scalars, 32, rows, 1);
    compare(MULTIPLY_UNIFORM, uniform, NULL, scalars, data[1] & 1 ? 32 : 0, rows, 1 + (data[2] & 3));
    compare(ADD, points, points, NULL, 0, rows, 1);
    compare(COMBINE, points, NULL, scalars, 32, rows, 1 + (data[2] & 3));

    /* (0 - (0 - a)) a (1/a) = a */
    memset(product, 0, rows * 32);
    scalars_subtract(scratch, product, scalars, rows);
    scalars_subtract(product, product, scratch, rows);
    scalars_multiply(scratch, product, scalars, rows);
    scalars_invert(product, scalars, rows);
    scalars_multiply(scratch, scratch, product, rows);
    if (memcmp(scratch, scalars, rows * 32) || scalars_fault(scalars, rows, 0) != SCALARS_GOOD) {
        fail("scalars");
    }
    free(uniform);
    free(points);
    free(scalars);
    free(scratch);
    free(product);
    return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

/* SplitMix64. */
static uint64_t draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Bytes that decoders have been caught by: near 0, p and 2^255, in either half of a word. */
static void poison(uint8_t *row) {
    static const uint8_t ends[] = {0x00, 0x01, 0x13, 0xec, 0xed, 0xee, 0xff, 0x80};
    memset(row, draw() & 1 ? 0xff : 0x00, 32);
    row[0] = ends[draw() % sizeof ends];
    row[31] = (uint8_t)(ends[draw() % sizeof ends] & (draw() & 1 ? 0x7f : 0xff));
    row[draw() % 32] ^= (uint8_t)(draw() & draw());
}

int main(int count, char **words) {
    const uint64_t inputs = count > 1 ? strtoull(words[1], NULL, 10) : 300;
    const uint64_t first = count > 2 ? strtoull(words[2], NULL, 10) : 0;
    for (uint64_t number = first; number < first + inputs; number++) {
        state = number << 32;
        /* Mostly a handful of rows, sometimes enough for several chunks and threads. */
        const size_t rows = number % 50 == 49 ? 512 + draw() % 200 : 1 + draw() % 20;
        uint8_t *data = buffer(rows * 64), *valid = buffer(rows * 32);
        for (size_t i = 0; i < rows * 8; i++) {
            store_word(data + 8 * i, draw());
        }
        const struct job derive = {DERIVE, rows, data, NULL, NULL, 0, valid};
        if (run_job(second_path(), &derive, 1, NULL) != NONE) {
            fail("deriving");
        }
        for (size_t i = 0; i < rows; i++) {
            memcpy(data + 64 * i, valid + 32 * i, 32);
        }
        for (uint64_t changes = number % 3; changes; changes--) {
            uint8_t *row = data + 64 * (draw() % rows);
            switch (draw() % 3) {
            case 0: row[draw() % 32] ^= (uint8_t)(1u << draw() % 8); break;
            case 1: poison(row); break;
            default: poison(row + 32); break;
            }
        }
        LLVMFuzzerTestOneInput(data, rows * 64);
        free(data);
        free(valid);
    }
    printf("%llu inputs from %llu, portable and %s: the paths agree\n", (unsigned long long)inputs,
           (unsigned long long)first, second_path()->name);
    return 0;
}
#endif
