/* parallel/run_lock.h: one run folder belongs to one job at a time. */
#ifndef JUDO_PARALLEL_RUN_LOCK_H
#define JUDO_PARALLEL_RUN_LOCK_H

#include "parallel/comm.h"

typedef struct judo_run_lock judo_run_lock;

/* Rank 0 locks `folder`/run.lock (creating the folder), all ranks agree. The kernel drops the
 * lock when the process ends, however it ends. A folder in use is JUDO_ERROR_ARGUMENT naming
 * the holder's host and process. Collective. */
judo_status judo_run_lock_take(judo_comm *comm, const char *folder,
                               judo_run_lock **out) JUDO_MUST_CHECK;
/* Accepts NULL. Not collective. */
void judo_run_lock_release(judo_run_lock **lock);

#endif
