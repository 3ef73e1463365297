/* parallel/process.h: what every program does first and last, alone or as one rank of many. */
#ifndef JUDO_PARALLEL_PROCESS_H
#define JUDO_PARALLEL_PROCESS_H

#include "parallel/comm.h"
#include "runtime/log.h"

typedef struct judo_process {
    judo_comm *comm;        /* borrowed by everyone until judo_process_end */
    judo_topology topology; /* topology.threads: worker threads that this rank should use */
    judo_comm *control;     /* for the last agreement, apart from what may be stuck in `comm` */
    bool is_mpi;
} judo_process;

/* Sets up the process (MPI's and malloc's switches must come before MPI_Init), the communicator
 * and the log's rank. A program that no launcher started never touches MPI. OMP_NUM_THREADS,
 * where set, overrides the fair share of threads. Collective. */
judo_status judo_process_begin(judo_process *process,
                               judo_log_level lowest_level) JUDO_MUST_CHECK;

/* Brings this rank's status and ends the program: ranks agree, rank 0 prints one line for the
 * first cause, MPI is finalized and the agreed exit code returned; JUDO_EXIT_REQUEUE by rank 0
 * alone, as the last. If the ranks cannot agree (a broken communicator, or others that do not
 * come), prints this rank's error and aborts the job: does not return then. Call it on every
 * path, also after a failed begin. Collective. */
int judo_process_end(judo_process *process, judo_status status);

/* Name and version of the MPI library. At any time; starts nothing. */
void judo_process_mpi_version(char *out, size_t bytes);

#endif
