/* stages/run_checkpoint.h: when a run saves, and what it goes on from. */
#ifndef JUDO_STAGES_RUN_CHECKPOINT_H
#define JUDO_STAGES_RUN_CHECKPOINT_H

#include "parallel/checkpoint.h"
#include "stages/stage.h"

/* Loads the newest checkpoint of the run into the shards and sets job->first_step, or loads the
 * model when there is none. Collective. */
judo_status judo_run_restore(judo_job *job) JUDO_MUST_CHECK;

/* The run's writer of checkpoints, as run.* asks for; the caller closes it. Collective. */
judo_status judo_run_writer_open(judo_job *job, judo_checkpoint_writer **out) JUDO_MUST_CHECK;

/* Begins a checkpoint behind `next_step` steps. Collective. */
judo_status judo_run_save(const judo_job *job, judo_checkpoint_writer *writer,
                          int64_t next_step) JUDO_MUST_CHECK;
/* Begins one and waits until it is complete, whatever run.on_save_error says. One that the run
 * was resumed from is not written again. Collective. */
judo_status judo_run_save_now(const judo_job *job, judo_checkpoint_writer *writer,
                              int64_t next_step) JUDO_MUST_CHECK;

/* A checkpoint is due at the requested interval, or at the first boundary behind it: never
 * inside a rollout of `rollout` steps that later updates still use. */
bool judo_run_save_is_due(const judo_job *job, int64_t next_step, int64_t rollout);

#endif
