/* parallel/agree.h: all ranks go on with the same status. */
#ifndef JUDO_PARALLEL_AGREE_H
#define JUDO_PARALLEL_AGREE_H

#include "parallel/comm.h"

/* Ends work that can fail on one rank, before any collective that another rank might not reach.
 * If all ranks bring JUDO_OK, returns JUDO_OK; else every rank returns the status of the lowest
 * failing rank and has its message, prefixed with "rank R: ", as the last error (a request to
 * stop, JUDO_EXIT_REQUEUE, yields to real errors). Prints nothing: judo_process_end prints the
 * job's one line. Returns JUDO_ERROR_TIMEOUT or JUDO_ERROR_COMM if the agreement itself fails.
 * Collective. */
judo_status judo_agree(judo_comm *comm, judo_status local_status) JUDO_MUST_CHECK;

#endif
