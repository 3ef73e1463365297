/* parallel/comm_staged.c: the communicator of a device's memory by way of the host's. */
#include "parallel/comm_staged.h"

#include <stdlib.h>

#include "parallel/agree.h"
#include "parallel/comm_host_part.h"
#include "parallel/patience.h"

static judo_comm_staged *self_of(judo_comm *comm)
{
    return (judo_comm_staged *)comm;
}

static judo_status find_job(judo_comm_staged *self, int64_t sequence, judo_staged_job **out)
{
    for (int i = 0; i < JUDO_STAGED_JOBS; i++) {
        judo_staged_job *job = &self->jobs[i];
        if (!job->used) {
            *job = (judo_staged_job){.used = true,
                                     .turn = self->num_turns++,
                                     .sequence = sequence,
                                     .begun = job->begun,
                                     .ended = job->ended};
            *out = job;
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_INTERNAL, "more than %d collectives outstanding",
                     JUDO_STAGED_JOBS);
}

/* Into pieces of `width`, behind all that is queued to be computed. */
static judo_status begin(judo_comm_staged *self, judo_staged_job *job, int64_t length,
                         int64_t width)
{
    job->length = length;
    job->width = width;
    job->num_pieces = (length + width - 1) / width;
    job->complete = job->num_pieces == 0;
    if (job->complete) {
        judo_flight_end(&self->base.recorder, job->sequence);
        return self->device->event_record(job->ended, NULL);
    }
    JUDO_TRY(self->device->event_record(job->begun, NULL));
    return judo_staged_advance(self);
}

static judo_status staged_all_gather_start(judo_comm *comm, int64_t sequence, const void *slice,
                                           int64_t slice_bytes, void *out, int *request)
{
    enum { ALIGNMENT = 64 };

    judo_comm_staged *self = self_of(comm);
    judo_staged_job *job = NULL;
    int64_t width = self->piece_bytes / comm->size / ALIGNMENT * ALIGNMENT;
    JUDO_TRY(find_job(self, sequence, &job));
    job->from = slice;
    job->to = out;
    *request = (int)(job - self->jobs);
    return begin(self, job, slice_bytes, width);
}

/* The compute queue goes on behind the result. */
static judo_status end(judo_comm_staged *self, judo_staged_job *job)
{
    job->used = false;
    return self->device->event_wait(job->ended, NULL);
}

static judo_status wait_for(judo_comm_staged *self, judo_staged_job *job)
{
    judo_patience patience = judo_patience_begin();
    for (;;) {
        JUDO_TRY(judo_staged_advance(self));
        if (job->complete) {
            return end(self, job);
        }
        JUDO_TRY(judo_patience_pause(&patience, &self->base, job->sequence));
    }
}

static judo_status staged_test(judo_comm *comm, int request, bool *done)
{
    judo_comm_staged *self = self_of(comm);
    judo_staged_job *job = &self->jobs[request];
    JUDO_TRY(judo_staged_advance(self));
    bool complete = job->complete;
    if (complete) {
        JUDO_TRY(end(self, job));
    }
    *done = complete;
    return JUDO_OK;
}

static judo_status staged_wait(judo_comm *comm, int request)
{
    judo_comm_staged *self = self_of(comm);
    return wait_for(self, &self->jobs[request]);
}

static judo_status staged_reduce_start(judo_comm *comm, int64_t sequence,
                                       const judo_reduction *reduction)
{
    judo_comm_staged *self = self_of(comm);
    judo_staged_job *job = NULL;
    int64_t width = self->piece_bytes / (int64_t)sizeof(float) / (comm->size + 1);
    JUDO_TRY(find_job(self, sequence, &job));
    job->is_reduction = true;
    job->reduction = *reduction;
    self->reduction = job;
    return begin(self, job, reduction->slice, width);
}

static judo_status staged_reduce_test(judo_comm *comm, bool *done)
{
    judo_comm_staged *self = self_of(comm);
    bool complete = true;
    if (self->reduction != NULL) {
        JUDO_TRY(judo_staged_advance(self));
        complete = self->reduction->complete;
        if (complete) {
            JUDO_TRY(end(self, self->reduction));
            self->reduction = NULL;
        }
    }
    *done = complete;
    return JUDO_OK;
}

static judo_status staged_reduce_finish(judo_comm *comm)
{
    judo_comm_staged *self = self_of(comm);
    if (self->reduction != NULL) {
        JUDO_TRY(wait_for(self, self->reduction));
        self->reduction = NULL;
    }
    return JUDO_OK;
}

static void staged_poll(judo_comm *comm)
{
    if (!judo_comm_is_broken(comm) && judo_staged_advance(self_of(comm)) != JUDO_OK) {
        judo_comm_break(comm); /* the wait for the request reports it */
    }
}

static void destroy_stream(const judo_device *device, judo_stream *stream)
{
    if (stream != NULL) { /* which would be the compute queue */
        device->stream_destroy(stream);
    }
}

static void release_queues(judo_comm_staged *self)
{
    destroy_stream(self->device, self->down);
    destroy_stream(self->device, self->up);
    for (int i = 0; i < JUDO_STAGED_JOBS; i++) {
        self->device->event_destroy(self->jobs[i].begun);
        self->device->event_destroy(self->jobs[i].ended);
    }
    for (int i = 0; i < JUDO_STAGED_PIECES; i++) {
        self->device->event_destroy(self->pieces[i].left);
        self->device->event_destroy(self->pieces[i].back);
    }
}

/* Nothing is under way. */
static void release(judo_comm_staged *self)
{
    judo_comm_destroy(&self->wire);
    release_queues(self);
    self->device->release_staging(self->pieces[0].memory);
    free(self->base.small);
    free(self);
}

static void staged_destroy(judo_comm *comm)
{
    judo_comm_staged *self = self_of(comm);
    if (judo_comm_is_broken(comm) || self->device->stream_finish(self->down) != JUDO_OK ||
        self->device->stream_finish(self->up) != JUDO_OK) {
        return; /* what is under way may still use all of this */
    }
    release(self);
}

static const judo_comm_ops staged_ops = {
    .name = "staged",
    .all_gather_start = staged_all_gather_start,
    .test = staged_test,
    .wait = staged_wait,
    .reduce_start = staged_reduce_start,
    .reduce_test = staged_reduce_test,
    .reduce_finish = staged_reduce_finish,
    .broadcast = judo_host_part_broadcast,
    .gather_bytes = judo_host_part_gather_bytes,
    .poll = staged_poll,
    .topology = judo_host_part_topology,
    .split = judo_host_part_split,
    .set_bucket = judo_host_part_set_bucket,
    .abort_job = judo_host_part_abort_job,
    .destroy = staged_destroy,
};

static judo_status create_queues(judo_comm_staged *self)
{
    const judo_device *device = self->device;
    JUDO_TRY(device->stream_create(&self->down));
    JUDO_TRY(device->stream_create(&self->up));
    for (int i = 0; i < JUDO_STAGED_JOBS; i++) {
        JUDO_TRY(device->event_create(&self->jobs[i].begun));
        JUDO_TRY(device->event_create(&self->jobs[i].ended));
    }
    for (int i = 0; i < JUDO_STAGED_PIECES; i++) {
        JUDO_TRY(device->event_create(&self->pieces[i].left));
        JUDO_TRY(device->event_create(&self->pieces[i].back));
    }
    return JUDO_OK;
}

/* Every piece holds a bucket, and at least a few elements of every rank. */
static judo_status create_pieces(judo_comm_staged *self)
{
    const int64_t alignment = 64;
    int64_t least = alignment * (self->base.size + 1);
    int64_t bytes = self->base.bucket_bytes > least ? self->base.bucket_bytes : least;
    void *memory = NULL;
    self->piece_bytes = (bytes + alignment - 1) / alignment * alignment;
    JUDO_TRY(self->device->allocate_staging(&memory, JUDO_STAGED_PIECES * self->piece_bytes));
    for (int i = 0; i < JUDO_STAGED_PIECES; i++) {
        self->pieces[i].memory = (char *)memory + i * self->piece_bytes;
    }
    int64_t small = (int64_t)self->base.size * JUDO_COMM_SMALL_BYTES;
    self->base.small = malloc((size_t)small);
    if (self->base.small == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator of %d ranks",
                         self->base.size);
    }
    self->base.scratch_bytes =
        JUDO_STAGED_PIECES * self->piece_bytes + small + self->wire->scratch_bytes;
    return JUDO_OK;
}

static judo_status create_shell(judo_comm *comm, const judo_device *device,
                                judo_comm_staged **out)
{
    judo_comm_staged *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator");
    }
    self->base = (judo_comm){.ops = &staged_ops,
                             .parent = comm,
                             .rank = comm->rank,
                             .size = comm->size,
                             .bucket_bytes = comm->bucket_bytes,
                             .recorder = {.outer = &comm->recorder}};
    self->device = device;
    *out = self;
    return JUDO_OK;
}

/* What breaks the wire breaks all; its exchanges are parts of what is recorded already. */
static judo_status open_wire(judo_comm_staged *self)
{
    JUDO_TRY(judo_comm_split(self->base.parent, 0, &self->wire));
    self->wire->parent = &self->base;
    self->wire->recorder.outer = NULL;
    return JUDO_OK;
}

judo_status judo_comm_staged_create(judo_comm *comm, const judo_device *device, judo_comm **out)
{
    judo_comm_staged *self = NULL;
    judo_status status = judo_agree(comm, create_shell(comm, device, &self));
    if (self == NULL) {
        return status;
    }
    if (status == JUDO_OK) {
        status = open_wire(self);
    }
    if (status == JUDO_OK) {
        status = create_queues(self);
        if (status == JUDO_OK) {
            status = create_pieces(self);
        }
        status = judo_agree(comm, status);
    }
    if (status != JUDO_OK) {
        release(self);
        return status;
    }
    *out = &self->base;
    return JUDO_OK;
}
