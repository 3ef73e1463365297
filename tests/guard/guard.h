/* tests/guard/guard.h: what the files of the guarded device share. */
#ifndef JUDO_TESTS_GUARD_GUARD_H
#define JUDO_TESTS_GUARD_GUARD_H

#include "runtime/device_module.h"

/* --- guard_memory.c: addresses that nobody may follow, and the memory behind them --- */

/* Where the CPU finds what lies at an address of the device; other addresses as they are. */
void *guard_host(const void *at);
/* Whether bytes [at, at + bytes) are memory of the device. */
bool guard_holds(const void *at, int64_t bytes);
judo_status guard_allocate(void **out, int64_t bytes);
void guard_release(void *memory);
judo_status guard_memory(int64_t *available, int64_t *total);
/* A block that is memory of the device only where a part of it is taken. */
judo_status guard_allocate_pool(void **out, int64_t bytes);
void guard_watch(void *part, int64_t bytes, bool taken);
/* One more was asked for, of the device or of staging; how many so far. */
void guard_count_allocation(void);
int64_t guard_allocations(void);
/* Fills with bytes that are NaN in every floating type. */
void guard_spoil(void *memory, int64_t bytes);

/* --- guard_queue.c: streams and events --- */

/* Does all that is queued on `stream` (NULL: the compute queue) and what it waits for. */
void guard_run(judo_stream *stream);
/* The same for every queue. */
void guard_run_all(void);
void guard_fill_queue_slots(judo_device *device);

/* --- guard_ops.c --- */
const judo_ops *guard_ops(void);

/* Records a failure in the program, as JUDO_FAIL would there. */
void guard_tell_program(void);

#endif
