/* One pipeline for every batch operation, included by each path after its field and curve.h:
 *
 *     rows -> points -> (times a scalar) -> rows
 *
 * in chunks of CHUNK groups of LANES rows. Rows that are missing to a full chunk are zero: they go through
 * the same arithmetic and nobody looks at them. The workspace of the caller holds everything of a chunk, and
 * the caller wipes it.
 */
#ifndef BLINDMATCH_BATCH_H
#define BLINDMATCH_BATCH_H

#include "scalar.h"

/* One inversion, 265 products long, is shared by CHUNK groups; the workspace stays well inside a core's
 * second cache. */
#define CHUNK 32
#define CHUNK_ROWS (CHUNK * LANES)

typedef struct {
    point points[CHUNK];
    point sum;
    cached table[TABLE];
    union {
        half halves[CHUNK];
        point others[CHUNK]; /* ADD only */
    };
    fe products[CHUNK];
    mask bad[CHUNK];
    int8_t digits[DIGITS * LANES];
    uint8_t input[CHUNK_ROWS * UNIFORM_BYTES];
    uint8_t other[CHUNK_ROWS * POINT_BYTES];
    uint8_t scalars[CHUNK_ROWS * SCALAR_BYTES];
    uint8_t output[CHUNK_ROWS * POINT_BYTES];
} workspace;

/* Fill a chunk's buffer with `count` rows of `width` bytes, and zeros after them. */
static void take_rows(uint8_t *buffer, const uint8_t *rows, size_t width, size_t count) {
    memcpy(buffer, rows, count * width);
    memset(buffer + count * width, 0, (CHUNK_ROWS - count) * width);
}

/* How many groups from `first` are worked on side by side. */
INLINE size_t at_side(size_t first, size_t groups) {
    return groups - first < SIDE_BY_SIDE ? groups - first : SIDE_BY_SIDE;
}

/* Decode the rows to points. Bits of rows that are no canonical encoding, off the group or the identity are
 * set in w->bad. */
static void decode_rows(workspace *w, point *points, const uint8_t *rows, size_t groups) {
    for (size_t first = 0; first < groups; first += SIDE_BY_SIDE) {
        const size_t side = at_side(first, groups);
        fe s[SIDE_BY_SIDE];
        for (size_t i = 0; i < side; i++) {
            s[i] = fe_load(rows + (first + i) * LANES * POINT_BYTES, POINT_BYTES);
        }
        decode_points(points + first, w->bad + first, s, side);
        for (size_t i = first; i < first + side; i++) {
            unsigned bits = 0;
            for (size_t lane = 0; lane < LANES; lane++) {
                bits |= encoding_is_bad(rows + (i * LANES + lane) * POINT_BYTES) << lane;
            }
            w->bad[i] = mask_or(w->bad[i], mask_from_bits(bits));
        }
    }
}

/* The first of `count` rows that is bad, or NONE. Only here does the outcome of decoding decide what runs: a
 * bad row is no secret. */
static size_t first_bad(const workspace *w, size_t count) {
    for (size_t row = 0; row < count; row++) {
        if (mask_to_bits(w->bad[row / LANES]) >> (row % LANES) & 1) {
            return row;
        }
    }
    return NONE;
}

/* RFC 9496 4.3.4: two field elements from each row of 64 bytes, mapped and added. */
static void derive_rows(workspace *w, size_t groups) {
    for (size_t first = 0; first < groups; first += SIDE_BY_SIDE) {
        const size_t side = at_side(first, groups);
        fe t[SIDE_BY_SIDE];
        point left[SIDE_BY_SIDE], right[SIDE_BY_SIDE];
        const uint8_t *rows = w->input + first * LANES * UNIFORM_BYTES;
        for (size_t i = 0; i < side; i++) {
            t[i] = fe_load(rows + i * LANES * UNIFORM_BYTES, UNIFORM_BYTES);
        }
        map_to_points(left, t, side);
        for (size_t i = 0; i < side; i++) {
            t[i] = fe_load(rows + i * LANES * UNIFORM_BYTES + 32, UNIFORM_BYTES);
        }
        map_to_points(right, t, side);
        for (size_t i = 0; i < side; i++) {
            point_sum(&w->points[first + i], &left[i], &right[i]);
        }
    }
}

/* Recode the scalars of one group's rows, halved or not, to w->digits. */
static void take_digits(workspace *w, size_t group, int halve) {
    for (size_t lane = 0; lane < LANES; lane++) {
        scalar_digits(w->digits + lane, LANES, w->scalars + (group * LANES + lane) * SCALAR_BYTES, halve);
    }
}

/* Encode twice each point, sharing one inversion: products[i] = w_0 ... w_i, with 1 for every w that is
 * zero. */
static void encode_doubled(workspace *w, size_t groups) {
    fe running = fe_one();
    mask zero[CHUNK];
    for (size_t i = 0; i < groups; i++) {
        const fe product = halves_begin(&w->halves[i], &w->points[i]);
        zero[i] = fe_is_zero(product);
        running = fe_multiply(running, fe_select(zero[i], fe_one(), product));
        w->products[i] = running;
    }
    running = fe_invert(running);
    for (size_t i = groups; i-- > 0;) {
        const half *h = &w->halves[i];
        const fe before = i == 0 ? fe_one() : w->products[i - 1];
        const fe inverse = fe_select(zero[i], fe_zero(), fe_multiply(running, before));
        running = fe_multiply(running, fe_select(zero[i], fe_one(), fe_multiply(h->eg, h->fh)));
        fe_store(w->output + i * LANES * POINT_BYTES, POINT_BYTES, halves_end(h, inverse));
    }
}

/* Encode each point as it is. */
static void encode_rows(workspace *w, size_t groups) {
    for (size_t first = 0; first < groups; first += SIDE_BY_SIDE) {
        const size_t side = at_side(first, groups);
        fe s[SIDE_BY_SIDE];
        encode_points(s, w->points + first, side);
        for (size_t i = 0; i < side; i++) {
            fe_store(w->output + (first + i) * LANES * POINT_BYTES, POINT_BYTES, s[i]);
        }
    }
}

/* One chunk: `count` rows from `begin`. Gives the first bad one, counted from `begin`, or NONE. */
static size_t run_chunk(const struct job *job, workspace *w, size_t begin, size_t count) {
    const enum task task = job->task;
    const int uniform = task == DERIVE || task == MULTIPLY_UNIFORM;
    const int scalars = task == MULTIPLY || task == MULTIPLY_UNIFORM || task == COMBINE;
    const size_t width = uniform ? UNIFORM_BYTES : POINT_BYTES;
    const size_t groups = (count + LANES - 1) / LANES;
    size_t bad = NONE;

    take_rows(w->input, job->input + begin * width, width, count);
    if (uniform) {
        derive_rows(w, groups);
    } else {
        decode_rows(w, w->points, w->input, groups);
        bad = first_bad(w, count);
    }
    if (task == ADD) {
        take_rows(w->other, job->other + begin * POINT_BYTES, POINT_BYTES, count);
        decode_rows(w, w->others, w->other, groups);
        const size_t other = first_bad(w, count);
        bad = other < bad ? other : bad;
        for (size_t i = 0; i < groups; i++) {
            point_sum(&w->points[i], &w->points[i], &w->others[i]);
        }
    }
    if (bad != NONE) {
        return bad;
    }
    if (scalars && job->scalar_step) {
        take_rows(w->scalars, job->scalars + begin * job->scalar_step, SCALAR_BYTES, count);
    }
    for (size_t i = 0; scalars && i < groups; i++) {
        if (job->scalar_step) {
            take_digits(w, i, task != COMBINE);
        }
        multiply_point(&w->points[i], w->table, w->digits, task == COMBINE);
        if (task == COMBINE) {
            point_sum(&w->sum, &w->sum, &w->points[i]);
        }
    }
    if (task == MULTIPLY || task == MULTIPLY_UNIFORM) {
        encode_doubled(w, groups);
    } else if (task == DERIVE || task == ADD) {
        encode_rows(w, groups);
    }
    if (job->output) {
        memcpy(job->output + begin * POINT_BYTES, w->output, count * POINT_BYTES);
    }
    return NONE;
}

static size_t run(const struct job *job, size_t begin, size_t end, void *memory, uint8_t *sums) {
    workspace *w = memory;
    size_t bad = NONE;
    w->sum = point_identity();
    if (job->scalars && !job->scalar_step) {
        for (size_t lane = 0; lane < LANES; lane++) {
            memcpy(w->scalars + lane * SCALAR_BYTES, job->scalars, SCALAR_BYTES);
        }
        take_digits(w, 0, job->task != COMBINE);
    }
    while (begin < end && bad == NONE) {
        const size_t count = end - begin < CHUNK_ROWS ? end - begin : CHUNK_ROWS;
        bad = run_chunk(job, w, begin, count);
        if (bad != NONE) {
            return begin + bad;
        }
        begin += count;
    }
    if (job->task == COMBINE) {
        fe_store(sums, SUM_BYTES, w->sum.x);
        fe_store(sums + 32, SUM_BYTES, w->sum.y);
        fe_store(sums + 64, SUM_BYTES, w->sum.z);
        fe_store(sums + 96, SUM_BYTES, w->sum.t);
    }
    return NONE;
}

#endif
