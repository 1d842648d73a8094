/* What the Python module, the threads and the two paths agree on.
 *
 * A path is one implementation of the curve: `portable` (any 64-bit machine with unsigned __int128) or
 * `ifma` (eight lanes of AVX-512 IFMA). Both include the same formulas (curve.h) and the same pipeline
 * (batch.h) over their own field arithmetic, so a formula is checked once and runs twice.
 */
#ifndef BLINDMATCH_KERNEL_H
#define BLINDMATCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define POINT_BYTES 32
#define SCALAR_BYTES 32
#define UNIFORM_BYTES 64

/* A sum on its way between threads: x, y, z, t of the extended coordinates, 32 bytes each. */
#define SUM_BYTES 128
#define MOST_LANES 8

/* Functions that must be part of their callers for the compiler to keep field elements in registers. A build
 * for the sanitizers, where speed is nothing and compiling takes minutes, defines it to less. */
#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* Loops over limbs and words, which must become straight code for the same reason. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 5")
#endif

/* Functions of a shared header that one of the paths may leave out. */
#define SPARE static __attribute__((unused))

enum task {
    CHECK,            /* decode each row of input (32 bytes)                           -> nothing */
    DERIVE,           /* RFC 9496 4.3.4 on each row of input (64 bytes)                -> output (32) */
    MULTIPLY,         /* decode each row of input (32), multiply by its scalar         -> output (32) */
    MULTIPLY_UNIFORM, /* RFC 9496 4.3.4 on each row of input (64), multiply            -> output (32) */
    ADD,              /* decode each row of input and other (32 each), add             -> output (32) */
    COMBINE,          /* decode each row of input (32), multiply, sum                  -> sums */
};

struct job {
    enum task task;
    size_t rows;
    const uint8_t *input;
    const uint8_t *other;   /* ADD only */
    const uint8_t *scalars; /* below the group's order */
    size_t scalar_step;     /* bytes from one row's scalar to the next one's: 0 when all rows share one */
    uint8_t *output;
};

#define NONE SIZE_MAX

struct path {
    const char *name;
    size_t lanes;
    size_t workspace_bytes; /* aligned to 64 bytes; the caller wipes it */
    /* Do rows begin to end (not included) of the job. Gives the first row that is no canonical encoding of
     * an element other than the identity, or NONE. COMBINE leaves `lanes` sums (SUM_BYTES each) in `sums`. */
    size_t (*run)(const struct job *job, size_t begin, size_t end, void *workspace, uint8_t *sums);
};

extern const struct path portable_path;
#if defined(__x86_64__)
extern const struct path ifma_path;
/* Whether this processor and this operating system have every instruction that the path uses. */
int ifma_is_supported(void);
#endif

/* Add up sums as `run` leaves them and encode the total: 32 bytes. */
void portable_total(uint8_t *encoding, const uint8_t *sums, size_t count);

/* Split a job over at most `threads` threads. Gives the first bad row, NONE, or NO_MEMORY. */
#define NO_MEMORY (SIZE_MAX - 1)
size_t run_job(const struct path *path, const struct job *job, size_t threads, uint8_t *total);

/* How many cores this process may use. */
size_t usable_cores(void);

/* Overwrite what the compiler spilled on the stack, below its caller, during a batch that is over. */
void wipe_stack(void);

#endif
