/* rewards/score.h: many completions at once, with the sentence embeddings that they need. */
#ifndef JUDO_REWARDS_SCORE_H
#define JUDO_REWARDS_SCORE_H

#include "rewards/device_scorer.h"
#include "rewards/reward.h"

enum { JUDO_EMBEDDING_SIZE = 384 };

/* Embeds `count` texts into rows of JUDO_EMBEDDING_SIZE floats. */
typedef struct judo_embedder {
    judo_status (*embed)(void *context, const judo_span *texts, int64_t count, float *rows);
    void *context;
} judo_embedder;

/* Evaluates facts[0..count). Where a cosine is NaN and the domain reward counts, think and
 * (when its embedding is not known) rationale are embedded, all in one call of `embedder`;
 * equal rationale pointers are embedded once. `embedder` NULL, or no rationale: the cosine
 * stays NaN and the domain reward is left out of the total. */
judo_status judo_rewards_score(const judo_reward_rules *rules,
                               const judo_completion_facts *facts, int64_t count,
                               const judo_embedder *embedder,
                               judo_reward_values *out) JUDO_MUST_CHECK;
/* The same, with the texts read by the device where all facts name their tokens. The same bits.
 * `scorer` NULL: all on the host. */
judo_status judo_rewards_score_on(judo_device_scorer *scorer, const judo_reward_rules *rules,
                                  const judo_completion_facts *facts, int64_t count,
                                  const judo_embedder *embedder,
                                  judo_reward_values *out) JUDO_MUST_CHECK;

/* Cosine of two rows of JUDO_EMBEDDING_SIZE, in double precision; 0 when one has no length. */
float judo_embedding_cosine(const float *a, const float *b);

#endif
