/* stages/memory_plan.h: what each rank of a job takes, by purpose, summed up before anything
 * large is taken. */
#ifndef JUDO_STAGES_MEMORY_PLAN_H
#define JUDO_STAGES_MEMORY_PLAN_H

#include "stages/stage.h"

enum { JUDO_MEMORY_LINES = 20 };

typedef struct judo_memory_line {
    const char *what;
    int64_t bytes;
} judo_memory_line;

/* Of the memory that the job's device computes in. Nothing of it is given up while a job runs
 * to make room for something else but what drawing takes, which is there beside all the rest:
 * the sum is the peak. */
typedef struct judo_memory_plan {
    judo_memory_line lines[JUDO_MEMORY_LINES];
    int num_lines;
    int64_t total;
    int64_t pool;    /* of it, what is dealt out of one block */
    int64_t movable; /* of it, what zero.offload_optimizer=cpu would move to the host */
    int64_t host;    /* beside a device with memory of its own: optimizer state, exchange */
    int64_t offloaded;
} judo_memory_plan;

/* Behind judo_sharding_choose; takes no memory. Every rank comes to the same but for its share
 * of stage 3's prompts. Collective. */
judo_status judo_memory_plan_make(judo_job *job, judo_memory_plan *out) JUDO_MUST_CHECK;

enum { JUDO_MEMORY_TABLE_BYTES = 2048 };

/* The table: lines of what it takes for what, each with its end, the last one the sum. */
void judo_memory_plan_write(const judo_job *job, const judo_memory_plan *plan,
                            char table[JUDO_MEMORY_TABLE_BYTES]);
void judo_memory_plan_print(const judo_job *job, const judo_memory_plan *plan);

/* At most `num_batches` batches of the configured size are held at once, in host memory. */
void judo_memory_plan_batches(const judo_job *job, int64_t num_batches);

#endif
