/* parallel/comm_host_part.h: for communicators of a device's memory: the slots of judo_comm_ops
 * that concern host memory, which the communicator that they were made from serves. */
#ifndef JUDO_PARALLEL_COMM_HOST_PART_H
#define JUDO_PARALLEL_COMM_HOST_PART_H

#include "parallel/comm.h"

/* JUDO_ERROR_INTERNAL: the caller meant the other communicator. */
judo_status judo_host_part_broadcast(judo_comm *comm, int64_t sequence, void *data,
                                     int64_t bytes, int root) JUDO_MUST_CHECK;
judo_status judo_host_part_gather_bytes(judo_comm *comm, int64_t sequence, const void *data,
                                        const int64_t *offsets, char *out) JUDO_MUST_CHECK;
judo_status judo_host_part_split(judo_comm *comm, int color, judo_comm **out) JUDO_MUST_CHECK;
judo_status judo_host_part_set_bucket(judo_comm *comm, int64_t bytes) JUDO_MUST_CHECK;
/* Passed on. */
judo_status judo_host_part_topology(judo_comm *comm, judo_topology *out) JUDO_MUST_CHECK;
void judo_host_part_abort_job(judo_comm *comm, int exit_code);

#endif
