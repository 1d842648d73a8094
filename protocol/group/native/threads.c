/* A batch over several threads: one slice each, started for the call and gone after it, so that nothing
 * survives a fork. */
#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"
#include "kernel.h"

/* Starting a thread costs about 20 microseconds; this many multiplications take half a millisecond or more. */
#define LEAST_ROWS 256
#define MOST_THREADS 256

/* More than the deepest frames of a path: about 25 KiB with gcc, derive_rows down to power_250. */
#define STACK_BYTES (64 * 1024)

struct slice {
    const struct path *path;
    const struct job *job;
    size_t begin, end, bad;
    uint8_t sums[MOST_LANES * SUM_BYTES];
    pthread_t thread;
    int started;
};

size_t usable_cores(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (size_t)CPU_COUNT(&set);
    }
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

__attribute__((noinline)) void wipe_stack(void) {
    uint8_t stack[STACK_BYTES];
    wipe(stack, sizeof stack);
}

static void *run_slice(void *argument) {
    struct slice *slice = argument;
    void *workspace = NULL;
    if (posix_memalign(&workspace, 64, slice->path->workspace_bytes)) {
        slice->bad = NO_MEMORY;
        return NULL;
    }
    memset(workspace, 0, slice->path->workspace_bytes);
    slice->bad = slice->path->run(slice->job, slice->begin, slice->end, workspace, slice->sums);
    wipe(workspace, slice->path->workspace_bytes);
    free(workspace);
    wipe_stack();
    return NULL;
}

size_t run_job(const struct path *path, const struct job *job, size_t threads, uint8_t *total) {
    const size_t most = job->rows / LEAST_ROWS;
    threads = threads < most ? threads : most;
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    threads = threads ? threads : 1;

    struct slice *slices = calloc(threads, sizeof *slices);
    uint8_t *sums = malloc(threads * path->lanes * SUM_BYTES);
    size_t bad = NONE;
    if (!slices || !sums) {
        free(slices);
        free(sums);
        return NO_MEMORY;
    }
    /* Slices end at whole groups, so that only the last one has lanes to spare. */
    const size_t groups = (job->rows + path->lanes - 1) / path->lanes;
    for (size_t i = 0; i < threads; i++) {
        struct slice *slice = &slices[i];
        const size_t end = groups * (i + 1) / threads * path->lanes;
        slice->path = path;
        slice->job = job;
        slice->begin = groups * i / threads * path->lanes;
        slice->end = end < job->rows ? end : job->rows;
        /* The last slice is this thread's own; so is one whose thread does not start. */
        slice->started = i + 1 < threads && !pthread_create(&slice->thread, NULL, run_slice, slice);
    }
    for (size_t i = threads; i-- > 0;) {
        if (!slices[i].started) {
            run_slice(&slices[i]);
        }
    }
    for (size_t i = 0; i < threads; i++) {
        if (slices[i].started) {
            pthread_join(slices[i].thread, NULL);
        }
    }
    /* NO_MEMORY is above every row: a bad row of another slice would be reported, which is as true. */
    for (size_t i = 0; i < threads; i++) {
        bad = slices[i].bad < bad ? slices[i].bad : bad;
        memcpy(sums + i * path->lanes * SUM_BYTES, slices[i].sums, path->lanes * SUM_BYTES);
    }
    if (bad == NONE && total) {
        portable_total(total, sums, threads * path->lanes);
    }
    wipe(slices, threads * sizeof *slices);
    wipe(sums, threads * path->lanes * SUM_BYTES);
    free(slices);
    free(sums);
    return bad;
}
