/* parallel/comm_device.h: collectives on memory of a device.
 *
 * A communicator of a device gathers and reduces that device's memory; what else ranks say to
 * each other (small sums, broadcasts, agreements) is host memory and stays with the
 * communicator that it was made from. Both obey comm.h, read for a queue of work: a start waits
 * for what is queued on the device's compute queue so far; behind a wait (or a test that says
 * done, or the reduction's finish) what is queued there from now on sees the result. */
#ifndef JUDO_PARALLEL_COMM_DEVICE_H
#define JUDO_PARALLEL_COMM_DEVICE_H

#include "parallel/comm.h"
#include "runtime/device.h"

/* The communicator of the same ranks for memory of `device`: `comm` itself where that is host
 * memory, else one that the caller destroys before `comm` (tell them apart by comparing), whose
 * deadline and phase are `comm`'s, with its bucket of now. The device's own collectives serve
 * it where every rank has a device for itself, else staging memory; the log says which and why.
 * Both arguments are borrowed. Ranks agree on the outcome. Collective. */
judo_status judo_comm_on_device(judo_comm *comm, const judo_device *device,
                                judo_comm **out) JUDO_MUST_CHECK;

/* The same by way of staging memory: pieces are copied to the host, exchanged by a communicator
 * split off `comm`, and copied back, beside the compute queue. Sums are the same bits as
 * `comm`'s. Works for any device and any number of ranks on it. */
judo_status judo_comm_staged_create(judo_comm *comm, const judo_device *device,
                                    judo_comm **out) JUDO_MUST_CHECK;

/* The same by the device's own collectives (on CUDA: NCCL), which must be there
 * (`device->collectives`), with a device for each rank. Sums in fp32 are taken in an order that
 * the library chooses, the same in every run on the same machines; with bf16 on the wire in
 * rank order. A wait that expires ends the library's group by force. */
judo_status judo_comm_nccl_create(judo_comm *comm, const judo_device *device,
                                  judo_comm **out) JUDO_MUST_CHECK;

#endif
