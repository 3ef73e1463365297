/* parallel/comm_mpi.h: the communicator over MPI. Messages are point to point, tagged with the
 * collective's number, in pieces of bounded size: every wait can be tested against a deadline,
 * sums have one fixed order, and ranks in different collectives never mix their data. */
#ifndef JUDO_PARALLEL_COMM_MPI_H
#define JUDO_PARALLEL_COMM_MPI_H

#include <mpi.h>

#include "parallel/comm.h"

enum {
    JUDO_MPI_MAX_REQUESTS = 8 /* collectives outstanding at once */
};

typedef struct judo_mpi_request {
    bool used;
    int64_t sequence;
    MPI_Request *parts; /* [capacity] */
    int num_parts, capacity;
} judo_mpi_request;

/* The reduction under way: elements are exchanged in buckets of `width` of every slice, two at
 * a time. */
typedef struct judo_mpi_reduction {
    bool active;
    judo_reduction job;
    int64_t sequence, width;
    int64_t num_buckets, num_posted, num_summed;
} judo_mpi_reduction;

typedef struct judo_comm_mpi {
    judo_comm base;
    MPI_Comm mpi;
    judo_mpi_request requests[JUDO_MPI_MAX_REQUESTS];
    judo_mpi_reduction reduction;
    char *scratch;              /* base.bucket_bytes: one half for each of the two buckets */
    judo_mpi_request halves[2]; /* their messages */
} judo_comm_mpi;

/* A communicator over a duplicate of `parent`. `bucket_bytes` 0: the default. Collective. */
judo_status judo_comm_mpi_create(MPI_Comm parent, int64_t bucket_bytes,
                                 judo_comm **out) JUDO_MUST_CHECK;

/* parallel/comm_mpi_reduce.c */
judo_status judo_mpi_reduce_start(judo_comm *comm, int64_t sequence,
                                  const judo_reduction *reduction) JUDO_MUST_CHECK;
judo_status judo_mpi_reduce_test(judo_comm *comm, bool *done) JUDO_MUST_CHECK;
judo_status judo_mpi_reduce_finish(judo_comm *comm) JUDO_MUST_CHECK;
/* Takes the reduction as far as it goes without waiting. */
judo_status judo_mpi_reduce_advance(judo_comm_mpi *self) JUDO_MUST_CHECK;

/* Messages of one collective. */
judo_status judo_mpi_post_receive(judo_comm_mpi *self, judo_mpi_request *request, void *data,
                                  int64_t bytes, int from) JUDO_MUST_CHECK;
judo_status judo_mpi_post_send(judo_comm_mpi *self, judo_mpi_request *request, const void *data,
                               int64_t bytes, int to) JUDO_MUST_CHECK;
judo_status judo_mpi_wait_parts(judo_comm_mpi *self, int64_t sequence, MPI_Request *parts,
                                int num_parts) JUDO_MUST_CHECK;

/* parallel/topology_mpi.c */
judo_status judo_topology_mpi(judo_comm *comm, judo_topology *out) JUDO_MUST_CHECK;

/* A status for the return code of an MPI function; breaks the communicator. */
judo_status judo_mpi_check(judo_comm_mpi *self, int code, const char *what) JUDO_MUST_CHECK;

#endif
