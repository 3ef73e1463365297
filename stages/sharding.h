/* stages/sharding.h: what a job's configuration says about sharding. */
#ifndef JUDO_STAGES_SHARDING_H
#define JUDO_STAGES_SHARDING_H

#include "parallel/zero3.h"
#include "runtime/config.h"
#include "stages/stage.h"

/* The fields "zero.*" of judo_train_config; ends with an entry whose key is NULL. */
extern const judo_config_field judo_sharding_fields[];

/* The options for the job's model, or for a frozen set of the same layout. With
 * zero.resident_weights auto, weights stay gathered if they, with all else that is planned,
 * leave a third of the memory free on every rank. Sets the communicator's bucket. Collective.
 */
judo_status judo_sharding_options(const judo_job *job, bool frozen,
                                  judo_zero3_options *out) JUDO_MUST_CHECK;

#endif
