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
    int64_t sequence;                   /* 1 + that of the last collective; 0: no answer */
    char where[JUDO_FLIGHT_TEXT_BYTES]; /* the collective that expired */
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

/* " 1, 2": the ranks whose last collective is below `least`, at most so many as fit. */
static int list_below(const call *self, int size, int64_t least, char *out, size_t bytes)
{
    int found = 0;
    size_t used = 0;
    out[0] = '\0';
    for (int r = 0; r < size; r++) {
        if (self->answers[r].sequence < least) {
            int length = used + 16 < bytes ? snprintf(out + used, bytes - used, "%s %d",
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
    int64_t furthest = 0;
    for (int r = 0; r < size; r++) {
        int64_t at = self->answers[r].sequence;
        furthest = at > furthest ? at : furthest;
    }
    int silent = list_below(self, size, 1, ranks, sizeof ranks);
    if (silent > 0) {
        (void)snprintf(out, bytes,
                       "rank%s%s did not answer: stopped, lost, or busy elsewhere; the others "
                       "wait for collective %s",
                       silent > 1 ? "s" : "", ranks, self->own.where);
        return;
    }
    int behind = list_below(self, size, furthest, ranks, sizeof ranks);
    if (behind == 0) {
        (void)snprintf(out, bytes, "all ranks answered; all have begun collective #%lld",
                       (long long)furthest - 1);
        return;
    }
    int first = 0;
    while (self->answers[first].sequence >= furthest) {
        first++;
    }
    (void)snprintf(out, bytes,
                   "all ranks answered; behind the others, which have begun collective #%lld: "
                   "rank%s%s, at %s",
                   (long long)furthest - 1, behind > 1 ? "s" : "", ranks,
                   self->answers[first].where);
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
    self->own.sequence = comm->recorder.last + 1; /* an answer is never 0 */
    memcpy(self->own.where, comm->expired, sizeof self->own.where);
    if (post((judo_comm_mpi *)control, self)) {
        listen(self, control->size, seconds);
    }
    describe(self, control->size, out, bytes);
    for (int r = 0; r < control->rank; r++) {
        is_first = is_first && self->answers[r].sequence == 0;
    }
    /* Messages to a rank that never answers stay under way to the end. */
    static call *never_freed;
    never_freed = self;
    (void)never_freed;
    return is_first;
}
