/* parallel/comm_mpi.c: the communicator over MPI. */
#include "parallel/comm_mpi.h"

#include <stdlib.h>
#include <string.h>

#include "parallel/patience.h"

judo_status judo_mpi_check(judo_comm_mpi *self, int code, const char *what)
{
    if (code == MPI_SUCCESS) {
        return JUDO_OK;
    }
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int length = 0;
    (void)MPI_Error_string(code, text, &length);
    judo_comm_break(&self->base);
    return JUDO_FAIL(JUDO_ERROR_COMM, "rank %d of %d: %s failed in phase '%s': %s",
                     self->base.rank, self->base.size, what, self->base.phase, text);
}

judo_status judo_mpi_wait_parts(judo_comm_mpi *self, int64_t sequence, MPI_Request *parts,
                                int num_parts)
{
    judo_patience patience = judo_patience_begin();
    for (;;) {
        int done = 0;
        JUDO_TRY(judo_mpi_check(self, MPI_Testall(num_parts, parts, &done, MPI_STATUSES_IGNORE),
                                "MPI_Testall"));
        if (done) {
            return JUDO_OK;
        }
        JUDO_TRY(judo_patience_pause(&patience, &self->base, sequence));
    }
}

static judo_status reserve(judo_mpi_request *request, int64_t num_parts)
{
    if (num_parts > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "a collective of %lld messages",
                         (long long)num_parts);
    }
    if (num_parts > request->capacity) {
        MPI_Request *grown = realloc(request->parts, (size_t)num_parts * sizeof(MPI_Request));
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld messages",
                             (long long)num_parts);
        }
        request->parts = grown;
        request->capacity = (int)num_parts;
    }
    return JUDO_OK;
}

/* Tags hold 7 bits of the number and 8 of what the collective is; MPI promises 15. Ranks that
 * have diverged wait for each other in vain, which is noticed, instead of taking one
 * collective's bytes for another's. */
static int tag_of(const judo_comm_mpi *self, int64_t sequence)
{
    const judo_flight *flight = judo_flight_get(&self->base.recorder, sequence);
    uint32_t label = flight != NULL ? flight->label : 0;
    return (int)(sequence & 0x7f) << 8 | (int)((label ^ label >> 8 ^ label >> 16) & 0xff);
}

judo_status judo_mpi_post_receive(judo_comm_mpi *self, judo_mpi_request *request, void *data,
                                  int64_t bytes, int from)
{
    return judo_mpi_check(self,
                          MPI_Irecv(data, (int)bytes, MPI_BYTE, from,
                                    tag_of(self, request->sequence), self->mpi,
                                    &request->parts[request->num_parts++]),
                          "MPI_Irecv");
}

judo_status judo_mpi_post_send(judo_comm_mpi *self, judo_mpi_request *request, const void *data,
                               int64_t bytes, int to)
{
    return judo_mpi_check(self,
                          MPI_Isend(data, (int)bytes, MPI_BYTE, to,
                                    tag_of(self, request->sequence), self->mpi,
                                    &request->parts[request->num_parts++]),
                          "MPI_Isend");
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Exchanges one slice with each peer, in buckets; peers are visited in a rotated order so that
 * not all talk to the same one first. */
static judo_status post_all_gather(judo_comm_mpi *self, judo_mpi_request *request,
                                   const char *slice, int64_t slice_bytes, char *out)
{
    int size = self->base.size;
    int rank = self->base.rank;
    for (int64_t at = 0; at < slice_bytes; at += self->base.bucket_bytes) {
        int64_t bytes = smaller(self->base.bucket_bytes, slice_bytes - at);
        for (int i = 1; i < size; i++) {
            int from = (rank - i + size) % size;
            int to = (rank + i) % size;
            JUDO_TRY(judo_mpi_post_receive(self, request, out + from * slice_bytes + at, bytes,
                                           from));
            JUDO_TRY(judo_mpi_post_send(self, request, slice + at, bytes, to));
        }
    }
    return JUDO_OK;
}

static judo_status mpi_all_gather_start(judo_comm *comm, int64_t sequence, const void *slice,
                                        int64_t slice_bytes, void *out, int *request)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    int free_slot = 0;
    while (free_slot < JUDO_MPI_MAX_REQUESTS && self->requests[free_slot].used) {
        free_slot++;
    }
    if (free_slot == JUDO_MPI_MAX_REQUESTS) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "more than %d gathers outstanding",
                         JUDO_MPI_MAX_REQUESTS);
    }
    judo_mpi_request *slot = &self->requests[free_slot];
    int64_t buckets = (slice_bytes + self->base.bucket_bytes - 1) / self->base.bucket_bytes;
    JUDO_TRY(reserve(slot, 2 * buckets * (comm->size - 1)));
    slot->used = true;
    slot->sequence = sequence;
    slot->num_parts = 0;
    char *own = (char *)out + comm->rank * slice_bytes;
    if (own != slice && slice_bytes > 0) {
        memcpy(own, slice, (size_t)slice_bytes);
    }
    JUDO_TRY(post_all_gather(self, slot, slice, slice_bytes, out));
    *request = free_slot;
    return JUDO_OK;
}

static void close_request(judo_comm_mpi *self, judo_mpi_request *slot)
{
    judo_flight_end(&self->base.recorder, slot->sequence);
    slot->used = false;
}

static judo_status mpi_test(judo_comm *comm, int request, bool *done)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    judo_mpi_request *slot = &self->requests[request];
    int flag = 0;
    JUDO_TRY(judo_mpi_check(
        self, MPI_Testall(slot->num_parts, slot->parts, &flag, MPI_STATUSES_IGNORE),
        "MPI_Testall"));
    if (flag) {
        close_request(self, slot);
    }
    *done = flag;
    return JUDO_OK;
}

static judo_status mpi_wait(judo_comm *comm, int request)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    judo_mpi_request *slot = &self->requests[request];
    JUDO_TRY(judo_mpi_reduce_advance(self)); /* the other ranks wait for it later */
    JUDO_TRY(judo_mpi_wait_parts(self, slot->sequence, slot->parts, slot->num_parts));
    close_request(self, slot);
    return JUDO_OK;
}

static judo_status mpi_broadcast(judo_comm *comm, int64_t sequence, void *data, int64_t bytes,
                                 int root)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    for (int64_t at = 0; at < bytes; at += self->base.bucket_bytes) {
        MPI_Request request;
        int count = (int)smaller(self->base.bucket_bytes, bytes - at);
        JUDO_TRY(judo_mpi_check(
            self, MPI_Ibcast((char *)data + at, count, MPI_BYTE, root, self->mpi, &request),
            "MPI_Ibcast"));
        JUDO_TRY(judo_mpi_wait_parts(self, sequence, &request, 1));
    }
    return JUDO_OK;
}

static judo_status mpi_gather_bytes(judo_comm *comm, int64_t sequence, const void *data,
                                    const int64_t *offsets, char *out)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    judo_mpi_request *request = &self->halves[0];
    JUDO_TRY(judo_mpi_reduce_finish(comm)); /* its messages are kept there */
    request->sequence = sequence;
    request->num_parts = 0;
    int64_t bytes = offsets[comm->rank + 1] - offsets[comm->rank];
    if (comm->rank != 0) {
        JUDO_TRY(judo_mpi_post_send(self, request, data, bytes, 0));
        return judo_mpi_wait_parts(self, sequence, request->parts, request->num_parts);
    }
    if (bytes > 0) {
        memcpy(out, data, (size_t)bytes);
    }
    for (int r = 1; r < comm->size; r++) {
        JUDO_TRY(judo_mpi_post_receive(self, request, out + offsets[r],
                                       offsets[r + 1] - offsets[r], r));
    }
    return judo_mpi_wait_parts(self, sequence, request->parts, request->num_parts);
}

static void mpi_poll(judo_comm *comm)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    for (int i = 0; i < JUDO_MPI_MAX_REQUESTS; i++) {
        judo_mpi_request *slot = &self->requests[i];
        int flag;
        if (slot->used && !judo_comm_is_broken(comm) &&
            MPI_Testall(slot->num_parts, slot->parts, &flag, MPI_STATUSES_IGNORE) !=
                MPI_SUCCESS) {
            judo_comm_break(comm); /* the wait for the request reports it */
        }
    }
    if (!judo_comm_is_broken(comm) && judo_mpi_reduce_advance(self) != JUDO_OK) {
        judo_comm_break(comm);
    }
}

static void mpi_abort_job(judo_comm *comm, int exit_code)
{
    (void)comm;
    (void)MPI_Abort(MPI_COMM_WORLD, exit_code);
}

static void mpi_destroy(judo_comm *comm)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    if (judo_comm_is_broken(comm)) {
        return; /* messages may still arrive in these buffers */
    }
    if (self->mpi != MPI_COMM_NULL) {
        (void)MPI_Comm_free(&self->mpi);
    }
    for (int i = 0; i < JUDO_MPI_MAX_REQUESTS; i++) {
        free(self->requests[i].parts);
    }
    free(self->halves[0].parts);
    free(self->halves[1].parts);
    free(self->scratch);
    free(comm->small);
    free(self);
}

static judo_status mpi_set_bucket(judo_comm *comm, int64_t bytes)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    int64_t held = 0;
    JUDO_TRY(judo_comm_fit_bucket(comm->size, bytes, &bytes, &held));
    char *scratch = realloc(self->scratch, (size_t)bytes);
    if (scratch == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld bytes of messages",
                         (long long)bytes);
    }
    self->scratch = scratch;
    self->base.bucket_bytes = bytes;
    comm->scratch_bytes = held;
    return JUDO_OK;
}

static judo_status mpi_split(judo_comm *comm, int color, judo_comm **out)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    MPI_Comm part;
    JUDO_TRY(judo_mpi_check(self, MPI_Comm_split(self->mpi, color, comm->rank, &part),
                            "MPI_Comm_split"));
    int size = 0;
    (void)MPI_Comm_size(part, &size);
    judo_status status = size == 1 ? judo_comm_self_create(out)
                                   : judo_comm_mpi_create(part, comm->bucket_bytes, out);
    (void)MPI_Comm_free(&part);
    return status;
}

static const judo_comm_ops mpi_ops = {
    .name = "mpi",
    .all_gather_start = mpi_all_gather_start,
    .test = mpi_test,
    .wait = mpi_wait,
    .reduce_start = judo_mpi_reduce_start,
    .reduce_test = judo_mpi_reduce_test,
    .reduce_finish = judo_mpi_reduce_finish,
    .broadcast = mpi_broadcast,
    .gather_bytes = mpi_gather_bytes,
    .poll = mpi_poll,
    .topology = judo_topology_mpi,
    .split = mpi_split,
    .set_bucket = mpi_set_bucket,
    .abort_job = mpi_abort_job,
    .destroy = mpi_destroy,
};

static judo_status allocate(judo_comm_mpi *self, int64_t bucket_bytes)
{
    judo_comm *comm = &self->base;
    comm->small = malloc((size_t)comm->size * JUDO_COMM_SMALL_BYTES);
    if (comm->small == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator of %d ranks",
                         comm->size);
    }
    JUDO_TRY(mpi_set_bucket(comm, bucket_bytes));
    JUDO_TRY(reserve(&self->halves[0], 2 * ((int64_t)comm->size - 1)));
    return reserve(&self->halves[1], 2 * ((int64_t)comm->size - 1));
}

judo_status judo_comm_mpi_create(MPI_Comm parent, int64_t bucket_bytes, judo_comm **out)
{
    judo_comm_mpi *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a communicator");
    }
    judo_comm *comm = &self->base;
    comm->ops = &mpi_ops;
    comm->deadline_seconds = JUDO_COMM_DEFAULT_DEADLINE;
    judo_comm_set_phase(comm, "start");
    self->mpi = MPI_COMM_NULL;
    judo_status status = JUDO_OK;
    JUDO_TRY_GOTO(status, failed,
                  judo_mpi_check(self, MPI_Comm_dup(parent, &self->mpi), "MPI_Comm_dup"));
    (void)MPI_Comm_set_errhandler(self->mpi, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(self->mpi, &comm->rank);
    (void)MPI_Comm_size(self->mpi, &comm->size);
    JUDO_TRY_GOTO(status, failed,
                  allocate(self, bucket_bytes > 0 ? bucket_bytes : JUDO_COMM_BUCKET_BYTES));
    *out = comm;
    return JUDO_OK;
failed:
    comm->broken = false; /* nothing is in flight yet */
    mpi_destroy(comm);
    return status;
}
