/* parallel/replica_check.h: silent corruption of weights that all ranks hold whole.
 */
#ifndef JUDO_PARALLEL_REPLICA_CHECK_H
#define JUDO_PARALLEL_REPLICA_CHECK_H

#include "parallel/comm.h"
#include "runtime/device.h"
#include "runtime/params.h"

/* Staging memory that a check of weights in a device's own memory passes through. */
enum { JUDO_REPLICA_CHECK_BYTES = 16 << 20 };

/* Compares the bits of weights of which every rank has a copy of its own in its device's memory
 * (a resident copy behind its use). Where they differ: JUDO_ERROR_NUMERIC, on all ranks, naming
 * the unit and the rank that stands alone against a majority. Collective. */
judo_status judo_replica_check(judo_comm *comm, const judo_device *device,
                               judo_params *replica) JUDO_MUST_CHECK;

#endif
