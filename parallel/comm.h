/* parallel/comm.h: a communicator, the only way in which ranks exchange anything.
 *
 * All ranks make the same collective calls in the same order. Sums are taken in rank order: the
 * same bits in every run. No wait is endless: past the deadline a call fails with
 * JUDO_ERROR_TIMEOUT naming the collective, its number and the phase. After JUDO_ERROR_TIMEOUT
 * or JUDO_ERROR_COMM the communicator is broken (buffers may still be in flight) and aborting
 * the job is the one thing left to do. One thread at a time. */
#ifndef JUDO_PARALLEL_COMM_H
#define JUDO_PARALLEL_COMM_H

#include <stdbool.h>
#include <stdint.h>

#include "parallel/flight_recorder.h"
#include "parallel/topology.h"
#include "runtime/tensor.h"

typedef struct judo_comm judo_comm;

/* A sum over ranks of which each keeps its slice: shard[i] = or += the sum over ranks, in rank
 * order and in fp32, of values[rank * slice + i]. */
typedef struct judo_reduction {
    float *shard;  /* [slice]; may be this rank's slice of `values` unless `add` */
    float *values; /* [size * slice]; what is in this rank's slice is lost */
    int64_t slice;
    judo_dtype wire; /* JUDO_F32, or JUDO_BF16: every rank's values are rounded to it first */
    bool add;
    bool pairwise; /* the sum is (r0 + r1) + (r2 + r3) ..; a power of two of ranks in fp32, of
                      memory of the host */
} judo_reduction;

/* One backend. `sequence` is the flight recorder's number of the collective. */
typedef struct judo_comm_ops {
    const char *name; /* "self", "mpi", "staged" or "nccl" */
    judo_status (*all_gather_start)(judo_comm *comm, int64_t sequence, const void *slice,
                                    int64_t slice_bytes, void *out, int *request);
    judo_status (*test)(judo_comm *comm, int request, bool *done);
    judo_status (*wait)(judo_comm *comm, int request);
    judo_status (*reduce_start)(judo_comm *comm, int64_t sequence,
                                const judo_reduction *reduction);
    judo_status (*reduce_test)(judo_comm *comm, bool *done); /* true if none is under way */
    judo_status (*reduce_finish)(judo_comm *comm);           /* JUDO_OK if none is under way */
    judo_status (*broadcast)(judo_comm *comm, int64_t sequence, void *data, int64_t bytes,
                             int root);
    judo_status (*gather_bytes)(judo_comm *comm, int64_t sequence, const void *data,
                                const int64_t *offsets, char *out);
    void (*poll)(judo_comm *comm);
    judo_status (*topology)(judo_comm *comm, judo_topology *out);
    judo_status (*split)(judo_comm *comm, int color, judo_comm **out);
    judo_status (*set_bucket)(judo_comm *comm, int64_t bytes);
    judo_status (*lend)(judo_comm *comm, void *memory, int64_t bytes); /* NULL: of no use */
    void (*abort_job)(judo_comm *comm, int exit_code);
    void (*destroy)(judo_comm *comm);
} judo_comm_ops;

/* Base "class": backends embed it first. */
struct judo_comm {
    const judo_comm_ops *ops;
    judo_comm *parent; /* that this one was split off: its deadline and phase count; or NULL */
    int rank, size;
    double deadline_seconds;
    int64_t scratch_bytes; /* held by the communicator for good, in host memory */
    int64_t bucket_bytes;  /* see judo_comm_set_bucket */
    bool broken;           /* a wait expired or the library failed */
    char phase[JUDO_PHASE_BYTES];
    judo_flight_notice expired; /* the collective that outlasted its deadline */
    const char *unit;           /* of the next collective; NULL: of no unit */
    double waited_seconds; /* the caller stood still for collectives; see judo_comm_times */
    judo_flight_recorder recorder;
    void *small; /* [size] blocks of JUDO_COMM_SMALL_BYTES */
};

enum {
    JUDO_COMM_SMALL_BYTES = 512,       /* per rank: bucket of the small all-reduces */
    JUDO_COMM_BUCKET_BYTES = 16 << 20, /* unless set otherwise */
    JUDO_COMM_DEFAULT_DEADLINE = 600   /* seconds */
};

/* The communicator of a program that runs alone. */
judo_status judo_comm_self_create(judo_comm **out) JUDO_MUST_CHECK;
/* The communicator of rank 0 of `size` ranks, `local_size` on each machine, that are not there:
 * all would bring what this one brings to every collective, which is enough for plans.
 * JUDO_ERROR_ARGUMENT if they do not fill machines. Not collective. */
judo_status judo_comm_alike_create(int size, int local_size, judo_comm **out) JUDO_MUST_CHECK;
/* A communicator of the ranks that bring the same `color` (0 or more), in the order of their
 * ranks. It lives no longer than `comm`, whose deadline and phase it shares, and breaks with
 * it. Ranks agree on the outcome. Collective. */
judo_status judo_comm_split(judo_comm *comm, int color, judo_comm **out) JUDO_MUST_CHECK;
/* Accepts NULL. Collective under MPI unless the communicator is broken. */
void judo_comm_destroy(judo_comm **comm);

/* Bytes of the largest message and of the scratch of reductions, of this communicator and of
 * those split off later; at least what two elements of each rank take. Nothing may be under
 * way. The same on all ranks; not collective. */
judo_status judo_comm_set_bucket(judo_comm *comm, int64_t bytes) JUDO_MUST_CHECK;

/* Tells that gathers and reductions will often be from and to this memory, which must live as
 * long as the communicator. The same calls on all ranks; not collective. */
judo_status judo_comm_lend(judo_comm *comm, void *memory, int64_t bytes) JUDO_MUST_CHECK;

/* Seconds that a wait may take from now on. Long for the first step, short after. */
void judo_comm_set_deadline(judo_comm *comm, double seconds);
/* What the program is doing, for the messages of an expired wait: "backward", "checkpoint". */
void judo_comm_set_phase(judo_comm *comm, const char *phase);
/* The unit of the model that the next collective of this communicator carries, for the flight
 * recorder: "model.layers.3". Forgotten with that collective; borrowed until then. */
void judo_comm_set_unit(judo_comm *comm, const char *unit);

/* Starts gathering every rank's `slice_bytes` bytes into out[size * slice_bytes] in rank order.
 * `slice` and `out` must stay untouched until test says done or wait returns; either ends the
 * request. A handful may be outstanding at once. Collective. */
judo_status judo_comm_all_gather_start(judo_comm *comm, const void *slice, int64_t slice_bytes,
                                       void *out, int *request) JUDO_MUST_CHECK;
judo_status judo_comm_test(judo_comm *comm, int request, bool *done) JUDO_MUST_CHECK;
judo_status judo_comm_wait(judo_comm *comm, int request) JUDO_MUST_CHECK;
/* The same, started and awaited. Collective. */
judo_status judo_comm_all_gather(judo_comm *comm, const void *slice, int64_t slice_bytes,
                                 void *out) JUDO_MUST_CHECK;

/* Starts a reduction, after finishing one that is still under way; it goes on in
 * judo_comm_poll. Its memory must stay untouched until finish. Collective. */
judo_status judo_comm_reduce_scatter_start(judo_comm *comm,
                                           const judo_reduction *reduction) JUDO_MUST_CHECK;
/* Takes the reduction under way as far as it goes without waiting; *done if it is complete or
 * there is none. Not collective. */
judo_status judo_comm_reduce_scatter_test(judo_comm *comm, bool *done) JUDO_MUST_CHECK;
/* Waits for the reduction under way; there need not be one. Collective. */
judo_status judo_comm_reduce_scatter_finish(judo_comm *comm) JUDO_MUST_CHECK;
/* Both. Collective. */
judo_status judo_comm_reduce_scatter(judo_comm *comm,
                                     const judo_reduction *reduction) JUDO_MUST_CHECK;

/* In place over all ranks, for small vectors. Collective. */
judo_status judo_comm_sum_f64(judo_comm *comm, double *values, int count) JUDO_MUST_CHECK;
judo_status judo_comm_sum_i64(judo_comm *comm, int64_t *values, int count) JUDO_MUST_CHECK;
/* A NaN on any rank is the maximum. */
judo_status judo_comm_max_f64(judo_comm *comm, double *values, int count) JUDO_MUST_CHECK;
judo_status judo_comm_max_i64(judo_comm *comm, int64_t *values, int count) JUDO_MUST_CHECK;

/* Collective. */
judo_status judo_comm_broadcast(judo_comm *comm, void *data, int64_t bytes,
                                int root) JUDO_MUST_CHECK;
judo_status judo_comm_barrier(judo_comm *comm) JUDO_MUST_CHECK;

/* Rank 0 receives every rank's bytes: *out is one block in rank order (free() it) and *offsets
 * has size + 1 entries (free() it). Other ranks get NULLs. At most 1 GiB in all. Collective. */
judo_status judo_comm_gather_bytes(judo_comm *comm, const void *data, int64_t bytes, char **out,
                                   int64_t **offsets) JUDO_MUST_CHECK;

/* Seconds so far that collectives were under way (from start to seen complete, summed over
 * them), and that the caller stood still for them: the difference was hidden behind work. Not
 * collective. */
typedef struct judo_comm_times {
    double in_flight, waited;
} judo_comm_times;

judo_comm_times judo_comm_times_so_far(const judo_comm *comm);

/* Lets outstanding requests progress; cheap. Not collective. */
void judo_comm_poll(judo_comm *comm);

/* Ends every rank of the job with `exit_code`. Does not return. Not collective. */
void judo_comm_abort_job(judo_comm *comm, int exit_code);

/* For backends: the bucket that `wanted` bytes come to, and what a communicator of `size` ranks
 * holds of host memory with it. */
judo_status judo_comm_fit_bucket(int size, int64_t wanted, int64_t *bucket_bytes,
                                 int64_t *scratch_bytes) JUDO_MUST_CHECK;
/* For backends: marks this communicator and those it was split off as broken. */
void judo_comm_break(judo_comm *comm);
bool judo_comm_is_broken(const judo_comm *comm);
double judo_comm_deadline(const judo_comm *comm);
/* For backends: records and prints an expired wait. Returns JUDO_ERROR_TIMEOUT. */
judo_status judo_comm_expired(judo_comm *comm, int64_t sequence);

#endif
