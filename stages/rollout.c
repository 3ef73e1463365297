/* stages/rollout.c: prompts, completions, scores. */
#include "stages/rollout.h"

#include <math.h>
#include <stdlib.h>

#include "data/batch_builder.h"

judo_status judo_rollout_create(const judo_train_config *config, int32_t num_prompts,
                                judo_rollout *out)
{
    int32_t group_size = (int32_t)config->grpo.group_size;
    size_t prompts = (size_t)num_prompts;
    size_t rows = prompts * (size_t)group_size;
    *out = (judo_rollout){.num_prompts = num_prompts, .group_size = group_size};
    out->positions = calloc(prompts + 1, sizeof *out->positions);
    out->samples = calloc(prompts + 1, sizeof *out->samples);
    out->prompts = calloc(prompts + 1, sizeof *out->prompts);
    out->texts = calloc(rows + 1, sizeof *out->texts);
    out->values = calloc(rows + 1, sizeof *out->values);
    out->rewards = calloc(rows + 1, sizeof *out->rewards);
    out->advantages = calloc(rows + 1, sizeof *out->advantages);
    if (!out->positions || !out->samples || !out->prompts || !out->texts || !out->values ||
        !out->rewards || !out->advantages) {
        judo_rollout_free(out);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a rollout of %zu completions", rows);
    }
    return judo_generation_create((int32_t)rows, (int32_t)config->grpo.max_new_tokens,
                                  &out->generation);
}

void judo_rollout_free(judo_rollout *rollout)
{
    for (int32_t i = 0; rollout->prompts && i < rollout->num_prompts; i++) {
        judo_sample_sequence_free(&rollout->prompts[i]);
    }
    for (int32_t row = 0; rollout->texts && row < rollout->num_prompts * rollout->group_size;
         row++) {
        judo_text_free(&rollout->texts[row]);
    }
    free(rollout->positions);
    free(rollout->samples);
    free(rollout->prompts);
    free(rollout->texts);
    free(rollout->values);
    free(rollout->rewards);
    free(rollout->advantages);
    judo_generation_free(&rollout->generation);
    *rollout = (judo_rollout){0};
}

judo_status judo_rollout_read_prompts(judo_job *job, judo_rollout *rollout)
{
    for (int32_t i = 0; i < rollout->num_prompts; i++) {
        int64_t place;
        JUDO_TRY(judo_sampler_index(job->sampler, rollout->positions[i], &place));
        judo_sample_sequence_free(&rollout->prompts[i]);
        JUDO_TRY(judo_dataset_sample(job->dataset, job->indices[place], &rollout->samples[i]));
        JUDO_TRY(judo_sample_sequence_build(&job->text, job->dataset, &rollout->samples[i],
                                            false, &rollout->prompts[i]));
    }
    return JUDO_OK;
}

judo_status judo_rollout_generate(judo_job *job, judo_params *weights,
                                  judo_batch_builder *builder, const uint8_t *banned,
                                  judo_rollout *rollout)
{
    const judo_train_config *config = job->config;
    int32_t stops[] = {job->specials.im_end, job->specials.endoftext};
    judo_generate_options options = {
        .sampling = {.temperature = (float)config->grpo.temperature,
                     .top_k = (int32_t)config->grpo.top_k,
                     .top_p = (float)config->grpo.top_p,
                     .min_p = (float)config->grpo.min_p,
                     .repetition_penalty = (float)config->grpo.repetition_penalty},
        .max_new_tokens = (int32_t)config->grpo.max_new_tokens,
        .stop_tokens = stops,
        .num_stop_tokens = 2,
        .banned = banned,
        .seed = (uint64_t)config->run.seed,
        .logprob_temperature = (float)config->grpo.logprob_temperature,
    };
    if (rollout->num_prompts == 0) {
        return JUDO_OK;
    }
    uint64_t *keys = calloc((size_t)rollout->num_prompts, sizeof *keys);
    if (!keys) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a rollout");
    }
    judo_status status = JUDO_OK;
    judo_batch_builder_reset(builder);
    for (int32_t i = 0; i < rollout->num_prompts && status == JUDO_OK; i++) {
        /* Keyed by the position in the data order, which no number of ranks changes. */
        keys[i] = (uint64_t)rollout->positions[i];
        status = judo_batch_builder_add(builder, &rollout->prompts[i].view);
    }
    judo_batch batch;
    if (status == JUDO_OK) {
        status = judo_batch_builder_batch(builder, &batch);
    }
    if (status == JUDO_OK) {
        status = judo_generate(job->model, weights, &batch, keys, rollout->group_size, &options,
                               &rollout->generation);
    }
    free(keys);
    return status;
}

static judo_completion_facts facts_of(const judo_rollout *rollout, int32_t row)
{
    const judo_sample *sample = &rollout->samples[row / rollout->group_size];
    const judo_generation *generation = &rollout->generation;
    const judo_text *text = &rollout->texts[row];
    return (judo_completion_facts){
        .text = text->bytes ? text->bytes : "",
        .length = text->length,
        .tokens = generation->tokens + (int64_t)row * generation->max_new_tokens,
        .num_tokens = generation->lengths[row],
        .answer = sample->answer,
        .gold = sample->cells,
        .cosine = NAN,
        .rationale_embedding = sample->rationale_embedding,
        .rationale = sample->rationale,
    };
}

judo_status judo_rollout_score(judo_job *job, const judo_reward_rules *rules,
                               judo_device_scorer *scorer, const judo_embedder *embedder,
                               judo_rollout *rollout)
{
    int32_t rows = rollout->num_prompts * rollout->group_size;
    judo_completion_facts *facts = calloc((size_t)rows + 1, sizeof *facts);
    if (!facts) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to score %d completions", rows);
    }
    judo_status status = JUDO_OK;
    const judo_generation *generation = &rollout->generation;
    for (int32_t row = 0; row < rows && status == JUDO_OK; row++) {
        judo_text *text = &rollout->texts[row];
        text->length = 0;
        status = judo_tokenizer_decode(
            job->tokenizer, generation->tokens + (int64_t)row * generation->max_new_tokens,
            generation->lengths[row], true, text);
        facts[row] = facts_of(rollout, row);
    }
    if (status == JUDO_OK) {
        status = judo_rewards_score_on(scorer, rules, facts, rows, embedder, rollout->values);
    }
    for (int32_t row = 0; row < rows && status == JUDO_OK; row++) {
        rollout->rewards[row] = rollout->values[row].total;
        if (!embedder) { /* would be known only where there is no reasoning */
            rollout->values[row].value[JUDO_REWARD_DOMAIN] = NAN;
        }
    }
    free(facts);
    return status;
}

judo_status judo_rollout_describe(const judo_rollout *rollout, int64_t step, judo_text *lines)
{
    judo_json_writer w = {0};
    judo_status status = JUDO_OK;
    for (int32_t row = 0; row < rollout->num_prompts * rollout->group_size && status == JUDO_OK;
         row++) {
        int32_t prompt = row / rollout->group_size;
        const judo_sample *sample = &rollout->samples[prompt];
        judo_json_writer_clear(&w);
        judo_json_begin_object(&w, NULL);
        judo_json_put_int(&w, "step", step);
        judo_json_put_int(&w, "sample", sample->index);
        judo_json_put_int(&w, "position", rollout->positions[prompt]);
        judo_json_put_int(&w, "generation", row % rollout->group_size);
        judo_json_put_string(&w, "source", sample->source);
        judo_json_put_string(&w, "question", sample->question);
        char answer[2] = {sample->answer, '\0'};
        judo_json_put_string(&w, "answer", answer);
        judo_json_put_bytes(&w, "completion", rollout->texts[row].bytes,
                            rollout->texts[row].length);
        judo_json_put_int(&w, "length", rollout->generation.lengths[row]);
        judo_json_put_bool(&w, "stopped", rollout->generation.stopped[row]);
        judo_reward_values_write(&rollout->values[row], &w);
        judo_json_put_double(&w, "advantage", rollout->advantages[row]);
        judo_json_end_object(&w);
        status = judo_json_writer_check(&w);
        if (status == JUDO_OK) {
            status = judo_text_append(lines, w.text, w.length);
        }
        if (status == JUDO_OK) {
            status = judo_text_append(lines, "\n", 1);
        }
    }
    judo_json_writer_free(&w);
    return status;
}
