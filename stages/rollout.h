/* stages/rollout.h: completions of this rank's prompts, scored. A rank owns whole groups. */
#ifndef JUDO_STAGES_ROLLOUT_H
#define JUDO_STAGES_ROLLOUT_H

#include "models/generate.h"
#include "rewards/reward_filter.h"
#include "rewards/score.h"
#include "rewards/text_embedder.h"
#include "runtime/json.h"
#include "stages/stage.h"

typedef struct judo_rollout {
    int32_t num_prompts; /* of this rank; may be 0 */
    int32_t group_size;
    int64_t *positions;            /* [num_prompts] in the sampler's order */
    judo_sample *samples;          /* [num_prompts] */
    judo_sample_sequence *prompts; /* [num_prompts] */
    judo_generation generation;    /* [num_prompts * group_size] rows */
    judo_text *texts;              /* [rows] decoded completions */
    judo_reward_values *values;    /* [rows] */
    double *rewards;               /* [rows] totals */
    float *advantages;             /* [rows] */
} judo_rollout;

/* Room for `num_prompts` prompts. */
judo_status judo_rollout_create(const judo_train_config *config, int32_t num_prompts,
                                judo_rollout *out) JUDO_MUST_CHECK;
void judo_rollout_free(judo_rollout *rollout);

/* Reads prompt i's sample at global position `positions[i]`. Not collective. */
judo_status judo_rollout_read_prompts(judo_job *job, judo_rollout *rollout) JUDO_MUST_CHECK;

/* Draws the completions with whole weights. `builder` is scratch. Not collective. */
judo_status judo_rollout_generate(judo_job *job, judo_params *weights,
                                  judo_batch_builder *builder, const uint8_t *banned,
                                  judo_rollout *rollout) JUDO_MUST_CHECK;

/* Decodes and scores them and fills rewards. `scorer` (NULL: the host scores) and `embedder`
 * may be NULL. Not collective. */
judo_status judo_rollout_score(judo_job *job, const judo_reward_rules *rules,
                               judo_device_scorer *scorer, const judo_embedder *embedder,
                               judo_rollout *rollout) JUDO_MUST_CHECK;

/* One JSON object per completion, a line each, appended to `w`'s text. */
judo_status judo_rollout_describe(const judo_rollout *rollout, int64_t step,
                                  judo_text *lines) JUDO_MUST_CHECK;

#endif
