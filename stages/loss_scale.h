/* stages/loss_scale.h: how the losses of tokens become the loss of a step: a weight of each
 * target, and one denominator for the whole step, over all ranks and micro-batches. */
#ifndef JUDO_STAGES_LOSS_SCALE_H
#define JUDO_STAGES_LOSS_SCALE_H

#include "stages/train_config.h"

/* Weight of each of the `num_targets` targets of a supervised sample. */
float judo_sft_weight(judo_normalization normalization, int32_t num_targets);
/* What the weighted sum of a supervised step is divided by. */
double judo_sft_denominator(judo_normalization normalization, double num_samples,
                            double num_targets);

/* Weight of each token of a completion of `num_tokens` tokens. */
float judo_policy_weight(judo_policy_loss kind, int32_t num_tokens);
/* What the weighted sum of a policy update is divided by: TRL's loss_type with the
 * accumulation window as one batch. */
double judo_policy_denominator(judo_policy_loss kind, double num_completions, double num_tokens,
                               double max_new_tokens);

#endif
