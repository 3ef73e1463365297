/* parallel/comm_mpi.h: the communicator over MPI. Messages are point to point, tagged with the
 * collective's number, in pieces of bounded size: every wait can be tested against a deadline,
 * sums have one fixed order, and ranks in different collectives never mix their data. */
#ifndef JUDO_PARALLEL_COMM_MPI_H
#define JUDO_PARALLEL_COMM_MPI_H

#include <mpi.h>

#include "parallel/comm.h"

enum {
    JUDO_MPI_MAX_REQUESTS = 8,       /* collectives outstanding at once */
    JUDO_MPI_BUCKET_BYTES = 16 << 20 /* of one message, and of the reduction's scratch */
};

typedef struct judo_mpi_request {
    bool used;
    int64_t sequence;
    MPI_Request *parts; /* [capacity] */
    int num_parts, capacity;
} judo_mpi_request;

typedef struct judo_comm_mpi {
    judo_comm base;
    MPI_Comm mpi;
    int64_t bucket_bytes;
    judo_mpi_request requests[JUDO_MPI_MAX_REQUESTS];
    float *scratch;       /* bucket_bytes: two halves of [size] pieces */
    const float **pieces; /* [size] */
    judo_mpi_request halves[2];
} judo_comm_mpi;

/* A communicator over a duplicate of `parent`. `bucket_bytes` 0: the default. Collective. */
judo_status judo_comm_mpi_create(MPI_Comm parent, int64_t bucket_bytes,
                                 judo_comm **out) JUDO_MUST_CHECK;

/* parallel/topology_mpi.c */
judo_status judo_topology_mpi(judo_comm *comm, judo_topology *out) JUDO_MUST_CHECK;

/* A status for the return code of an MPI function; breaks the communicator. */
judo_status judo_mpi_check(judo_comm_mpi *self, int code, const char *what) JUDO_MUST_CHECK;

#endif
