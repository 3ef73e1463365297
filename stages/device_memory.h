/* stages/device_memory.h: a device's memory is planned, taken in one block before the first
 * step, and not asked for again. */
#ifndef JUDO_STAGES_DEVICE_MEMORY_H
#define JUDO_STAGES_DEVICE_MEMORY_H

#include "stages/memory_plan.h"
#include "stages/stage.h"

/* Bytes of the memory computed in that this rank can still take: what is free, shared with the
 * ranks that have the same device or, on the CPU, machine. Collective. */
judo_status judo_device_memory_available(const judo_job *job, int64_t *out) JUDO_MUST_CHECK;

/* Bytes that the plan lacks on the rank that lacks most; not above 0: it has room.
 * Collective. */
judo_status judo_device_memory_missing(const judo_job *job, const judo_memory_plan *plan,
                                       int64_t *missing) JUDO_MUST_CHECK;

/* JUDO_ERROR_MEMORY, on all ranks, where the plan has no room on some rank, with what to
 * change. Collective. */
judo_status judo_device_memory_check(const judo_job *job,
                                     const judo_memory_plan *plan) JUDO_MUST_CHECK;

/* For a device with memory of its own: takes the block that job->device, a pool, deals out.
 * Fails as judo_device_memory_check. Collective. */
judo_status judo_device_memory_reserve(const judo_job *job,
                                       const judo_memory_plan *plan) JUDO_MUST_CHECK;

/* Behind every step and its checkpoint. From the first on nobody asks the system for memory: a
 * rank that did warns, and says in which step. */
void judo_device_memory_watch(judo_job *job, int64_t step);
/* How much of the block was used, and how often memory was asked for behind the first step. */
void judo_device_memory_report(const judo_job *job);

#endif
