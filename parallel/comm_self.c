/* parallel/comm_self.c: the communicator of one rank. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/comm.h"

static judo_status self_all_gather_start(judo_comm *comm, int64_t sequence, const void *slice,
                                         int64_t slice_bytes, void *out, int *request)
{
    if (slice != out) {
        memmove(out, slice, (size_t)slice_bytes);
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
        r->shard[i] = r->add ? r->shard[i] + value : value;
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
    (void)comm;
    (void)sequence;
    if (offsets[1] > 0) {
        memcpy(out, data, (size_t)offsets[1]);
    }
    return JUDO_OK;
}

static void self_poll(judo_comm *comm)
{
    (void)comm;
}

static judo_status self_topology(judo_comm *comm, judo_topology *out)
{
    cpu_set_t mask;
    (void)comm;
    CPU_ZERO(&mask);
    int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
    *out = (judo_topology){.num_nodes = 1, .local_size = 1, .num_cpus = cpus, .threads = cpus};
    return JUDO_OK;
}

static judo_status self_split(judo_comm *comm, int color, judo_comm **out)
{
    (void)comm;
    (void)color;
    return judo_comm_self_create(out);
}

static judo_status self_set_bucket(judo_comm *comm, int64_t bytes)
{
    comm->bucket_bytes = bytes; /* nothing is sent */
    return JUDO_OK;
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

judo_status judo_comm_self_create(judo_comm **out)
{
    judo_comm *comm = calloc(1, sizeof *comm);
    void *small = malloc(JUDO_COMM_SMALL_BYTES);
    if (comm == NULL || small == NULL) {
        free(comm);
        free(small);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator");
    }
    *comm = (judo_comm){.ops = &self_ops,
                        .size = 1,
                        .deadline_seconds = JUDO_COMM_DEFAULT_DEADLINE,
                        .scratch_bytes = JUDO_COMM_SMALL_BYTES,
                        .bucket_bytes = JUDO_COMM_BUCKET_BYTES,
                        .small = small,
                        .phase = "start"};
    *out = comm;
    return JUDO_OK;
}
