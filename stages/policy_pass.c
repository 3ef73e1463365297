/* stages/policy_pass.c: group batches, their denominator, and the policy loss. */
#include "stages/policy_pass.h"

#include <math.h>
#include <stdlib.h>

#include "data/batch_builder.h"
#include "parallel/agree.h"
#include "stages/finite_check.h"
#include "stages/loss_scale.h"
#include "stages/policy_loss.h"

typedef struct group_targets {
    int64_t row; /* of the dataset */
    int32_t count, capacity;
    float *advantages, *old_logprobs, *ref_logprobs, *drawn_logprobs, *logprobs, *entropies,
        *log_ratios; /* [capacity] */
} group_targets;

struct judo_policy_pass {
    judo_job *job;
    int32_t num_micro; /* groups per rank, the same on all ranks; a rank without a group runs it
                          empty */
    judo_batch_builder **builders; /* [num_micro] */
    group_targets *targets;        /* [num_micro] */
    judo_completion *completions;  /* [group_size] scratch */
    double denominator;
    double num_tokens;      /* target tokens of the step, over all ranks; at least 1 */
    double num_completions; /* of the step, over all ranks */
};

static judo_status reserve_targets(group_targets *targets, int32_t count)
{
    targets->count = count;
    if (count <= targets->capacity) {
        return JUDO_OK;
    }
    float **arrays[] = {&targets->advantages,   &targets->old_logprobs,
                        &targets->ref_logprobs, &targets->drawn_logprobs,
                        &targets->logprobs,     &targets->entropies,
                        &targets->log_ratios};
    for (size_t a = 0; a < sizeof arrays / sizeof arrays[0]; a++) {
        float *grown = realloc(*arrays[a], (size_t)count * sizeof(float));
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d target tokens", count);
        }
        *arrays[a] = grown;
    }
    targets->capacity = count;
    return JUDO_OK;
}

judo_status judo_policy_pass_create(judo_job *job, judo_policy_pass **out)
{
    JUDO_TRY(judo_policy_loss_check(job->config));
    judo_policy_pass *self = calloc(1, sizeof *self);
    if (!self) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the policy pass");
    }
    *out = self;
    self->job = job;
    int64_t prompts = job->config->grpo.prompts_per_step;
    self->num_micro = (int32_t)((prompts + job->comm->size - 1) / job->comm->size);
    self->builders = calloc((size_t)self->num_micro, sizeof(judo_batch_builder *));
    self->targets = calloc((size_t)self->num_micro, sizeof *self->targets);
    self->completions = calloc((size_t)job->config->grpo.group_size, sizeof *self->completions);
    if (!self->builders || !self->targets || !self->completions) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d groups", self->num_micro);
    }
    for (int32_t m = 0; m < self->num_micro; m++) {
        JUDO_TRY(judo_batch_builder_create(job->processor, &self->builders[m]));
    }
    return JUDO_OK;
}

void judo_policy_pass_destroy(judo_policy_pass **pass)
{
    judo_policy_pass *self = *pass;
    if (!self) {
        return;
    }
    for (int32_t m = 0; m < self->num_micro; m++) {
        if (self->builders) {
            judo_batch_builder_destroy(&self->builders[m]);
        }
        if (self->targets) {
            group_targets *t = &self->targets[m];
            free(t->advantages);
            free(t->old_logprobs);
            free(t->ref_logprobs);
            free(t->drawn_logprobs);
            free(t->logprobs);
            free(t->entropies);
            free(t->log_ratios);
        }
    }
    free(self->builders);
    free(self->targets);
    free(self->completions);
    free(self);
    *pass = NULL;
}

/* A completion that is left out is one of no tokens: it costs nothing, and still counts where
 * completions are counted. */
static int32_t counted_length(const judo_policy_pass *self, const judo_generation *generation,
                              int32_t row)
{
    bool masked = self->job->config->grpo.mask_truncated && !generation->stopped[row];
    return masked ? 0 : generation->lengths[row];
}

static judo_status pack_group(judo_policy_pass *self, const judo_rollout *rollout,
                              int32_t group)
{
    const judo_generation *generation = &rollout->generation;
    group_targets *targets = &self->targets[group];
    judo_policy_loss kind = (judo_policy_loss)self->job->config->grpo.loss;
    int32_t first_row = group * rollout->group_size;
    int32_t total = 0;
    for (int32_t k = 0; k < rollout->group_size; k++) {
        int32_t length = counted_length(self, generation, first_row + k);
        self->completions[k] = (judo_completion){
            .tokens =
                generation->tokens + (int64_t)(first_row + k) * generation->max_new_tokens,
            .num_tokens = length,
            .weight = judo_policy_weight(kind, length),
        };
        total += length;
    }
    JUDO_TRY(judo_batch_builder_add_group(self->builders[group], &rollout->prompts[group].view,
                                          self->completions, rollout->group_size));
    JUDO_TRY(reserve_targets(targets, total));
    targets->row = rollout->samples[group].index;
    int32_t at = 0;
    for (int32_t k = 0; k < rollout->group_size; k++) {
        int64_t row = first_row + k;
        for (int32_t t = 0; t < self->completions[k].num_tokens; t++, at++) {
            targets->advantages[at] = rollout->advantages[row];
            targets->drawn_logprobs[at] =
                generation->logprobs[row * generation->max_new_tokens + t];
        }
    }
    return JUDO_OK;
}

judo_status judo_policy_pass_pack(judo_policy_pass *self, const judo_rollout *rollout)
{
    for (int32_t m = 0; m < self->num_micro; m++) {
        judo_batch_builder_reset(self->builders[m]);
        self->targets[m].count = 0;
        if (m < rollout->num_prompts) {
            JUDO_TRY(pack_group(self, rollout, m));
        }
        judo_batch batch;
        JUDO_TRY(judo_batch_builder_batch(self->builders[m], &batch));
        JUDO_TRY(judo_model_check_batch(self->job->model, &batch));
    }
    return JUDO_OK;
}

judo_status judo_policy_pass_reference(judo_policy_pass *self, judo_params *reference)
{
    float temperature = (float)self->job->config->grpo.logprob_temperature;
    for (int32_t m = 0; m < self->num_micro; m++) {
        judo_batch batch;
        JUDO_TRY(judo_batch_builder_batch(self->builders[m], &batch));
        judo_token_loss loss = {
            .kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = temperature};
        judo_token_result result = {.logprobs = self->targets[m].ref_logprobs};
        JUDO_TRY(judo_model_run(self->job->model, reference, &batch, &loss, false, &result));
    }
    return JUDO_OK;
}

/* One denominator for the whole step, over all ranks and groups. Collective. */
static judo_status agree_denominator(judo_policy_pass *self)
{
    const judo_train_config *config = self->job->config;
    double tokens = 0;
    for (int32_t m = 0; m < self->num_micro; m++) {
        tokens += self->targets[m].count;
    }
    JUDO_TRY(judo_comm_sum_f64(self->job->comm, &tokens, 1));
    self->num_completions = (double)(config->grpo.prompts_per_step * config->grpo.group_size);
    self->num_tokens = tokens > 0 ? tokens : 1;
    self->denominator =
        judo_policy_denominator((judo_policy_loss)config->grpo.loss, self->num_completions,
                                tokens, (double)config->grpo.max_new_tokens);
    return JUDO_OK;
}

/* How far the log-probabilities recorded while drawing are from the training pass's: sum and
 * largest. */
static void measure_drift(const group_targets *targets, double *sum, double *largest)
{
    for (int32_t i = 0; i < targets->count; i++) {
        double difference =
            fabs((double)targets->logprobs[i] - (double)targets->drawn_logprobs[i]);
        *sum += difference;
        *largest = fmax(*largest, difference);
    }
}

/* What an update adds up over its groups. */
typedef struct update_sums {
    judo_token_result result;
    judo_clip_tally clips;
    double drift, largest_drift;
} update_sums;

/* Names and definitions as TRL's GRPO trainer. Collective. */
static judo_status put_metrics(judo_policy_pass *self, const update_sums *own)
{
    judo_metrics *metrics = self->job->metrics;
    const judo_train_config *config = self->job->config;
    double sums[6] = {own->result.loss, own->result.kl,  own->result.entropy,
                      own->clips.low,   own->clips.high, own->drift};
    double extremes[3] = {own->largest_drift, own->clips.high_max, -own->clips.low_min};
    JUDO_TRY(judo_comm_sum_f64(self->job->comm, sums, 6));
    JUDO_TRY(judo_comm_max_f64(self->job->comm, extremes, 3));
    double clippable =
        judo_policy_is_sequence_level(config) ? self->num_completions : self->num_tokens;
    judo_metrics_put(metrics, "loss", sums[0]);
    if (config->grpo.kl_beta > 0) {
        judo_metrics_put(metrics, "kl", sums[1] / self->num_tokens);
    }
    judo_metrics_put(metrics, "entropy", sums[2] / self->num_tokens);
    judo_metrics_put(metrics, "clip_ratio/low_mean", sums[3] / clippable);
    judo_metrics_put(metrics, "clip_ratio/high_mean", sums[4] / clippable);
    judo_metrics_put(metrics, "clip_ratio/region_mean", (sums[3] + sums[4]) / clippable);
    judo_metrics_put(metrics, "clip_ratio/low_min", isfinite(extremes[2]) ? -extremes[2] : 0);
    judo_metrics_put(metrics, "clip_ratio/high_max", isfinite(extremes[1]) ? extremes[1] : 0);
    judo_metrics_put(metrics, "sampling/sampling_logp_difference/mean",
                     sums[5] / self->num_tokens);
    judo_metrics_put(metrics, "sampling/sampling_logp_difference/max", extremes[0]);
    judo_metrics_put(metrics, "num_tokens", self->num_tokens);
    return JUDO_OK;
}

static judo_status update_group(judo_policy_pass *self, int32_t group, bool first_update,
                                update_sums *sums)
{
    const judo_train_config *config = self->job->config;
    group_targets *targets = &self->targets[group];
    judo_batch batch;
    JUDO_TRY(judo_batch_builder_batch(self->builders[group], &batch));
    judo_token_loss loss = judo_policy_token_loss(config, self->denominator);
    loss.weights = batch.target_weights;
    loss.advantages = targets->advantages;
    loss.old_logprobs = first_update ? NULL : targets->old_logprobs;
    loss.ref_logprobs = config->grpo.kl_beta > 0 ? targets->ref_logprobs : NULL;
    loss.log_ratios = judo_policy_is_sequence_level(config) ? targets->log_ratios : NULL;
    sums->result.logprobs = targets->logprobs;
    sums->result.entropies = targets->entropies;
    JUDO_TRY(judo_model_run(self->job->model, self->job->params, &batch, &loss, true,
                            &sums->result));
    judo_clip_tally_add(&sums->clips, &loss, batch.num_targets, batch.target_sequences,
                        targets->logprobs);
    if (first_update) {
        measure_drift(targets, &sums->drift, &sums->largest_drift);
        float *swap = targets->old_logprobs;
        targets->old_logprobs = targets->logprobs;
        targets->logprobs = swap;
    }
    return JUDO_OK;
}

judo_status judo_policy_pass_update(judo_policy_pass *self, bool first_update)
{
    update_sums sums = {.clips = judo_clip_tally_begin()};
    JUDO_TRY(agree_denominator(self));
    for (int32_t m = 0; m < self->num_micro; m++) {
        bool was_finite = isfinite(sums.result.loss);
        JUDO_TRY(update_group(self, m, first_update, &sums));
        if (was_finite && !isfinite(sums.result.loss)) {
            judo_finite_check_name_rows(self->job, &self->targets[m].row, 1);
        }
    }
    return put_metrics(self, &sums);
}
