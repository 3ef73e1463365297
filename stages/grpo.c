/* stages/grpo.c: stage 3. Draw a group of completions per prompt, score them, and raise the
 * likelihood of what did better than its group (Shao et al. 2024). Departures from the
 * reference code: prompt and images are computed once per group, so an image cannot meet
 * another prompt's completion, and one denominator normalises a whole step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/banned_ids.h"
#include "models/checkpoint_directory.h"
#include "parallel/agree.h"
#include "parallel/replica_check.h"
#include "stages/advantage.h"
#include "stages/memory_plan.h"
#include "stages/policy_pass.h"
#include "stages/rollout.h"
#include "stages/rollout_metrics.h"
#include "stages/sample_files.h"

typedef struct judo_grpo {
    judo_rollout rollout;
    judo_policy_pass *pass;
    judo_batch_builder *prompt_builder;
    judo_reward_rules rules;
    judo_text_embedder *encoder; /* NULL without MiniLM */
    judo_embedder embedder;
    judo_device_scorer *scorer; /* NULL where the host scores */
    judo_zero3 *reference;      /* NULL when kl_beta is 0 */
    uint8_t *banned;            /* [vocabulary] */
    bool has_rollout;
} judo_grpo;

static double samples_per_step(const judo_train_config *config)
{
    return (double)config->grpo.prompts_per_step / (double)config->grpo.updates_per_rollout;
}

static int32_t own_prompts(const judo_job *job)
{
    int64_t prompts = job->config->grpo.prompts_per_step;
    return (int32_t)((prompts - job->comm->rank + job->comm->size - 1) / job->comm->size);
}

/* The frozen reference: the weights that the stage started from, sharded like the policy.
 * Collective. */
static judo_status open_reference(judo_job *job, judo_zero3 **out)
{
    judo_weight_source source = {0};
    const judo_param_layout *layout = judo_model_layout(job->model);
    JUDO_TRY(judo_zero3_create(job->comm, layout, job->device, &job->reference_sharding, out));
    JUDO_TRY(judo_agree(job->comm,
                        judo_model_source_open(job->config->model.path, layout, &source)));
    judo_status status = judo_zero3_load(*out, &source);
    judo_model_source_close(&source);
    return status;
}

/* Without an encoder there is no domain reward; something must remain. */
static judo_status resolve_rewards(const judo_train_config *config, judo_reward_rules *out)
{
    judo_reward_config rewards = config->rewards;
    if (!config->minilm_path[0]) {
        rewards.weights[JUDO_REWARD_DOMAIN] = 0;
        if (judo_log_is_chief()) {
            JUDO_WARNING("no rewards.minilm: the domain reward is off (launch/get-minilm "
                         "brings the model)");
        }
    }
    return judo_reward_rules_resolve(&rewards, out);
}

static judo_status open_parts(judo_job *job, judo_grpo *self)
{
    const judo_train_config *config = job->config;
    JUDO_TRY(judo_rollout_create(config, own_prompts(job), &self->rollout));
    JUDO_TRY(judo_batch_builder_create(job->processor, &self->prompt_builder));
    JUDO_TRY(judo_policy_pass_create(job, &self->pass));
    JUDO_TRY(resolve_rewards(config, &self->rules));
    JUDO_TRY(judo_banned_ids(job->tokenizer, &job->specials,
                             judo_model_config(job->model)->text.vocab_size, &self->banned));
    judo_model_set_banned(job->model, self->banned);
    JUDO_TRY(judo_device_scorer_open(job->device, job->tokenizer, &self->scorer));
    if (config->minilm_path[0]) {
        JUDO_TRY(judo_text_embedder_open(config->minilm_path, JUDO_F32, job->device,
                                         &self->encoder));
        self->embedder = judo_text_embedder_base(self->encoder);
    }
    return JUDO_OK;
}

static judo_status grpo_open(judo_job *job, void **state)
{
    judo_grpo *self = calloc(1, sizeof *self);
    if (!self) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the stage");
    }
    *state = self;
    JUDO_TRY(judo_agree(job->comm, open_parts(job, self)));
    if (job->config->grpo.kl_beta > 0) {
        JUDO_TRY(open_reference(job, &self->reference));
    }
    judo_memory_plan_batches(job, 2 * (int64_t)own_prompts(job));
    return JUDO_OK;
}

static void grpo_close(judo_job *job, void **state)
{
    judo_grpo *self = *state;
    if (self) {
        judo_rollout_free(&self->rollout);
        judo_policy_pass_destroy(&self->pass);
        judo_batch_builder_destroy(&self->prompt_builder);
        judo_text_embedder_close(&self->encoder);
        judo_device_scorer_close(&self->scorer);
        judo_zero3_destroy(&self->reference);
        judo_model_set_banned(job->model, NULL);
        free(self->banned);
        free(self);
        *state = NULL;
    }
}

/* The deviation of all valid rewards of the step, over all ranks; NaN with fewer than 2.
 * Collective. */
static judo_status batch_deviation(judo_job *job, const judo_rollout *rollout, double *out)
{
    double sums[2] = {0};
    double squares = 0;
    int32_t rows = rollout->num_prompts * rollout->group_size;
    for (int32_t row = 0; row < rows; row++) {
        bool valid = !isnan(rollout->rewards[row]);
        sums[0] += valid;
        sums[1] += valid ? rollout->rewards[row] : 0;
    }
    JUDO_TRY(judo_comm_sum_f64(job->comm, sums, 2));
    for (int32_t row = 0; row < rows; row++) {
        double distance = rollout->rewards[row] - sums[1] / sums[0];
        squares += isnan(distance) ? 0 : distance * distance;
    }
    JUDO_TRY(judo_comm_sum_f64(job->comm, &squares, 1));
    *out = sums[0] > 1 ? sqrt(squares / (sums[0] - 1)) : NAN;
    return JUDO_OK;
}

static judo_status advantages_of(judo_job *job, judo_rollout *rollout)
{
    double deviation;
    JUDO_TRY(batch_deviation(job, rollout, &deviation));
    return judo_group_advantages(rollout->rewards, rollout->num_prompts, rollout->group_size,
                                 (judo_advantage_scale)job->config->grpo.advantage_scale,
                                 JUDO_ADVANTAGE_EPSILON, deviation, rollout->advantages, NULL);
}

/* Local work of a rollout: everything between the gather of the weights and the policy pass. */
static judo_status draw_and_score(judo_job *job, judo_grpo *self, judo_params *weights,
                                  int64_t index)
{
    judo_rollout *rollout = &self->rollout;
    int64_t prompts = job->config->grpo.prompts_per_step;
    for (int32_t i = 0; i < rollout->num_prompts; i++) {
        rollout->positions[i] =
            index * prompts + (int64_t)i * job->comm->size + job->comm->rank;
    }
    JUDO_TRY(judo_rollout_read_prompts(job, rollout));
    JUDO_TRY(judo_rollout_generate(job, weights, self->prompt_builder, self->banned, rollout));
    return judo_rollout_score(job, &self->rules, self->scorer,
                              self->encoder ? &self->embedder : NULL, rollout);
}

static judo_status roll_out(judo_job *job, judo_grpo *self, int64_t step, int64_t index)
{
    judo_params *weights = NULL;
    double begin = judo_clock();
    JUDO_TRY(judo_zero3_gather_resident(job->zero, &weights));
    JUDO_TRY(judo_agree(job->comm, draw_and_score(job, self, weights, index)));
    int64_t every = job->config->run.check_replicas_every;
    if (every > 0 && (index + 1) % every == 0) {
        JUDO_TRY(judo_replica_check(job->comm, job->device, weights));
    }
    judo_zero3_release_resident(job->zero);
    judo_metrics_put(job->metrics, "time/rollout", judo_clock() - begin);
    JUDO_TRY(advantages_of(job, &self->rollout));
    JUDO_TRY(judo_rollout_metrics(job, &self->rollout));
    if (job->config->grpo.keep_samples) {
        JUDO_TRY(judo_sample_files_write(job, &self->rollout, step));
    }
    JUDO_TRY(judo_agree(job->comm, judo_policy_pass_pack(self->pass, &self->rollout)));
    if (self->reference) {
        judo_phases_enter(&job->phases, step, JUDO_PHASE_REFERENCE);
        JUDO_TRY(judo_policy_pass_reference(self->pass, judo_zero3_params(self->reference)));
    }
    return JUDO_OK;
}

static judo_status grpo_accumulate(judo_job *job, void *state, int64_t step)
{
    judo_grpo *self = state;
    int64_t updates = job->config->grpo.updates_per_rollout;
    /* A run that ended inside a rollout and is prolonged draws it anew. */
    bool is_fresh = step % updates == 0 || !self->has_rollout;
    if (is_fresh) {
        judo_phases_enter(&job->phases, step, JUDO_PHASE_ROLLOUT);
        JUDO_TRY(roll_out(job, self, step, step / updates));
        self->has_rollout = true;
    }
    judo_phases_enter(&job->phases, step, JUDO_PHASE_MODEL);
    return judo_policy_pass_update(self->pass, is_fresh);
}

const judo_stage judo_stage_grpo = {
    .name = "grpo",
    .summary = "stage 3: group-relative policy optimisation with domain, segmentation, choice, "
               "format and structure rewards",
    .kind = JUDO_SAMPLE_CHOICE,
    .for_grpo = true,
    .samples_per_step = samples_per_step,
    .open = grpo_open,
    .accumulate = grpo_accumulate,
    .close = grpo_close,
};
