/* stages/run_folder.h: the folder of a run: what was asked for, and whether a checkpoint
 * belongs to it. */
#ifndef JUDO_STAGES_RUN_FOLDER_H
#define JUDO_STAGES_RUN_FOLDER_H

#include "stages/stage.h"

/* Writes the resolved configuration to RUN/config.yaml. Collective. */
judo_status judo_run_folder_prepare(judo_comm *comm, const judo_stage *stage,
                                    const judo_train_config *config) JUDO_MUST_CHECK;

/* Writes RUN/launch.json: which stage began at which step on how many ranks, machines and
 * threads, on which device. To be called on rank 0, when the job knows its first step. */
judo_status judo_run_launch_write(const judo_job *job) JUDO_MUST_CHECK;

/* The state text of a checkpoint after `next_step` steps. */
void judo_run_state_write(const judo_job *job, int64_t next_step, char *out, size_t bytes);

/* Checks that a checkpoint's state text belongs to this stage, seed and data. Not collective.
 */
judo_status judo_run_state_check(const judo_job *job, const char *state) JUDO_MUST_CHECK;

/* RUN/checkpoints. */
void judo_run_checkpoint_folder(const judo_train_config *config, char *out, size_t bytes);

#endif
