/* tests/parity/filter/policy_loss.c: the policy loss of stage 3 on given logits. */
#include <stdlib.h>
#include <string.h>

#include "models/sequence_ratio.h"
#include "stages/loss_scale.h"
#include "stages/policy_loss.h"
#include "tests/parity/filter/filters.h"
#include "tests/parity/filter/logits_head.h"

/* In the order of judo_policy_loss. */
static const char *const kinds[] = {"grpo", "bnpo", "dr_grpo", "dapo", "luspo", "gspo"};

typedef struct policy_request {
    judo_train_config config; /* only `grpo` is read */
    logits_head head;
    int32_t num_completions;
    float *completion_advantages;               /* [num_completions] */
    float *advantages, *gradients, *log_ratios; /* [rows] */
    float *old_logprobs, *ref_logprobs;         /* [rows] or NULL */
} policy_request;

static judo_status read_config(const judo_json *request, const char *source,
                               judo_train_config *config)
{
    const char *loss, *importance;
    int kind = 0;
    JUDO_TRY(judo_json_get_string(request, "loss", source, &loss));
    JUDO_TRY(judo_json_get_string(request, "importance", source, &importance));
    while (kind < (int)(sizeof kinds / sizeof kinds[0]) && strcmp(kinds[kind], loss) != 0) {
        kind++;
    }
    config->grpo.loss = kind;
    config->grpo.importance = strcmp(importance, "sequence") == 0;
    JUDO_TRY(judo_json_get_double(request, "clip_low", source, &config->grpo.clip_low));
    JUDO_TRY(judo_json_get_double(request, "clip_high", source, &config->grpo.clip_high));
    JUDO_TRY(judo_json_get_double(request, "delta", source, &config->grpo.delta));
    JUDO_TRY(judo_json_get_double(request, "kl_beta", source, &config->grpo.kl_beta));
    JUDO_TRY(judo_json_get_double(request, "temperature", source,
                                  &config->grpo.logprob_temperature));
    return judo_json_get_int(request, "max_new_tokens", source, &config->grpo.max_new_tokens);
}

static judo_status open_request(const judo_json *request, const char *source,
                                policy_request *out)
{
    logits_head *head = &out->head;
    JUDO_TRY(read_config(request, source, &out->config));
    JUDO_TRY(logits_head_open(request, source, head));
    const judo_json *lengths = judo_json_get(request, "lengths");
    out->num_completions = judo_json_size(lengths);
    JUDO_TRY(logits_head_numbers(request, "advantages", source, out->num_completions,
                                 &out->completion_advantages));
    JUDO_TRY(logits_head_numbers(request, "old", source, head->rows, &out->old_logprobs));
    JUDO_TRY(logits_head_numbers(request, "ref", source, head->rows, &out->ref_logprobs));
    out->advantages = calloc((size_t)head->rows, sizeof(float));
    out->gradients = calloc((size_t)head->rows, sizeof(float));
    out->log_ratios = calloc((size_t)head->rows, sizeof(float));
    if (!out->completion_advantages || !out->advantages || !out->gradients ||
        !out->log_ratios) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: no advantages", source);
    }
    for (int32_t i = 0; i < head->rows; i++) {
        int64_t length;
        JUDO_TRY(judo_json_as_int(judo_json_at(lengths, head->sequences[i]), source, &length));
        out->advantages[i] = out->completion_advantages[head->sequences[i]];
        head->weights[i] =
            judo_policy_weight((judo_policy_loss)out->config.grpo.loss, (int32_t)length);
    }
    return JUDO_OK;
}

static void close_request(policy_request *request)
{
    logits_head_close(&request->head);
    free(request->completion_advantages);
    free(request->advantages);
    free(request->gradients);
    free(request->log_ratios);
    free(request->old_logprobs);
    free(request->ref_logprobs);
}

static judo_token_loss loss_of(policy_request *self)
{
    judo_token_loss loss = judo_policy_token_loss(
        &self->config,
        judo_policy_denominator((judo_policy_loss)self->config.grpo.loss, self->num_completions,
                                self->head.rows, (double)self->config.grpo.max_new_tokens));
    loss.weights = self->head.weights;
    loss.advantages = self->advantages;
    loss.old_logprobs = self->old_logprobs;
    loss.ref_logprobs = self->ref_logprobs;
    loss.log_ratios = judo_policy_is_sequence_level(&self->config) ? self->log_ratios : NULL;
    return loss;
}

/* As models/head_pass.c: at sequence level the log-probabilities come first. */
static judo_status run_loss(policy_request *self, const judo_token_loss *loss,
                            judo_token_result *result)
{
    logits_head *head = &self->head;
    if (loss->log_ratios && loss->old_logprobs) {
        judo_token_loss none = {
            .kind = JUDO_LOSS_NONE, .scale = 1, .temperature = loss->temperature};
        judo_token_result current = {0};
        JUDO_TRY(logits_head_run(head, &none, false, &current));
        judo_sequence_log_ratios(head->rows, head->sequences, head->logprobs,
                                 loss->old_logprobs, loss->log_ratios);
    }
    JUDO_TRY(logits_head_run(head, loss, true, result));
    for (int32_t i = 0; i < head->rows; i++) {
        self->gradients[i] =
            (float)(loss->scale * (double)head->weights[i] *
                    (double)judo_token_loss_at(loss, i, head->logprobs[i]).gradient);
    }
    return JUDO_OK;
}

static void put_answer(policy_request *self, const judo_token_loss *loss,
                       const judo_token_result *result, judo_json_writer *answer)
{
    const logits_head *head = &self->head;
    double clippable = loss->log_ratios ? self->num_completions : head->rows;
    judo_clip_tally clips = judo_clip_tally_begin();
    judo_clip_tally_add(&clips, loss, head->rows, head->sequences, head->logprobs);
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "loss", result->loss);
    judo_json_put_double(answer, "kl", result->kl / head->rows);
    judo_json_put_double(answer, "entropy", result->entropy / head->rows);
    judo_json_put_double(answer, "low_mean", clips.low / clippable);
    judo_json_put_double(answer, "high_mean", clips.high / clippable);
    judo_json_put_double(answer, "low_min", clips.low_min);
    judo_json_put_double(answer, "high_max", clips.high_max);
    logits_head_put(answer, "logprobs", head->logprobs, head->rows);
    logits_head_put(answer, "gradient", self->gradients, head->rows);
    logits_head_put(answer, "logit_gradient", head->gradient.data,
                    (int64_t)head->rows * head->vocabulary);
    judo_json_end_object(answer);
}

judo_status judo_parity_policy_loss_answer(void *context, const judo_json *request,
                                           const char *source, judo_json_writer *answer)
{
    (void)context;
    policy_request self = {0};
    judo_token_result result = {0};
    judo_status status = open_request(request, source, &self);
    if (status == JUDO_OK) {
        judo_token_loss loss = loss_of(&self);
        status = run_loss(&self, &loss, &result);
        if (status == JUDO_OK) {
            put_answer(&self, &loss, &result, answer);
        }
    }
    close_request(&self);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, judo_parity_policy_loss_answer);
}

const judo_tool judo_parity_policy_loss = {
    .name = "policy_loss",
    .summary = "stage 3's loss and gradients on given logits",
    .help =
        "judo_parity policy_loss: the loss of an update on given logits\n\n"
        "  {\"loss\": NAME, \"importance\": token|sequence, \"clip_low\", \"clip_high\",\n"
        "   \"delta\", \"kl_beta\", \"temperature\", \"max_new_tokens\",\n"
        "   \"lengths\": [tokens of each completion], \"advantages\": [of each completion],\n"
        "   \"logits\": [[..] of each token], \"targets\": [..], \"old\": [..]|null,\n"
        "   \"ref\": [..]|null}\n"
        "  -> {\"loss\", \"kl\", \"entropy\", \"low_mean\", \"high_mean\", \"low_min\",\n"
        "      \"high_max\", \"logprobs\", \"gradient\" (by log-probability),\n"
        "      \"logit_gradient\"}\n",
    .run = run,
};
