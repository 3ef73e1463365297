/* parallel/comm.c: what all backends share: the record of collectives, small reductions. */
#include "parallel/comm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/timeline.h"

#include "parallel/agree.h"

static const judo_comm *root_of(const judo_comm *comm)
{
    while (comm->parent != NULL) {
        comm = comm->parent;
    }
    return comm;
}

void judo_comm_break(judo_comm *comm)
{
    for (; comm != NULL; comm = comm->parent) {
        comm->broken = true;
    }
}

bool judo_comm_is_broken(const judo_comm *comm)
{
    return comm->broken || root_of(comm)->broken;
}

double judo_comm_deadline(const judo_comm *comm)
{
    return root_of(comm)->deadline_seconds;
}

static judo_status check_sound(const judo_comm *comm, const char *what)
{
    const judo_comm *root = root_of(comm);
    if (judo_comm_is_broken(comm)) {
        return JUDO_FAIL(JUDO_ERROR_COMM,
                         "rank %d of %d: %s in phase '%s' on a communicator that has failed; "
                         "end the job",
                         root->rank, root->size, what, root->phase);
    }
    return JUDO_OK;
}

static judo_status begin(judo_comm *comm, const char *collective, int64_t bytes,
                         int64_t *sequence)
{
    JUDO_TRY(check_sound(comm, collective));
    *sequence =
        judo_flight_begin(&comm->recorder, collective, bytes, root_of(comm)->phase, comm->unit);
    comm->unit = NULL;
    return JUDO_OK;
}

static judo_status finish(judo_comm *comm, int64_t sequence, judo_status status)
{
    if (status == JUDO_OK) {
        judo_flight_end(&comm->recorder, sequence);
    }
    return status;
}

void judo_comm_destroy(judo_comm **comm)
{
    if (*comm != NULL) {
        (*comm)->ops->destroy(*comm);
        *comm = NULL;
    }
}

void judo_comm_set_deadline(judo_comm *comm, double seconds)
{
    comm->deadline_seconds = seconds;
}

void judo_comm_set_phase(judo_comm *comm, const char *phase)
{
    (void)snprintf(comm->phase, sizeof comm->phase, "%s", phase);
}

void judo_comm_set_unit(judo_comm *comm, const char *unit)
{
    comm->unit = unit;
}

judo_status judo_comm_expired(judo_comm *comm, int64_t sequence)
{
    judo_comm *root = comm;
    judo_comm_break(comm);
    judo_flight_print(&root->recorder);
    while (root->parent != NULL) {
        root = root->parent;
        judo_flight_print(&root->recorder);
    }
    root->expired = judo_flight_describe(&comm->recorder, sequence);
    return JUDO_FAIL(JUDO_ERROR_TIMEOUT,
                     "rank %d of %d: collective %s (%s) did not complete within %g s: another "
                     "rank is stopped, lost or elsewhere; compare the ranks' last collectives",
                     root->rank, root->size, root->expired.text,
                     comm->size == root->size ? "all ranks" : "a group of ranks",
                     root->deadline_seconds);
}

judo_status judo_comm_split(judo_comm *comm, int color, judo_comm **out)
{
    judo_comm *part = NULL;
    JUDO_TRY(check_sound(comm, "split"));
    judo_status status = judo_agree(comm, comm->ops->split(comm, color, &part));
    if (status != JUDO_OK) {
        judo_comm_destroy(&part);
        return status;
    }
    part->parent = comm;
    part->recorder.outer = &comm->recorder;
    *out = part;
    return JUDO_OK;
}

judo_status judo_comm_set_bucket(judo_comm *comm, int64_t bytes)
{
    return comm->ops->set_bucket(comm, bytes);
}

judo_status judo_comm_fit_bucket(int size, int64_t wanted, int64_t *bucket_bytes,
                                 int64_t *scratch_bytes)
{
    const int64_t least = 2 * (int64_t)sizeof(float) * size;
    int64_t bytes = size > 1 && wanted > least ? wanted : least; /* one rank sends nothing */
    if (bytes > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "messages of %lld bytes: at most %d fit",
                         (long long)bytes, INT32_MAX);
    }
    *bucket_bytes = bytes;
    *scratch_bytes = bytes + (int64_t)size * JUDO_COMM_SMALL_BYTES;
    return JUDO_OK;
}

judo_status judo_comm_lend(judo_comm *comm, void *memory, int64_t bytes)
{
    JUDO_TRY(check_sound(comm, "lend"));
    return comm->ops->lend != NULL && bytes > 0 ? comm->ops->lend(comm, memory, bytes)
                                                : JUDO_OK;
}

static judo_status gather_start(judo_comm *comm, const char *name, const void *slice,
                                int64_t slice_bytes, void *out, int *request)
{
    int64_t sequence;
    JUDO_TRY(begin(comm, name, slice_bytes, &sequence));
    return comm->ops->all_gather_start(comm, sequence, slice, slice_bytes, out, request);
}

judo_status judo_comm_all_gather_start(judo_comm *comm, const void *slice, int64_t slice_bytes,
                                       void *out, int *request)
{
    return gather_start(comm, "all_gather", slice, slice_bytes, out, request);
}

judo_status judo_comm_test(judo_comm *comm, int request, bool *done)
{
    JUDO_TRY(check_sound(comm, "test"));
    return comm->ops->test(comm, request, done);
}

/* Books the time since `began` as stood still. */
static judo_status waited(judo_comm *comm, double began, judo_status status)
{
    double ended = judo_clock();
    judo_timeline_span(JUDO_LANE_WAIT, root_of(comm)->phase, began, ended);
    for (; comm != NULL; comm = comm->parent) {
        comm->waited_seconds += ended - began;
    }
    return status;
}

judo_status judo_comm_wait(judo_comm *comm, int request)
{
    JUDO_TRY(check_sound(comm, "wait"));
    double began = judo_clock();
    return waited(comm, began, comm->ops->wait(comm, request));
}

judo_status judo_comm_all_gather(judo_comm *comm, const void *slice, int64_t slice_bytes,
                                 void *out)
{
    int request;
    JUDO_TRY(judo_comm_all_gather_start(comm, slice, slice_bytes, out, &request));
    return judo_comm_wait(comm, request);
}

judo_status judo_comm_reduce_scatter_start(judo_comm *comm, const judo_reduction *reduction)
{
    int64_t sequence;
    int64_t bytes = reduction->slice * comm->size * judo_dtype_bytes(reduction->wire);
    JUDO_TRY(judo_comm_reduce_scatter_finish(comm));
    JUDO_TRY(begin(comm, "reduce_scatter", bytes, &sequence));
    return comm->ops->reduce_start(comm, sequence, reduction);
}

judo_status judo_comm_reduce_scatter_test(judo_comm *comm, bool *done)
{
    JUDO_TRY(check_sound(comm, "reduce_scatter"));
    return comm->ops->reduce_test(comm, done);
}

judo_status judo_comm_reduce_scatter_finish(judo_comm *comm)
{
    JUDO_TRY(check_sound(comm, "reduce_scatter"));
    double began = judo_clock();
    return waited(comm, began, comm->ops->reduce_finish(comm));
}

judo_status judo_comm_reduce_scatter(judo_comm *comm, const judo_reduction *reduction)
{
    JUDO_TRY(judo_comm_reduce_scatter_start(comm, reduction));
    return judo_comm_reduce_scatter_finish(comm);
}

/* Gathers `count` 8-byte values of every rank into comm->small, [size][count]. */
static judo_status gather_small(judo_comm *comm, const char *name, const void *values,
                                int count)
{
    int request;
    JUDO_TRY(gather_start(comm, name, values, (int64_t)count * 8, comm->small, &request));
    return judo_comm_wait(comm, request);
}

enum { SMALL_COUNT = JUDO_COMM_SMALL_BYTES / 8 };

judo_status judo_comm_sum_f64(judo_comm *comm, double *values, int count)
{
    for (int at = 0; at < count; at += SMALL_COUNT) {
        int part = count - at < SMALL_COUNT ? count - at : SMALL_COUNT;
        JUDO_TRY(gather_small(comm, "sum_f64", values + at, part));
        const double *gathered = comm->small;
        for (int i = 0; i < part; i++) {
            double sum = gathered[i];
            for (int r = 1; r < comm->size; r++) {
                sum += gathered[r * part + i];
            }
            values[at + i] = sum;
        }
    }
    return JUDO_OK;
}

static judo_status reduce_i64(judo_comm *comm, const char *name, int64_t *values, int count,
                              bool maximum)
{
    for (int at = 0; at < count; at += SMALL_COUNT) {
        int part = count - at < SMALL_COUNT ? count - at : SMALL_COUNT;
        JUDO_TRY(gather_small(comm, name, values + at, part));
        const int64_t *gathered = comm->small;
        for (int i = 0; i < part; i++) {
            int64_t result = gathered[i];
            for (int r = 1; r < comm->size; r++) {
                int64_t value = gathered[r * part + i];
                if (!maximum) {
                    result += value;
                } else if (value > result) {
                    result = value;
                }
            }
            values[at + i] = result;
        }
    }
    return JUDO_OK;
}

judo_status judo_comm_sum_i64(judo_comm *comm, int64_t *values, int count)
{
    return reduce_i64(comm, "sum_i64", values, count, false);
}

judo_status judo_comm_max_i64(judo_comm *comm, int64_t *values, int count)
{
    return reduce_i64(comm, "max_i64", values, count, true);
}

judo_status judo_comm_max_f64(judo_comm *comm, double *values, int count)
{
    for (int at = 0; at < count; at += SMALL_COUNT) {
        int part = count - at < SMALL_COUNT ? count - at : SMALL_COUNT;
        JUDO_TRY(gather_small(comm, "max_f64", values + at, part));
        const double *gathered = comm->small;
        for (int i = 0; i < part; i++) {
            double result = gathered[i];
            for (int r = 1; r < comm->size; r++) {
                double value = gathered[r * part + i];
                result = value > result || isnan(value) ? value : result;
            }
            values[at + i] = result;
        }
    }
    return JUDO_OK;
}

judo_status judo_comm_broadcast(judo_comm *comm, void *data, int64_t bytes, int root)
{
    int64_t sequence;
    JUDO_TRY(begin(comm, "broadcast", bytes, &sequence));
    double began = judo_clock();
    return finish(comm, sequence,
                  waited(comm, began, comm->ops->broadcast(comm, sequence, data, bytes, root)));
}

judo_status judo_comm_barrier(judo_comm *comm)
{
    int64_t nothing = 0;
    return gather_small(comm, "barrier", &nothing, 1);
}

/* The size of every rank's part, checked against the limit on all ranks alike. */
static judo_status gather_sizes(judo_comm *comm, int64_t bytes, int64_t *offsets)
{
    JUDO_TRY(gather_small(comm, "gather_sizes", &bytes, 1));
    const int64_t *sizes = comm->small;
    offsets[0] = 0;
    for (int r = 0; r < comm->size; r++) {
        offsets[r + 1] = offsets[r] + sizes[r];
        if (sizes[r] < 0 || sizes[r] > (int64_t)1 << 30 || offsets[r + 1] > (int64_t)1 << 30) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                             "gather of %lld bytes from rank %d: more than 1 GiB in all",
                             (long long)sizes[r], r);
        }
    }
    return JUDO_OK;
}

judo_status judo_comm_gather_bytes(judo_comm *comm, const void *data, int64_t bytes, char **out,
                                   int64_t **offsets)
{
    int64_t *ends = calloc((size_t)comm->size + 1, sizeof *ends);
    char *block = NULL;
    int64_t sequence;
    judo_status status = JUDO_OK;
    if (ends == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to gather from %d ranks", comm->size);
    }
    JUDO_TRY_GOTO(status, failed, gather_sizes(comm, bytes, ends));
    if (comm->rank == 0) {
        block = malloc((size_t)ends[comm->size] + 1);
    }
    /* Nobody may send to a rank that has no room. */
    int64_t refused = comm->rank == 0 && block == NULL;
    JUDO_TRY_GOTO(status, failed, judo_comm_max_i64(comm, &refused, 1));
    if (refused) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory on rank 0 to gather %lld bytes",
                           (long long)ends[comm->size]);
        goto failed;
    }
    JUDO_TRY_GOTO(status, failed, begin(comm, "gather_bytes", bytes, &sequence));
    JUDO_TRY_GOTO(
        status, failed,
        finish(comm, sequence, comm->ops->gather_bytes(comm, sequence, data, ends, block)));
    if (comm->rank != 0) {
        free(ends);
        ends = NULL;
    } else {
        block[ends[comm->size]] = '\0';
    }
    *out = block;
    *offsets = ends;
    return JUDO_OK;
failed:
    free(block);
    free(ends);
    return status;
}

judo_comm_times judo_comm_times_so_far(const judo_comm *comm)
{
    return (judo_comm_times){.in_flight = comm->recorder.in_flight_seconds,
                             .waited = comm->waited_seconds};
}

void judo_comm_poll(judo_comm *comm)
{
    comm->ops->poll(comm);
}

void judo_comm_abort_job(judo_comm *comm, int exit_code)
{
    comm->ops->abort_job(comm, exit_code);
}
