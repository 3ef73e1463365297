/* tests/bench/gpu/decode.c: tokens per second of completions that share prompts. */
#include "runtime/median.h"
#include "tests/bench/gpu/generation.h"

#include <stdio.h>
#include <stdlib.h>

judo_status bench_generate(judo_model *model, judo_params *params, const judo_batch *prompts,
                           int32_t per_prompt, int32_t new_tokens, double *seconds)
{
    judo_generate_options options = {
        .sampling = {.temperature = 0.8f, .top_k = 50, .top_p = 0.95f, .repetition_penalty = 1},
        .max_new_tokens = new_tokens,
        .seed = 1,
        .logprob_temperature = 0.8f};
    uint64_t keys[BENCH_MOST_PROMPTS];
    judo_generation generation;
    for (int32_t i = 0; i < prompts->num_spans; i++) {
        keys[i] = (uint64_t)i;
    }
    JUDO_TRY(judo_generation_create(prompts->num_spans * per_prompt, new_tokens, &generation));
    double start = bench_now();
    judo_status status =
        judo_generate(model, params, prompts, keys, per_prompt, &options, &generation);
    *seconds = bench_now() - start;
    judo_generation_free(&generation);
    return status;
}

typedef struct decoder {
    judo_qwen_config config;
    judo_model *model;
    judo_local_params *params;
    judo_batch prompts;
} decoder;

static judo_status open_decoder(const bench *b, int32_t num_prompts, decoder *out)
{
    const int32_t tokens = b->small ? 40 : BENCH_PROMPT;
    judo_model_options options = {
        .forward_only = true, .dtype = JUDO_BF16, .max_tokens = num_prompts * tokens};
    judo_weight_source weights = bench_weights();
    out->config = bench_config(b);
    JUDO_TRY(bench_prompts_create(&out->config, 0, tokens, num_prompts, &out->prompts));
    JUDO_TRY(judo_model_create(&out->config, b->device, &options, &out->model));
    JUDO_TRY(judo_local_params_create(judo_model_layout(out->model), b->device, JUDO_BF16,
                                      false, &out->params));
    return b->unreal ? JUDO_OK : judo_local_params_load(out->params, &weights);
}

static void close_decoder(decoder *d)
{
    judo_local_params_destroy(&d->params);
    judo_model_destroy(&d->model);
    bench_batch_destroy(&d->prompts);
}

/* A call that draws one token is the prompts' pass; the rest of a whole call are the steps. */
static judo_status time_decoder(decoder *d, int32_t per_prompt, int32_t new_tokens,
                                double *prefill, double *whole)
{
    enum { TURNS = 3 };

    double first[TURNS];
    double all[TURNS];
    judo_params *params = judo_local_params_base(d->params);
    for (int i = 0; i < TURNS; i++) {
        JUDO_TRY(bench_generate(d->model, params, &d->prompts, per_prompt, 1, &first[i]));
        JUDO_TRY(
            bench_generate(d->model, params, &d->prompts, per_prompt, new_tokens, &all[i]));
    }
    *prefill = judo_median(first, TURNS);
    *whole = judo_median(all, TURNS);
    return JUDO_OK;
}

static judo_status decode_row(bench *b, int32_t num_prompts, int32_t per_prompt, double *calls,
                              bench_result *result)
{
    const int32_t new_tokens = b->small ? 8 : BENCH_COMPLETION;
    const double rows = (double)num_prompts * per_prompt;
    double prefill = 0.0;
    double whole = 0.0;
    decoder d = {.model = NULL};
    judo_status status = open_decoder(b, num_prompts, &d);
    if (status == JUDO_OK) {
        status = time_decoder(&d, per_prompt, new_tokens, &prefill, &whole);
    }
    close_decoder(&d);
    JUDO_TRY(status);
    result->measured = true;
    result->value = rows * (new_tokens - 1) / (whole - prefill);
    *calls = rows * new_tokens / whole;
    (void)snprintf(result->text, sizeof result->text, "%.0f tokens/s", result->value);
    (void)snprintf(result->remark, sizeof result->remark,
                   "%d prompts of %d tokens in %.3g s, %.3g ms a step, %.0f tokens/s in all",
                   num_prompts, d.config.text.vocab_size < 10000 ? 40 : BENCH_PROMPT, prefill,
                   1e3 * (whole - prefill) / (new_tokens - 1), *calls);
    return JUDO_OK;
}

judo_status bench_decode_32(bench *b, bench_result *result)
{
    return decode_row(b, 2, b->small ? 2 : 16, &b->generate_rate, result);
}

judo_status bench_decode_256(bench *b, bench_result *result)
{
    double calls = 0.0;
    return decode_row(b, b->small ? 3 : 16, b->small ? 2 : 16, &calls, result);
}
