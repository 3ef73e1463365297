/* stages/rollout_metrics.h: what a rollout looks like in numbers; names and definitions as
 * TRL's GRPO trainer, but reward_std is the mean of the groups' deviations (JUDO's trainer). */
#ifndef JUDO_STAGES_ROLLOUT_METRICS_H
#define JUDO_STAGES_ROLLOUT_METRICS_H

#include "stages/rollout.h"

/* Puts lengths, rewards (total and each) and the share of groups without signal. Collective. */
judo_status judo_rollout_metrics(judo_job *job, const judo_rollout *rollout) JUDO_MUST_CHECK;

#endif
