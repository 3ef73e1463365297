/* stages/loss_scale.c: weights and denominators by name. */
#include "stages/loss_scale.h"

#include <math.h>

float judo_sft_weight(judo_normalization normalization, int32_t num_targets)
{
    return normalization == JUDO_NORMALIZE_SAMPLE && num_targets > 0 ? 1.0f / (float)num_targets
                                                                     : 1.0f;
}

double judo_sft_denominator(judo_normalization normalization, double num_samples,
                            double num_targets)
{
    return fmax(1, normalization == JUDO_NORMALIZE_SAMPLE ? num_samples : num_targets);
}

float judo_policy_weight(judo_policy_loss kind, int32_t num_tokens)
{
    bool by_completion = kind == JUDO_POLICY_GRPO || kind == JUDO_POLICY_GSPO;
    return by_completion && num_tokens > 0 ? 1.0f / (float)num_tokens : 1.0f;
}

double judo_policy_denominator(judo_policy_loss kind, double num_completions, double num_tokens,
                               double max_new_tokens)
{
    switch (kind) {
    case JUDO_POLICY_BNPO:
    case JUDO_POLICY_DAPO:
        return fmax(1, num_tokens);
    case JUDO_POLICY_DR_GRPO:
        return num_completions * max_new_tokens;
    case JUDO_POLICY_GRPO:
    case JUDO_POLICY_GSPO:
    case JUDO_POLICY_LUSPO:
        break;
    }
    return num_completions;
}
