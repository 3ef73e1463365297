/* parallel/comm_nccl.c: the communicator over a device's own collectives (on CUDA: NCCL). Knows
 * neither CUDA nor NCCL: the device's table starts things, this file orders and awaits them.
 *
 * A wait holds the host until the result is there, so that it can be given up: a queue that
 * waits for a dead rank could not be left. The host runs one unit ahead of the device, which
 * is enough, since gathers are started a unit ahead. */
#include "parallel/comm_nccl.h"

#include <stdlib.h>

#include "parallel/agree.h"
#include "parallel/comm_host_part.h"
#include "runtime/log.h"

static judo_comm_nccl *self_of(judo_comm *comm)
{
    return (judo_comm_nccl *)comm;
}

/* What is queued from here on waits for all that is to be computed so far. */
static judo_status begin(judo_comm_nccl *self, judo_nccl_job *job, int64_t sequence)
{
    job->used = true;
    job->seen = false;
    job->sequence = sequence;
    JUDO_TRY(judo_nccl_check(self, sequence, self->device->event_record(self->begun, NULL)));
    return judo_nccl_check(self, sequence, self->device->event_wait(self->begun, self->stream));
}

static judo_status mark_end(judo_comm_nccl *self, judo_nccl_job *job)
{
    return judo_nccl_check(self, job->sequence,
                           self->device->event_record(job->ended, self->stream));
}

/* The status of a call that queues something among the ranks, once it has settled. */
static judo_status queued(judo_comm_nccl *self, const judo_nccl_job *job, judo_status status)
{
    JUDO_TRY(judo_nccl_check(self, job->sequence, status));
    return judo_nccl_await(self, job->sequence, NULL);
}

static void see(judo_comm_nccl *self, judo_nccl_job *job)
{
    if (!job->seen) {
        judo_flight_end(&self->base.recorder, job->sequence);
        job->seen = true;
    }
}

static judo_status wait_for(judo_comm_nccl *self, judo_nccl_job *job)
{
    if (!job->seen) {
        JUDO_TRY(judo_nccl_await(self, job->sequence, job->ended));
        see(self, job);
    }
    job->used = false;
    return JUDO_OK;
}

static judo_status look_at(judo_comm_nccl *self, judo_nccl_job *job, bool *done)
{
    bool settled = false;
    JUDO_TRY(judo_nccl_check(self, job->sequence,
                             self->collectives->settled(self->group, &settled)));
    if (!job->seen) {
        JUDO_TRY(
            judo_nccl_check(self, job->sequence, self->device->event_done(job->ended, done)));
        if (!*done) {
            return JUDO_OK;
        }
        see(self, job);
    }
    *done = true;
    return JUDO_OK;
}

static judo_status test_job(judo_comm_nccl *self, judo_nccl_job *job, bool *done)
{
    bool complete = false;
    JUDO_TRY(look_at(self, job, &complete));
    job->used = !complete;
    *done = complete;
    return JUDO_OK;
}

static judo_status nccl_all_gather_start(judo_comm *comm, int64_t sequence, const void *slice,
                                         int64_t slice_bytes, void *out, int *request)
{
    judo_comm_nccl *self = self_of(comm);
    int place = 0;
    while (place < JUDO_NCCL_GATHERS && self->gathers[place].used) {
        place++;
    }
    if (place == JUDO_NCCL_GATHERS) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "more than %d gathers outstanding",
                         JUDO_NCCL_GATHERS);
    }
    judo_nccl_job *job = &self->gathers[place];
    JUDO_TRY(begin(self, job, sequence));
    if (slice_bytes > 0) {
        JUDO_TRY(queued(
            self, job,
            self->collectives->all_gather(self->group, slice, slice_bytes, out, self->stream)));
    }
    JUDO_TRY(mark_end(self, job));
    *request = place;
    return JUDO_OK;
}

static judo_status nccl_test(judo_comm *comm, int request, bool *done)
{
    judo_comm_nccl *self = self_of(comm);
    return test_job(self, &self->gathers[request], done);
}

static judo_status nccl_wait(judo_comm *comm, int request)
{
    judo_comm_nccl *self = self_of(comm);
    return wait_for(self, &self->gathers[request]);
}

/* The library's own sum, whose partial sums travel in fp32; room for it is this rank's slice.
 */
static judo_status reduce_whole(judo_comm_nccl *self, const judo_reduction *r)
{
    float *sums = r->add ? r->values + self->base.rank * r->slice : r->shard;
    JUDO_TRY(queued(self, &self->reduction,
                    self->collectives->reduce_scatter(self->group, r->values, sums, r->slice,
                                                      self->stream)));
    if (!r->add) {
        return JUDO_OK;
    }
    return judo_nccl_check(
        self, self->reduction.sequence,
        self->collectives->sum(r->shard, true, sums, JUDO_F32, r->slice, 1, self->stream));
}

/* Partial sums would be rounded to the wire's dtype at every rank that they pass. So each
 * rank's values travel to where they are summed, in fp32 and in rank order. */
static judo_status reduce_rounded(judo_comm_nccl *self, const judo_reduction *r)
{
    const judo_device_collectives *collectives = self->collectives;
    const int64_t element = judo_dtype_bytes(r->wire);
    const int size = self->base.size;
    const int64_t width = self->base.bucket_bytes / (2 * size * element);
    char *arriving = self->scratch + size * width * element;
    for (int64_t first = 0; first < r->slice; first += width) {
        int64_t count = r->slice - first < width ? r->slice - first : width;
        JUDO_TRY(judo_nccl_check(self, self->reduction.sequence,
                                 collectives->pack(self->scratch, r->wire, r->values, r->slice,
                                                   first, count, size, self->stream)));
        JUDO_TRY(queued(self, &self->reduction,
                        collectives->exchange(self->group, self->scratch, arriving,
                                              count * element, self->stream)));
        JUDO_TRY(judo_nccl_check(self, self->reduction.sequence,
                                 collectives->sum(r->shard + first, r->add, arriving, r->wire,
                                                  count, size, self->stream)));
    }
    return JUDO_OK;
}

static judo_status nccl_reduce_start(judo_comm *comm, int64_t sequence,
                                     const judo_reduction *reduction)
{
    judo_comm_nccl *self = self_of(comm);
    JUDO_TRY(begin(self, &self->reduction, sequence));
    if (reduction->slice > 0) {
        JUDO_TRY(reduction->wire == JUDO_F32 ? reduce_whole(self, reduction)
                                             : reduce_rounded(self, reduction));
    }
    return mark_end(self, &self->reduction);
}

static judo_status nccl_reduce_test(judo_comm *comm, bool *done)
{
    judo_comm_nccl *self = self_of(comm);
    if (!self->reduction.used) {
        *done = true;
        return JUDO_OK;
    }
    return test_job(self, &self->reduction, done);
}

static judo_status nccl_reduce_finish(judo_comm *comm)
{
    judo_comm_nccl *self = self_of(comm);
    return self->reduction.used ? wait_for(self, &self->reduction) : JUDO_OK;
}

/* Ranks whose libraries treat the memory differently would not exchange as one. */
static judo_status nccl_lend(judo_comm *comm, void *memory, int64_t bytes)
{
    judo_comm_nccl *self = self_of(comm);
    int64_t last = comm->recorder.last;
    judo_device_loan loan = JUDO_LOAN_NONE;
    judo_status status =
        judo_nccl_check(self, last, self->collectives->lend(self->group, memory, bytes, &loan));
    if (status == JUDO_OK) {
        status = judo_nccl_await(self, last, NULL);
    }
    JUDO_TRY(judo_agree(comm->parent, status));
    int64_t kinds[2] = {loan, -(int64_t)loan};
    JUDO_TRY(judo_comm_max_i64(comm->parent, kinds, 2));
    if (kinds[0] == -kinds[1]) {
        return JUDO_OK;
    }
    JUDO_DEBUG("%lld bytes are exchanged as they are: not every rank could register its own",
               (long long)bytes);
    if (loan != JUDO_LOAN_NONE) {
        JUDO_TRY(judo_nccl_check(self, last, self->collectives->take_back(self->group)));
        JUDO_TRY(judo_nccl_await(self, last, NULL));
    }
    return JUDO_OK;
}

/* Notes what has ended by now. Failures are left for the wait, which tells them. */
static void nccl_poll(judo_comm *comm)
{
    judo_comm_nccl *self = self_of(comm);
    for (int i = 0; i <= JUDO_NCCL_GATHERS; i++) {
        judo_nccl_job *job = i < JUDO_NCCL_GATHERS ? &self->gathers[i] : &self->reduction;
        bool done = false;
        if (job->used && !job->seen && self->device->event_done(job->ended, &done) == JUDO_OK &&
            done) {
            see(self, job);
        }
    }
}

static void nccl_destroy(judo_comm *comm)
{
    judo_comm_nccl *self = self_of(comm);
    judo_nccl_group_close(self);
    if (self->stream != NULL) {
        self->device->stream_destroy(self->stream);
    }
    self->device->event_destroy(self->begun);
    self->device->event_destroy(self->reduction.ended);
    for (int i = 0; i < JUDO_NCCL_GATHERS; i++) {
        self->device->event_destroy(self->gathers[i].ended);
    }
    free(self);
}

static const judo_comm_ops nccl_ops = {
    .name = "nccl",
    .all_gather_start = nccl_all_gather_start,
    .test = nccl_test,
    .wait = nccl_wait,
    .reduce_start = nccl_reduce_start,
    .reduce_test = nccl_reduce_test,
    .reduce_finish = nccl_reduce_finish,
    .broadcast = judo_host_part_broadcast,
    .gather_bytes = judo_host_part_gather_bytes,
    .poll = nccl_poll,
    .topology = judo_host_part_topology,
    .split = judo_host_part_split,
    .set_bucket = judo_host_part_set_bucket,
    .lend = nccl_lend,
    .abort_job = judo_host_part_abort_job,
    .destroy = nccl_destroy,
};

static judo_status create_queue(judo_comm_nccl *self)
{
    const judo_device *device = self->device;
    JUDO_TRY(device->stream_create(&self->stream));
    JUDO_TRY(device->event_create(&self->begun));
    JUDO_TRY(device->event_create(&self->reduction.ended));
    for (int i = 0; i < JUDO_NCCL_GATHERS; i++) {
        JUDO_TRY(device->event_create(&self->gathers[i].ended));
    }
    return JUDO_OK;
}

/* The scratch holds, of every rank, a few elements that leave and as many that arrive. */
static judo_status create_shell(judo_comm *comm, const judo_device *device,
                                judo_comm_nccl **out)
{
    const int64_t least = 64 * (int64_t)comm->size;
    judo_comm_nccl *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator");
    }
    self->base =
        (judo_comm){.ops = &nccl_ops,
                    .parent = comm,
                    .rank = comm->rank,
                    .size = comm->size,
                    .bucket_bytes = comm->bucket_bytes > least ? comm->bucket_bytes : least,
                    .recorder = {.outer = &comm->recorder}};
    self->device = device;
    self->collectives = device->collectives;
    *out = self;
    return create_queue(self);
}

judo_status judo_comm_nccl_create(judo_comm *comm, const judo_device *device, judo_comm **out)
{
    judo_comm_nccl *self = NULL;
    judo_status status = judo_agree(comm, create_shell(comm, device, &self));
    if (status == JUDO_OK) {
        status = judo_nccl_group_open(self);
    }
    if (status != JUDO_OK) {
        if (self != NULL) {
            nccl_destroy(&self->base);
        }
        return status;
    }
    *out = &self->base;
    return JUDO_OK;
}
