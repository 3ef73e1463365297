/* stages/memory_plan.h: what each rank of a job takes, by purpose, summed up before anything
 * large is taken. */
#ifndef JUDO_STAGES_MEMORY_PLAN_H
#define JUDO_STAGES_MEMORY_PLAN_H

#include "stages/memory_table.h"
#include "stages/stage.h"

/* Of the memory that the job's device computes in. Nothing of it is given up while a job runs
 * to make room for something else but what drawing takes, which is there beside all the rest:
 * the sum is the peak. */
typedef struct judo_memory_plan {
    judo_memory_table table;
    int64_t movable; /* of it, what zero.offload_optimizer=cpu would move to the host */
} judo_memory_plan;

/* Behind judo_sharding_choose; takes no memory. Every rank comes to the same. Collective. */
judo_status judo_memory_plan_make(judo_job *job, judo_memory_plan *out) JUDO_MUST_CHECK;

void judo_memory_plan_print(const judo_job *job, const judo_memory_plan *plan);
/* What `weights` and `scratch`, of the job's own communicator, hold of the host beside a device
 * with memory of its own. */
void judo_memory_plan_host(const judo_job *job, const judo_zero3 *weights, int64_t scratch);

/* At most `num_batches` batches of the configured size are held at once, in host memory. */
void judo_memory_plan_batches(const judo_job *job, int64_t num_batches);

#endif
