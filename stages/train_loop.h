/* stages/train_loop.h: the one training loop. */
#ifndef JUDO_STAGES_TRAIN_LOOP_H
#define JUDO_STAGES_TRAIN_LOOP_H

#include "stages/stage.h"

/* Trains `stage` as `config` says: resumes, runs every step, checkpoints, writes metrics and in
 * the end the model to RUN/model. Returns JUDO_EXIT_REQUEUE when a signal asked it to stop and
 * a checkpoint was written. Collective: all ranks return the same status. */
judo_status judo_train(judo_comm *comm, const judo_stage *stage,
                       const judo_train_config *config, int threads) JUDO_MUST_CHECK;

#endif
