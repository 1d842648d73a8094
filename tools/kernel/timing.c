/* Does the time of an operation tell anything of its secrets? In the manner of dudect (Reparaz, Balasch,
 * Verbauwhede 2017): two classes of inputs, one fixed and one fresh each time, in an order drawn beforehand;
 * Welch's t on the times of both, once on all and once without the slowest parts, which are the machine's
 * own. |t| above 10 is a leak, above 4.5 a reason to run it again.
 *
 * timing [measurements]. The first line is the control, a comparison that does stop early: it must be found.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "kernel.h"
#include "scalar.h"

#define ROWS 8
#define LEAK 10.0
static const double CUTS[] = {1.0, 0.9, 0.7, 0.5};
#define CUT_COUNT (sizeof CUTS / sizeof *CUTS)

static uint64_t state = 1;

static uint64_t draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t now(void) {
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ __volatile__("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

/* What is measured: reads `secret`, 64 bytes for each of ROWS rows. */
struct subject {
    const char *name;
    const struct path *path;
    enum task task;
    size_t step;
    int kind; /* 0: a task of a path; 1: scalar inversion; 2: the control; 3: recoding */
};

static uint8_t points[ROWS * 32], output[ROWS * 64], sums[MOST_LANES * SUM_BYTES];
static void *workspace;

static void compute(const struct subject *subject, const uint8_t *secret) {
    if (subject->kind == 0) {
        const int uniform = subject->task == DERIVE;
        const struct job job = {subject->task, ROWS, uniform ? secret : points, NULL,
                                uniform ? NULL : secret, subject->step, subject->task == COMBINE ? NULL : output};
        subject->path->run(&job, 0, ROWS, workspace, sums);
    } else if (subject->kind == 1) {
        scalars_invert(output, secret, ROWS);
    } else if (subject->kind == 3) {
        for (size_t i = 0; i < ROWS; i++) {
            scalar_digits((int8_t *)output, 1, secret + 32 * i, 1);
        }
    } else {
        /* Stops at the first byte that is not zero. */
        volatile size_t i = 0;
        while (i < ROWS * 32 && !secret[i]) {
            i++;
        }
    }
}

static int smaller(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double welch(const uint64_t *times, const uint8_t *classes, size_t count, uint64_t limit) {
    double n[2] = {0, 0}, mean[2] = {0, 0}, squares[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (times[i] <= limit) {
            const int c = classes[i];
            const double delta = (double)times[i] - mean[c];
            n[c] += 1;
            mean[c] += delta / n[c];
            squares[c] += delta * ((double)times[i] - mean[c]);
        }
    }
    const double spread = squares[0] / (n[0] * (n[0] - 1)) + squares[1] / (n[1] * (n[1] - 1));
    return spread > 0 ? (mean[0] - mean[1]) / sqrt(spread) : 0;
}

/* The largest |t| over the cuts. */
static double measure(const struct subject *subject, size_t count) {
    uint64_t *times = malloc(count * sizeof *times), *sorted = malloc(count * sizeof *sorted);
    uint8_t *classes = malloc(count), *fixed = calloc(ROWS, 64), *secret = calloc(ROWS, 64);
    uint8_t raw[ROWS * 64];
    if (!times || !sorted || !classes || !fixed || !secret) {
        abort();
    }
    /* The fixed class: the scalar 2 (mostly zero digits), or zeros as uniform bytes. */
    for (size_t i = 0; subject->kind != 2 && subject->task != DERIVE && i < ROWS; i++) {
        fixed[32 * i] = 2;
    }
    for (size_t i = 0; i < count; i++) {
        classes[i] = (uint8_t)(draw() & 1);
        for (size_t j = 0; j < sizeof raw / 8; j++) {
            store_word(raw + 8 * j, draw());
        }
        if (subject->task == DERIVE && subject->kind == 0) {
            memcpy(secret, raw, sizeof raw);
        } else {
            scalars_reduce(secret, raw, ROWS);
        }
        /* Both classes are copied the same way, so that both are equally warm. */
        const uint64_t choice = (uint64_t)0 - classes[i];
        for (size_t j = 0; j < ROWS * 64; j += 8) {
            const uint64_t a = load_word(secret + j), b = load_word(fixed + j);
            store_word(secret + j, a ^ ((a ^ b) & choice));
        }
        const uint64_t start = now();
        compute(subject, secret);
        times[i] = now() - start;
    }
    memcpy(sorted, times, count * sizeof *times);
    qsort(sorted, count, sizeof *sorted, smaller);
    double worst = 0;
    for (size_t i = 0; i < CUT_COUNT; i++) {
        const double t = fabs(welch(times, classes, count, sorted[(size_t)((double)(count - 1) * CUTS[i])]));
        worst = t > worst ? t : worst;
    }
    free(times), free(sorted), free(classes), free(fixed), free(secret);
    return worst;
}

int main(int count, char **words) {
    const size_t measurements = count > 1 ? strtoull(words[1], NULL, 10) : 20000;
    const struct path *paths[2] = {&portable_path, NULL};
#if defined(__x86_64__)
    paths[1] = ifma_is_supported() ? &ifma_path : NULL;
#endif
    uint8_t uniform[ROWS * 64];
    for (size_t i = 0; i < sizeof uniform / 8; i++) {
        store_word(uniform + 8 * i, draw());
    }
    const struct job derive = {DERIVE, ROWS, uniform, NULL, NULL, 0, points};
    size_t bytes = portable_path.workspace_bytes;
    bytes = paths[1] && paths[1]->workspace_bytes > bytes ? paths[1]->workspace_bytes : bytes;
    if (posix_memalign(&workspace, 64, bytes) || measurements < 1000 || run_job(&portable_path, &derive, 1, NULL) != NONE) {
        fputs("usage: timing [measurements, at least 1000]\n", stderr);
        return 2;
    }
    memset(workspace, 0, bytes);

    const struct subject control = {"control, stops early", NULL, CHECK, 0, 2};
    const double found = measure(&control, measurements);
    printf("%-40s |t| = %8.1f\n", control.name, found);
    int failed = found < LEAK;
    const struct subject scalars[] = {{"scalar inversion", NULL, CHECK, 0, 1}, {"scalar recoding", NULL, CHECK, 0, 3}};
    for (int i = 0; i < 2; i++) {
        const double t = measure(&scalars[i], measurements);
        printf("%-40s |t| = %8.1f%s\n", scalars[i].name, t, t > LEAK ? "   LEAK" : "");
        failed |= t > LEAK;
    }
    for (int i = 0; i < 2 && paths[i]; i++) {
        const struct subject subjects[] = {
            {"multiply, one scalar", paths[i], MULTIPLY, 0, 0},
            {"multiply, a scalar for each", paths[i], MULTIPLY, 32, 0},
            {"combine", paths[i], COMBINE, 32, 0},
            {"derive from uniform bytes", paths[i], DERIVE, 0, 0},
        };
        for (int j = 0; j < 4; j++) {
            const double t = measure(&subjects[j], measurements);
            printf("%-9s %-30s |t| = %8.1f%s\n", paths[i]->name, subjects[j].name, t, t > LEAK ? "   LEAK" : "");
            failed |= t > LEAK;
        }
    }
    puts(failed ? "FAILED: see above" : "no leak found");
    return failed;
}
