/* parallel/comm_self.c: the communicator of one rank, and of ranks that all do what this one
 * does: where each brings what the caller brings, the outcome is known without them. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/comm.h"

typedef struct judo_comm_self {
    judo_comm base;
    int local_size; /* ranks of a machine */
} judo_comm_self;

static judo_status self_all_gather_start(judo_comm *comm, int64_t sequence, const void *slice,
                                         int64_t slice_bytes, void *out, int *request)
{
    for (int r = 0; r < comm->size; r++) {
        char *place = (char *)out + r * slice_bytes;
        if (slice != place) {
            memmove(place, slice, (size_t)slice_bytes);
        }
    }
    judo_flight_end(&comm->recorder, sequence);
    *request = 0;
    return JUDO_OK;
}

static judo_status self_test(judo_comm *comm, int request, bool *done)
{
    (void)comm;
    (void)request;
    *done = true;
    return JUDO_OK;
}

static judo_status self_wait(judo_comm *comm, int request)
{
    (void)comm;
    (void)request;
    return JUDO_OK;
}

static judo_status self_reduce_start(judo_comm *comm, int64_t sequence, const judo_reduction *r)
{
    for (int64_t i = 0; i < r->slice; i++) {
        float value = r->wire == JUDO_BF16 ? judo_bf16_to_f32(judo_f32_to_bf16(r->values[i]))
                                           : r->values[i];
        float sum = value;
        for (int other = 1; other < comm->size; other++) {
            sum += value;
        }
        r->shard[i] = r->add ? r->shard[i] + sum : sum;
    }
    judo_flight_end(&comm->recorder, sequence);
    return JUDO_OK;
}

static judo_status self_reduce_test(judo_comm *comm, bool *done)
{
    (void)comm;
    *done = true;
    return JUDO_OK;
}

static judo_status self_reduce_finish(judo_comm *comm)
{
    (void)comm;
    return JUDO_OK;
}

static judo_status self_broadcast(judo_comm *comm, int64_t sequence, void *data, int64_t bytes,
                                  int root)
{
    (void)comm;
    (void)sequence;
    (void)data;
    (void)bytes;
    (void)root;
    return JUDO_OK;
}

static judo_status self_gather_bytes(judo_comm *comm, int64_t sequence, const void *data,
                                     const int64_t *offsets, char *out)
{
    (void)sequence;
    for (int r = 0; r < comm->size && offsets[1] > 0; r++) {
        memcpy(out + offsets[r], data, (size_t)offsets[1]);
    }
    return JUDO_OK;
}

static void self_poll(judo_comm *comm)
{
    (void)comm;
}

static judo_status self_topology(judo_comm *comm, judo_topology *out)
{
    const int local_size = ((const judo_comm_self *)comm)->local_size;
    cpu_set_t mask;
    CPU_ZERO(&mask);
    int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
    *out = (judo_topology){.num_nodes = comm->size / local_size,
                           .local_size = local_size,
                           .num_cpus = cpus,
                           .threads = cpus >= local_size ? cpus / local_size : 1};
    return JUDO_OK;
}

static judo_status self_split(judo_comm *comm, int color, judo_comm **out)
{
    (void)color; /* everyone's */
    return judo_comm_alike_create(comm->size, ((const judo_comm_self *)comm)->local_size, out);
}

static judo_status self_set_bucket(judo_comm *comm, int64_t bytes)
{
    if (comm->size == 1) {
        comm->bucket_bytes = bytes; /* nothing is sent */
        return JUDO_OK;
    }
    return judo_comm_fit_bucket(comm->size, bytes, &comm->bucket_bytes, &comm->scratch_bytes);
}

static void self_abort_job(judo_comm *comm, int exit_code)
{
    (void)comm;
    _exit(exit_code);
}

static void self_destroy(judo_comm *comm)
{
    free(comm->small);
    free(comm);
}

static const judo_comm_ops self_ops = {
    .name = "self",
    .all_gather_start = self_all_gather_start,
    .test = self_test,
    .wait = self_wait,
    .reduce_start = self_reduce_start,
    .reduce_test = self_reduce_test,
    .reduce_finish = self_reduce_finish,
    .broadcast = self_broadcast,
    .gather_bytes = self_gather_bytes,
    .poll = self_poll,
    .topology = self_topology,
    .split = self_split,
    .set_bucket = self_set_bucket,
    .abort_job = self_abort_job,
    .destroy = self_destroy,
};

judo_status judo_comm_alike_create(int size, int local_size, judo_comm **out)
{
    if (size < 1 || local_size < 1 || size % local_size != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%d ranks do not fill machines of %d", size,
                         local_size);
    }
    judo_comm_self *self = calloc(1, sizeof *self);
    void *small = malloc((size_t)size * JUDO_COMM_SMALL_BYTES);
    if (self == NULL || small == NULL) {
        free(self);
        free(small);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator");
    }
    *self = (judo_comm_self){.base = {.ops = &self_ops,
                                      .size = size,
                                      .deadline_seconds = JUDO_COMM_DEFAULT_DEADLINE,
                                      .scratch_bytes = (int64_t)size * JUDO_COMM_SMALL_BYTES,
                                      .bucket_bytes = JUDO_COMM_BUCKET_BYTES,
                                      .small = small,
                                      .phase = "start"},
                             .local_size = local_size};
    *out = &self->base;
    return JUDO_OK;
}

judo_status judo_comm_self_create(judo_comm **out)
{
    return judo_comm_alike_create(1, 1, out);
}
