/* runtime/ops/token_loss.h: the loss of one token as a function of its log-probability.
 * Header-only so that the CPU and the CUDA head kernels compile the same lines. */
#ifndef JUDO_RUNTIME_OPS_TOKEN_LOSS_H
#define JUDO_RUNTIME_OPS_TOKEN_LOSS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/host_device.h"

typedef enum judo_token_loss_kind {
    JUDO_LOSS_NONE,   /* log-probabilities only */
    JUDO_LOSS_NLL,    /* -log p */
    JUDO_LOSS_POLICY, /* clipped policy gradient with an optional k3 KL term */
} judo_token_loss_kind;

/* Per-target arrays have one entry per target of the batch; NULL where noted. `weight[i] *
 * scale` multiplies loss and gradient of target i; scale is 1 / (the step's denominator). */
typedef struct judo_token_loss {
    judo_token_loss_kind kind;
    double scale;
    float temperature;    /* logits are divided by it before the softmax; 1 for NLL */
    const float *weights; /* [num_targets]; NULL: all 1 */
    /* JUDO_LOSS_POLICY only: */
    const float *advantages; /* [num_targets] */
    const float
        *old_logprobs; /* [num_targets]; NULL: the policy's own (ratio 1, gradient intact) */
    const float *ref_logprobs; /* [num_targets]; NULL when kl_beta is 0 */
    float *log_ratios; /* [num_targets]; NULL: each token's own, logprob - old_logprobs[i]. Else
                          the whole sequence's, at each of its tokens: judo_model_run fills it;
                          ignored while old_logprobs is NULL */
    float clip_low, clip_high; /* ratio is clipped to [1 - clip_low, 1 + clip_high] */
    float ratio_cap;           /* the unclipped ratio counts no more than this; 0: no cap */
    float kl_beta;
} judo_token_loss;

/* What one target contributes: loss (unweighted), its gradient, the KL estimate, whether the
 * clip bites. The gradient is d loss / d logprob; at sequence level that of the sum over the
 * sequence's targets, which all have the same weight: each of n losses depends on the ratio,
 * and the ratio on a 1/n of each log-probability. */
typedef struct judo_token_loss_value {
    float loss, gradient, kl;
    int32_t clipped; /* -1: clipped below, +1: clipped above, 0: not */
} judo_token_loss_value;

/* GRPO's token loss (Shao et al. 2024, eq. 21; TRL's sign conventions): -min(min(r, cap) A,
 * clip(r) A) + beta k3, with k3 = exp(ref - lp) - (ref - lp) - 1; r is the token's ratio or the
 * sequence's (GSPO, Zheng et al. 2025, eq. 7). The cap is TRL's delta. */
static inline JUDO_HD judo_token_loss_value judo_token_loss_at(const judo_token_loss *spec,
                                                               int64_t i, float logprob)
{
    judo_token_loss_value value = {0.0f, 0.0f, 0.0f, 0};
    if (spec->kind == JUDO_LOSS_NLL) {
        value.loss = -logprob;
        value.gradient = -1.0f;
    } else if (spec->kind == JUDO_LOSS_POLICY) {
        float advantage = spec->advantages[i];
        float ratio = 1.0f;
        if (spec->old_logprobs) {
            ratio =
                expf(spec->log_ratios ? spec->log_ratios[i] : logprob - spec->old_logprobs[i]);
        }
        bool capped = spec->ratio_cap > 0.0f && ratio > spec->ratio_cap;
        float counted = capped ? spec->ratio_cap : ratio;
        float low = 1.0f - spec->clip_low;
        float high = 1.0f + spec->clip_high;
        float clipped = ratio < low ? low : (ratio > high ? high : ratio);
        if (counted * advantage <= clipped * advantage) {
            value.loss = -counted * advantage;
            value.gradient = capped ? 0.0f : -ratio * advantage;
        } else {
            value.loss = -clipped * advantage;
            value.clipped = ratio < low ? -1 : 1;
        }
        if (spec->kl_beta != 0.0f) {
            /* Near the reference exp(d) - d - 1 is d^2 / 2: nothing of it survives in fp32. */
            double difference = (double)spec->ref_logprobs[i] - (double)logprob;
            double growth = expm1(difference);
            value.kl = (float)(growth - difference);
            value.loss += spec->kl_beta * value.kl;
            value.gradient -= spec->kl_beta * (float)growth;
        }
    }
    return value;
}

/* Results per target, each [num_targets] or NULL when not wanted; and sums over all targets. */
typedef struct judo_token_result {
    float *logprobs;
    float *entropies;
    double loss;         /* sum of weight * scale * loss */
    double kl;           /* sum of kl over targets, unweighted */
    double entropy;      /* sum over targets */
    int64_t num_correct; /* targets whose token has the highest logit */
} judo_token_result;

/* What one target adds to the sums of a result. */
typedef struct judo_token_outcome {
    double loss, kl, entropy;
    bool counted, correct;
} judo_token_outcome;

/* Adds targets in their order. */
static inline void judo_token_result_add(judo_token_result *result,
                                         const judo_token_outcome *outcomes, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!outcomes[i].counted) {
            continue; /* a weight of 0 counts for nothing, even where the row is not finite */
        }
        result->loss += outcomes[i].loss;
        result->kl += outcomes[i].kl;
        result->entropy += outcomes[i].entropy;
        result->num_correct += outcomes[i].correct;
    }
}

#endif
