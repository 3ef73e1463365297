/* stages/sharding.h: what a job's configuration says about sharding. */
#ifndef JUDO_STAGES_SHARDING_H
#define JUDO_STAGES_SHARDING_H

#include "parallel/zero3.h"
#include "runtime/config.h"
#include "stages/stage.h"

/* The fields "zero.*" of judo_train_config; ends with an entry whose key is NULL. */
extern const judo_config_field judo_sharding_fields[];

/* Sets job->sharding, of the job's model, and for stage 3 job->reference_sharding, of a frozen
 * set of the same layout. With zero.resident_weights auto, weights stay gathered if they, with
 * the activations and, for the frozen set, with the model, leave a third of the memory free on
 * every rank. Sizes of groups are numbers. Sets the communicator's bucket. Collective. */
judo_status judo_sharding_choose(judo_job *job) JUDO_MUST_CHECK;

#endif
