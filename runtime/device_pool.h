/* runtime/device_pool.h: a device whose memory is one block of another device's, taken once and
 * dealt out from then on: allocating and releasing ask the system for nothing. */
#ifndef JUDO_RUNTIME_DEVICE_POOL_H
#define JUDO_RUNTIME_DEVICE_POOL_H

#include "runtime/device.h"
#include "runtime/pool_space.h"

/* The same as `inner` (borrowed), but for memory: `allocate` fails until the block is there,
 * then takes parts of it, aligned to JUDO_POOL_ALIGNMENT, and fails with JUDO_ERROR_MEMORY
 * where none is large enough; `release` waits for nothing: what is queued on the compute queue
 * by then may still use the part, other queues must be done with it. `memory` counts the block
 * only. Staging memory is kept when it is released and handed out again. One at a time in a
 * process (JUDO_ERROR_INTERNAL). */
judo_status judo_device_pool_open(const judo_device *inner,
                                  const judo_device **out) JUDO_MUST_CHECK;
/* Takes the block. `plan` (copied) says line by line what it is for; a pool that is exhausted
 * logs it. Once. */
judo_status judo_device_pool_reserve(int64_t bytes, const char *plan) JUDO_MUST_CHECK;
/* Staging memory of that size will be wanted later: it is taken now. */
judo_status judo_device_pool_keep_staging(int64_t bytes) JUDO_MUST_CHECK;
/* Gives the block back, unless parts of it are still taken: work that cannot be ended may use
 * them until the process ends. Accepts a NULL device and one that is not the pool's. */
void judo_device_pool_close(const judo_device **device);

/* Of the block; all 0 without one. */
judo_pool_facts judo_device_pool_facts(void);

#endif
