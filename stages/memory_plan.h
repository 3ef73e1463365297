/* stages/memory_plan.h: what each rank of a job takes, said by purpose before the first step.
 */
#ifndef JUDO_STAGES_MEMORY_PLAN_H
#define JUDO_STAGES_MEMORY_PLAN_H

#include "rewards/text_embedder.h"
#include "stages/stage.h"

/* Weights, gradients, moments, buffers, activations and exchange: of every job. */
void judo_memory_plan_job(const judo_job *job);
/* At most `num_batches` batches of the configured size are held at once. */
void judo_memory_plan_batches(const judo_job *job, int64_t num_batches);
/* What stage 3 holds beside: the reference model and the reward's encoder (NULL: none), and,
 * while completions are drawn for `num_prompts` prompts, whole weights, keys and values. */
void judo_memory_plan_rollout(const judo_job *job, const judo_zero3 *reference,
                              const judo_text_embedder *encoder, int32_t num_prompts);

#endif
