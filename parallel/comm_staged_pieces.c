/* parallel/comm_staged_pieces.c: pieces of collectives on their way from the device's memory
 * through other ranks' hands and back.
 *
 * Pieces are exchanged in the order of the jobs and of their places in them, whatever is ready
 * first: so the exchanges are the same collectives on every rank. */
#include "parallel/comm_staged.h"

static judo_staged_piece *piece_of(judo_comm_staged *self, int64_t number)
{
    return &self->pieces[number % JUDO_STAGED_PIECES];
}

/* The oldest job that has something left to take; NULL: none. */
static judo_staged_job *next_job(judo_comm_staged *self)
{
    judo_staged_job *next = NULL;
    for (int i = 0; i < JUDO_STAGED_JOBS; i++) {
        judo_staged_job *job = &self->jobs[i];
        if (job->used && job->num_taken < job->num_pieces &&
            (next == NULL || job->turn < next->turn)) {
            next = job;
        }
    }
    return next;
}

/* This rank's slice of a piece of a gather, which lies where it belongs in the gathered one. */
static char *own_slice(const judo_comm_staged *self, const judo_staged_piece *piece)
{
    return piece->memory + self->base.rank * piece->count;
}

/* Behind the values of a piece of a reduction. */
static float *shard_of(const judo_comm_staged *self, const judo_staged_piece *piece)
{
    return (float *)piece->memory + self->base.size * piece->count;
}

static judo_status copy_down(judo_comm_staged *self, const judo_staged_piece *piece)
{
    const judo_staged_job *job = piece->job;
    const judo_reduction *r = &job->reduction;
    const int64_t bytes = piece->count * (int64_t)sizeof(float);
    if (!job->is_reduction) {
        return self->device->copy(own_slice(self, piece), job->from + piece->at, piece->count,
                                  self->down);
    }
    for (int rank = 0; rank < self->base.size; rank++) {
        JUDO_TRY(self->device->copy((float *)piece->memory + rank * piece->count,
                                    r->values + rank * r->slice + piece->at, bytes,
                                    self->down));
    }
    return r->add ? self->device->copy(shard_of(self, piece), r->shard + piece->at, bytes,
                                       self->down)
                  : JUDO_OK;
}

static judo_status take(judo_comm_staged *self, bool *moved)
{
    judo_staged_job *job = next_job(self);
    if (job == NULL || self->num_taken == self->num_returned + JUDO_STAGED_PIECES) {
        return JUDO_OK;
    }
    judo_staged_piece *piece = piece_of(self, self->num_taken);
    piece->job = job;
    piece->at = job->num_taken * job->width;
    piece->count = job->length - piece->at < job->width ? job->length - piece->at : job->width;
    if (job->num_taken == 0) {
        JUDO_TRY(self->device->event_wait(job->begun, self->down));
    }
    JUDO_TRY(self->device->event_wait(piece->back, self->down));
    JUDO_TRY(copy_down(self, piece));
    JUDO_TRY(self->device->event_record(piece->left, self->down));
    job->num_taken++;
    self->num_taken++;
    *moved = true;
    return JUDO_OK;
}

/* Whether the exchange of a piece is complete. */
static judo_status exchanged(judo_comm_staged *self, const judo_staged_piece *piece, bool *done)
{
    return piece->job->is_reduction ? judo_comm_reduce_scatter_test(self->wire, done)
                                    : judo_comm_test(self->wire, piece->request, done);
}

static judo_status exchange(judo_comm_staged *self, judo_staged_piece *piece)
{
    if (!piece->job->is_reduction) {
        return judo_comm_all_gather_start(self->wire, own_slice(self, piece), piece->count,
                                          piece->memory, &piece->request);
    }
    const judo_reduction reduction = {.shard = shard_of(self, piece),
                                      .values = (float *)piece->memory,
                                      .slice = piece->count,
                                      .wire = piece->job->reduction.wire,
                                      .add = piece->job->reduction.add};
    return judo_comm_reduce_scatter_start(self->wire, &reduction);
}

static judo_status send(judo_comm_staged *self, bool *moved)
{
    bool ready = true;
    if (self->num_sent == self->num_taken) {
        return JUDO_OK;
    }
    judo_staged_piece *piece = piece_of(self, self->num_sent);
    JUDO_TRY(self->device->event_done(piece->left, &ready));
    if (ready && piece->job->is_reduction) { /* one at a time */
        JUDO_TRY(judo_comm_reduce_scatter_test(self->wire, &ready));
    }
    if (ready) {
        JUDO_TRY(exchange(self, piece));
        self->num_sent++;
        *moved = true;
    }
    return JUDO_OK;
}

/* The device's memory is the collective's to write: the compute queue came past its start
 * before the piece left. */
static judo_status copy_up(judo_comm_staged *self, const judo_staged_piece *piece)
{
    const judo_staged_job *job = piece->job;
    if (job->is_reduction) {
        return self->device->copy(job->reduction.shard + piece->at, shard_of(self, piece),
                                  piece->count * (int64_t)sizeof(float), self->up);
    }
    for (int rank = 0; rank < self->base.size; rank++) {
        char *to = job->to + rank * job->length;
        if (rank != self->base.rank || to != job->from) {
            JUDO_TRY(self->device->copy(to + piece->at, piece->memory + rank * piece->count,
                                        piece->count, self->up));
        }
    }
    return JUDO_OK;
}

static judo_status bring_back(judo_comm_staged *self, bool *moved)
{
    bool done = false;
    if (self->num_returned == self->num_sent) {
        return JUDO_OK;
    }
    judo_staged_piece *piece = piece_of(self, self->num_returned);
    judo_staged_job *job = piece->job;
    JUDO_TRY(exchanged(self, piece, &done));
    if (!done) {
        return JUDO_OK;
    }
    JUDO_TRY(copy_up(self, piece));
    JUDO_TRY(self->device->event_record(piece->back, self->up));
    self->num_returned++;
    job->num_returned++;
    *moved = true;
    if (job->num_returned == job->num_pieces) {
        JUDO_TRY(self->device->event_record(job->ended, self->up));
        job->complete = true;
        judo_flight_end(&self->base.recorder, job->sequence);
    }
    return JUDO_OK;
}

judo_status judo_staged_advance(judo_comm_staged *self)
{
    bool moved;
    do {
        moved = false;
        JUDO_TRY(bring_back(self, &moved));
        JUDO_TRY(send(self, &moved));
        JUDO_TRY(take(self, &moved));
    } while (moved);
    return JUDO_OK;
}
