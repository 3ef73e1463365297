/* rewards/device_scorer.h: completions scored by the device that wrote them. */
#ifndef JUDO_REWARDS_DEVICE_SCORER_H
#define JUDO_REWARDS_DEVICE_SCORER_H

#include "data/tokenizer.h"
#include "rewards/device_rewards.h"
#include "rewards/reward.h"
#include "runtime/device.h"

/* A device's scoring with a tokenizer's vocabulary. One at a time per device. */
typedef struct judo_device_scorer judo_device_scorer;

/* *out is NULL where the device has no scoring of its own. The device is borrowed. */
judo_status judo_device_scorer_open(const judo_device *device, const judo_tokenizer *tokenizer,
                                    judo_device_scorer **out) JUDO_MUST_CHECK;
void judo_device_scorer_close(judo_device_scorer **scorer);

/* Whether all of facts[0..count) name their tokens. */
bool judo_device_scorer_can(const judo_completion_facts *facts, int64_t count);

/* out[i] but for the domain reward, total and cosine, and thinks[i], what facts[i] has to
 * embed. JUDO_ERROR_MISMATCH where tokens and text are not of the same length. */
judo_status judo_device_scorer_run(judo_device_scorer *scorer, const judo_reward_rules *rules,
                                   const judo_completion_facts *facts, int64_t count,
                                   judo_reward_values *out, judo_span *thinks) JUDO_MUST_CHECK;

/* Completions that the device has scored since the scorer was opened; 0 where it is NULL. */
int64_t judo_device_scorer_scored(const judo_device_scorer *scorer);

#endif
