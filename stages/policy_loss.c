/* stages/policy_loss.c: from the configuration to a token loss; clip shares per completion. */
#include "stages/policy_loss.h"

#include <math.h>

#include "runtime/log.h"

bool judo_policy_is_sequence_level(const judo_train_config *config)
{
    return config->grpo.loss == JUDO_POLICY_GSPO ||
           config->grpo.importance == JUDO_IMPORTANCE_SEQUENCE;
}

static double clip_high_of(const judo_train_config *config)
{
    return config->grpo.clip_high < 0 ? config->grpo.clip_low : config->grpo.clip_high;
}

judo_status judo_policy_loss_check(const judo_train_config *config)
{
    judo_policy_loss kind = (judo_policy_loss)config->grpo.loss;
    double high = 1 + clip_high_of(config);
    if (config->grpo.delta > 0 && config->grpo.delta <= high) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "grpo.delta %g does not exceed 1 + grpo.clip_high = %g, so the clip "
                         "would never act; raise it, or 0 for none",
                         config->grpo.delta, high);
    }
    bool by_sequence = judo_policy_is_sequence_level(config);
    bool sums_tokens =
        kind == JUDO_POLICY_BNPO || kind == JUDO_POLICY_DAPO || kind == JUDO_POLICY_DR_GRPO;
    if (!judo_log_is_chief()) {
        return JUDO_OK;
    }
    if (by_sequence && sums_tokens) {
        JUDO_WARNING("grpo.importance=sequence with a loss over tokens: a completion counts by "
                     "its length; grpo.loss=gspo is the paper's");
    }
    if (by_sequence && config->grpo.updates_per_rollout > 1 && config->grpo.clip_low > 0.05) {
        JUDO_WARNING("a whole sequence's ratio stays near 1: grpo.clip_low %g will not clip; "
                     "GSPO's paper takes 3e-4 and 4e-4",
                     config->grpo.clip_low);
    }
    if (!by_sequence && kind == JUDO_POLICY_LUSPO) {
        JUDO_WARNING("grpo.loss=luspo is meant for grpo.importance=sequence");
    }
    return JUDO_OK;
}

judo_token_loss judo_policy_token_loss(const judo_train_config *config, double denominator)
{
    return (judo_token_loss){.kind = JUDO_LOSS_POLICY,
                             .scale = 1.0 / denominator,
                             .temperature = (float)config->grpo.logprob_temperature,
                             .clip_low = (float)config->grpo.clip_low,
                             .clip_high = (float)clip_high_of(config),
                             .ratio_cap = (float)config->grpo.delta,
                             .kl_beta = (float)config->grpo.kl_beta};
}

judo_clip_tally judo_clip_tally_begin(void)
{
    return (judo_clip_tally){.low_min = INFINITY, .high_max = -INFINITY};
}

void judo_clip_tally_add(judo_clip_tally *tally, const judo_token_loss *loss,
                         int32_t num_targets, const int32_t *sequences, const float *logprobs)
{
    bool by_sequence = loss->log_ratios != NULL;
    for (int32_t first = 0, end = 0; first < num_targets; first = end) {
        double low = 0, high = 0;
        for (end = first; end < num_targets && sequences[end] == sequences[first]; end++) {
            int32_t clipped = judo_token_loss_at(loss, end, logprobs[end]).clipped;
            low += clipped < 0;
            high += clipped > 0;
        }
        double length = end - first;
        tally->low += by_sequence ? low / length : low;
        tally->high += by_sequence ? high / length : high;
        tally->low_min = fmin(tally->low_min, low / length);
        tally->high_max = fmax(tally->high_max, high / length);
    }
}
