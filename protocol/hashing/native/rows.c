/* One message per row, a group of lanes at a time.
 *
 * Each lane has a copy of the message with its padding, made once; for each row only the bytes that differ are
 * overwritten. Leading blocks that no part touches are absorbed once per batch. Which addresses are used, and how often,
 * depends on lengths alone. Copies, states and digests live in one block of memory per thread, wiped before it is freed.
 */
#define _GNU_SOURCE /* sched_getaffinity, posix_memalign */
#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGNMENT 64
#define MAX_THREADS 64
/* A thread costs some 25 microseconds of processor time; so many rows take at least a millisecond or so. */
#define ROWS_PER_THREAD 8192

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

void wipe(void *memory, size_t size) {
    memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

void wipe_stack(void) {
    uint8_t stack[16 * 1024];
    wipe(stack, sizeof stack);
}

/* One frame as a thread uses it. */
struct lane_messages {
    uint8_t *messages; /* lanes x blocks x BLOCK_BYTES */
    size_t blocks;
    size_t shared; /* leading blocks that are the same in every row */
    uint64_t *start; /* the state after those, in every lane */
};

struct workspace {
    uint8_t *memory;
    size_t size;
    uint64_t *state;
    uint64_t *work;
    uint8_t *digests;
    struct lane_messages frames[MAX_FRAMES];
};

static size_t shared_blocks(const struct frame *frame, int second, size_t blocks) {
    size_t first = second ? frame->digest_at : frame->length;
    for (size_t i = 0; i < frame->part_count; i++)
        if (frame->parts[i].width) first = smaller(first, frame->parts[i].offset);
    return smaller(first / BLOCK_BYTES, blocks);
}

static int lay_out(const struct batch *batch, struct workspace *space) {
    size_t lanes = batch->path->lanes, words = STATE_WORDS * lanes, at = 0, blocks = 0;
    size_t fixed = (2 * words + BLOCK_WORDS * lanes + batch->frame_count * words) * sizeof(uint64_t);
    for (size_t i = 0; i < batch->frame_count; i++) blocks += batch->path->blocks(batch->frames[i].length);
    space->size = (fixed + blocks * lanes * BLOCK_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = NULL;
    if (posix_memalign(&memory, ALIGNMENT, space->size)) return -1;
    memset(memory, 0, space->size);
    space->memory = memory;
    space->state = memory;
    space->digests = (uint8_t *)(space->state + words);
    space->work = space->state + 2 * words;
    at = (2 * words + BLOCK_WORDS * lanes) * sizeof(uint64_t);
    for (size_t i = 0; i < batch->frame_count; i++, at += words * sizeof(uint64_t))
        space->frames[i].start = (uint64_t *)(space->memory + at);
    for (size_t i = 0; i < batch->frame_count; i++) {
        const struct frame *frame = &batch->frames[i];
        struct lane_messages *own = &space->frames[i];
        own->blocks = batch->path->blocks(frame->length);
        own->shared = shared_blocks(frame, i > 0, own->blocks);
        own->messages = space->memory + at;
        for (size_t lane = 0; lane < lanes; lane++, at += own->blocks * BLOCK_BYTES) {
            if (frame->length) memcpy(space->memory + at, frame->text, frame->length);
            batch->path->pad(space->memory + at, frame->length, own->blocks);
        }
        uint64_t one[STATE_WORDS] __attribute__((aligned(ALIGNMENT)));
        batch->portable->start(one, batch->parameters);
        batch->portable->absorb(one, space->work, own->messages, 0, 0, own->shared, frame->length);
        for (size_t word = 0; word < words; word++) own->start[word] = one[word / lanes];
        wipe(one, sizeof one);
    }
    return 0;
}

static void copy_masked(uint8_t *target, const uint8_t *source, size_t width, uint8_t mask) {
    uint64_t word, masks = mask * UINT64_C(0x0101010101010101);
    for (; width >= sizeof word; width -= sizeof word, source += sizeof word, target += sizeof word) {
        memcpy(&word, source, sizeof word);
        word ^= masks;
        memcpy(target, &word, sizeof word);
    }
    while (width--) *target++ = *source++ ^ mask;
}

static void fill(const struct frame *frame, uint8_t *message, size_t row) {
    for (size_t i = 0; i < frame->part_count; i++) {
        const struct part *part = &frame->parts[i];
        if (!part->width) continue;
        const uint8_t *source = part->rows + row * part->width;
        uint8_t *target = message + part->offset;
        if (part->mask)
            copy_masked(target, source, part->width, part->mask);
        else
            memcpy(target, source, part->width);
    }
}

static void hash_group(const struct batch *batch, struct workspace *space, size_t row, size_t count) {
    const struct hash *path = batch->path;
    for (size_t i = 0; i < batch->frame_count; i++) {
        struct lane_messages *own = &space->frames[i];
        size_t stride = own->blocks * BLOCK_BYTES;
        for (size_t lane = 0; lane < count; lane++)
            fill(&batch->frames[i], own->messages + lane * stride, row + lane);
        memcpy(space->state, own->start, STATE_WORDS * path->lanes * sizeof(uint64_t));
        path->absorb(space->state, space->work, own->messages, stride, own->shared, own->blocks,
                     batch->frames[i].length);
        if (i + 1 < batch->frame_count)
            path->digest(space->state, space->frames[i + 1].messages + batch->frames[i + 1].digest_at,
                         space->frames[i + 1].blocks * BLOCK_BYTES);
    }
    uint8_t *out = batch->out + row * batch->size;
    if (count == path->lanes && batch->size == DIGEST_BYTES) {
        path->digest(space->state, out, DIGEST_BYTES);
        return;
    }
    path->digest(space->state, space->digests, DIGEST_BYTES);
    for (size_t lane = 0; lane < count; lane++)
        memcpy(out + lane * batch->size, space->digests + lane * DIGEST_BYTES, batch->size);
}

/* A stretch of rows for one thread. */
struct stretch {
    const struct batch *batch;
    size_t first, end;
    int failed;
};

static void *run(void *argument) {
    struct stretch *stretch = argument;
    struct workspace space;
    stretch->failed = lay_out(stretch->batch, &space);
    if (stretch->failed) return NULL;
    size_t lanes = stretch->batch->path->lanes;
    for (size_t row = stretch->first; row < stretch->end; row += lanes)
        hash_group(stretch->batch, &space, row, smaller(lanes, stretch->end - row));
    wipe(space.memory, space.size);
    free(space.memory);
    wipe_stack();
    return NULL;
}

static size_t processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) return (size_t)CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (size_t)count : 1;
}

int hash_rows(const struct batch *batch, size_t threads) {
    struct stretch stretches[MAX_THREADS];
    pthread_t others[MAX_THREADS];
    int started[MAX_THREADS] = {0};
    size_t wanted = smaller(batch->rows / ROWS_PER_THREAD, MAX_THREADS);
    size_t count = wanted > 1 ? smaller(wanted, threads ? threads : processors()) : 1;
    /* Whole groups of lanes, so that only the last stretch has one that is not full. */
    size_t each = (batch->rows / count + MAX_LANES) / MAX_LANES * MAX_LANES;
    for (size_t i = 0; i < count; i++) {
        size_t first = smaller(i * each, batch->rows);
        stretches[i] = (struct stretch){batch, first, smaller(first + each, batch->rows), 0};
        /* The last stretch is this thread's own. One that cannot be started is worked off here too. */
        if (i + 1 < count) started[i] = !pthread_create(&others[i], NULL, run, &stretches[i]);
    }
    int failed = 0;
    for (size_t i = count; i-- > 0;)
        if (!started[i]) run(&stretches[i]);
    for (size_t i = 0; i < count; i++) {
        if (started[i]) pthread_join(others[i], NULL);
        failed |= stretches[i].failed;
    }
    return failed;
}
