/* stages/policy_loss.h: the policy loss that a configuration asks for, and how much of it is
 * clipped. */
#ifndef JUDO_STAGES_POLICY_LOSS_H
#define JUDO_STAGES_POLICY_LOSS_H

#include "runtime/ops/token_loss.h"
#include "runtime/status.h"
#include "stages/train_config.h"

/* One ratio per completion instead of one per token? */
bool judo_policy_is_sequence_level(const judo_train_config *config);

/* JUDO_ERROR_CONFIG where the settings contradict each other; warns (on rank 0) where they
 * hardly mean what was intended. */
judo_status judo_policy_loss_check(const judo_train_config *config) JUDO_MUST_CHECK;

/* The numbers of the loss; the per-target arrays are left NULL. */
judo_token_loss judo_policy_token_loss(const judo_train_config *config, double denominator);

/* Where the clip holds the gradient back. A token, or at sequence level a completion, counts
 * once. */
typedef struct judo_clip_tally {
    double low, high;         /* clipped below, above */
    double low_min, high_max; /* extremes of the completions' shares */
} judo_clip_tally;

judo_clip_tally judo_clip_tally_begin(void);

/* Adds the targets of one pass: `loss` as it ran, with logprobs, sequences [num_targets]. */
void judo_clip_tally_add(judo_clip_tally *tally, const judo_token_loss *loss,
                         int32_t num_targets, const int32_t *sequences, const float *logprobs);

#endif
