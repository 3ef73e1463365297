/* stages/policy_pass.h: the training passes over a scored rollout: reference log-probabilities
 * and the policy update. */
#ifndef JUDO_STAGES_POLICY_PASS_H
#define JUDO_STAGES_POLICY_PASS_H

#include "stages/rollout.h"

typedef struct judo_policy_pass judo_policy_pass;

judo_status judo_policy_pass_create(judo_job *job, judo_policy_pass **out) JUDO_MUST_CHECK;
void judo_policy_pass_destroy(judo_policy_pass **pass);

/* Packs each group as [prompt | c1 | .. | cG] with its loss weights and advantages. Not
 * collective. */
judo_status judo_policy_pass_pack(judo_policy_pass *pass,
                                  const judo_rollout *rollout) JUDO_MUST_CHECK;

/* Log-probabilities of the completions under the reference model. Collective. */
judo_status judo_policy_pass_reference(judo_policy_pass *pass,
                                       judo_params *reference) JUDO_MUST_CHECK;

/* Forward and backward of one update; leaves the gradient in the shards and puts the metrics.
 * On the rollout's first update the policy's own log-probabilities are the old ones (ratio 1)
 * and are kept for the later updates. Collective. */
judo_status judo_policy_pass_update(judo_policy_pass *pass, bool first_update) JUDO_MUST_CHECK;

#endif
