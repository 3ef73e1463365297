/* parallel/roll_call_mpi.c: point-to-point messages among the ranks that are still there. */
#include "parallel/roll_call_mpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parallel/comm_mpi.h"
#include "runtime/log.h"

enum { TAG = 0x7fff };

typedef struct answer {
    bool is_there;
    judo_flight_notice stuck; /* the collective that expired; number 0: none did */
} answer;

typedef struct call {
    answer own;
    answer *answers;       /* [size] */
    MPI_Request *requests; /* [2 * size]: receives, then sends */
} call;

static bool post(const judo_comm_mpi *control, call *self)
{
    int size = control->base.size;
    bool ok = true;
    for (int r = 0; r < size; r++) {
        self->requests[r] = MPI_REQUEST_NULL;
        self->requests[size + r] = MPI_REQUEST_NULL;
        if (r != control->base.rank) {
            ok = ok && MPI_Irecv(&self->answers[r], (int)sizeof(answer), MPI_BYTE, r, TAG,
                                 control->mpi, &self->requests[r]) == MPI_SUCCESS;
            ok = ok && MPI_Isend(&self->own, (int)sizeof(answer), MPI_BYTE, r, TAG,
                                 control->mpi, &self->requests[size + r]) == MPI_SUCCESS;
        }
    }
    self->answers[control->base.rank] = self->own;
    return ok;
}

static void listen(const call *self, int size, double seconds)
{
    static const struct timespec nap = {.tv_nsec = 1000000};
    double began = judo_clock();
    int done = 0;
    while (!done && judo_clock() - began < seconds &&
           MPI_Testall(size, self->requests, &done, MPI_STATUSES_IGNORE) == MPI_SUCCESS) {
        (void)nanosleep(&nap, NULL);
    }
}

typedef bool (*answer_test)(const answer *a, const answer *best);

static bool is_silent(const answer *a, const answer *best)
{
    (void)best;
    return !a->is_there;
}

static bool is_behind(const answer *a, const answer *best)
{
    return a->stuck.sequence < best->stuck.sequence;
}

static bool is_elsewhere(const answer *a, const answer *best)
{
    return a->stuck.label != best->stuck.label;
}

/* " 1, 2": the ranks of which `test` is true, at most so many as fit; `first` is one of them.
 */
static int list_ranks(const call *self, int size, const answer *best, answer_test test,
                      char out[512], const answer **first)
{
    int found = 0;
    size_t used = 0;
    out[0] = '\0';
    for (int r = size - 1; r >= 0; r--) {
        *first = test(&self->answers[r], best) ? &self->answers[r] : *first;
    }
    for (int r = 0; r < size; r++) {
        if (test(&self->answers[r], best)) {
            int length = used + 16 < 512 ? snprintf(out + used, 512 - used, "%s %d",
                                                    found > 0 ? "," : "", r)
                                         : 0;
            used += (size_t)length;
            found++;
        }
    }
    return found;
}

static void describe(const call *self, int size, char *out, size_t bytes)
{
    char ranks[512];
    const answer *first = &self->own;
    const answer *best = &self->answers[0];
    int found = list_ranks(self, size, best, is_silent, ranks, &first);
    if (found > 0) {
        (void)snprintf(out, bytes,
                       "rank%s%s did not answer: stopped, lost, or busy elsewhere; the others "
                       "wait for collective %s",
                       found > 1 ? "s" : "", ranks, self->own.stuck.text);
        return;
    }
    for (int r = 1; r < size; r++) {
        best = is_behind(best, &self->answers[r]) ? &self->answers[r] : best;
    }
    found = list_ranks(self, size, best, is_behind, ranks, &first);
    if (found == 0) {
        found = list_ranks(self, size, best, is_elsewhere, ranks, &first);
    }
    if (found == 0) {
        (void)snprintf(out, bytes, "all ranks answered, and wait for collective %s",
                       best->stuck.text);
        return;
    }
    (void)snprintf(out, bytes,
                   "the ranks have diverged: rank%s%s wait%s for collective %s, but others for "
                   "collective %s",
                   found > 1 ? "s" : "", ranks, found > 1 ? "" : "s", first->stuck.text,
                   best->stuck.text);
}

bool judo_roll_call(judo_comm *control, const judo_comm *comm, double seconds, char *out,
                    size_t bytes)
{
    size_t size = (size_t)control->size;
    call *self = calloc(1, sizeof *self);
    bool is_first = true;
    out[0] = '\0';
    if (self != NULL) {
        self->answers = calloc(size, sizeof *self->answers);
        self->requests = malloc(2 * size * sizeof(MPI_Request));
    }
    if (self == NULL || self->answers == NULL || self->requests == NULL) {
        if (self != NULL) {
            free(self->answers);
            free(self->requests);
        }
        free(self);
        return false;
    }
    self->own = (answer){.is_there = true, .stuck = comm->expired};
    if (post((judo_comm_mpi *)control, self)) {
        listen(self, control->size, seconds);
    }
    describe(self, control->size, out, bytes);
    for (int r = 0; r < control->rank; r++) {
        is_first = is_first && !self->answers[r].is_there;
    }
    /* Messages to a rank that never answers stay under way to the end. */
    static call *never_freed;
    never_freed = self;
    (void)never_freed;
    return is_first;
}
