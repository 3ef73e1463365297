/* stages/device_memory.h: what a job needs of its device's memory, known before the first step.
 */
#ifndef JUDO_STAGES_DEVICE_MEMORY_H
#define JUDO_STAGES_DEVICE_MEMORY_H

#include "parallel/zero3.h"
#include "stages/stage.h"

/* Bytes of the device that this rank can still take: what is free, shared with the ranks that
 * have the same device. Collective. */
judo_status judo_device_memory_available(const judo_job *job, int64_t *out) JUDO_MUST_CHECK;

/* For a device with memory of its own, whose activations are allocated already: that what the
 * job is about to take has room on every rank. Else JUDO_ERROR_MEMORY, with the table of what
 * is needed for what. `options` are the policy's. Collective. */
judo_status judo_device_memory_check(const judo_job *job,
                                     const judo_zero3_options *options) JUDO_MUST_CHECK;

#endif
