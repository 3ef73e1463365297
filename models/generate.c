/* models/generate.c: prefill once per prompt, then one token per live row and step. */
#include "models/generate.h"

#include <stdlib.h>

#include "models/batch_check.h"
#include "models/decode.h"
#include "models/model_state.h"
#include "models/prompt_slice.h"
#include "runtime/random.h"

typedef struct generator {
    judo_model *model;
    const judo_batch *prompts;
    const uint64_t *keys;
    int32_t per_prompt, num_rows;
    const judo_generate_options *options;
    judo_generation *out;
    int64_t vocab;
    judo_kv_cache cache;
    judo_decoder decoder;
    int32_t num_live;           /* rows still growing */
    judo_decode_input *inputs;  /* [num_rows] of the live rows, ascending */
    void *logits;               /* [num_rows, vocab] fp32, on the device */
    void *hidden;               /* [num_prompts, hidden] in the model's dtype, likewise */
    int32_t *last_rows;         /* [num_prompts] */
    float *uniforms, *logprobs; /* [num_rows] of the live rows */
    int32_t *tokens;            /* [num_rows] of the live rows */
    uint8_t *seen;              /* [num_rows, vocab], NULL without a repetition penalty */
    const uint8_t **seen_rows;  /* [num_rows] of the live rows */
} generator;

judo_status judo_generation_create(int32_t num_rows, int32_t max_new_tokens,
                                   judo_generation *out)
{
    size_t rows = (size_t)num_rows + 1;
    *out = (judo_generation){.num_rows = num_rows, .max_new_tokens = max_new_tokens};
    out->tokens = calloc(rows * (size_t)max_new_tokens, sizeof *out->tokens);
    out->logprobs = calloc(rows * (size_t)max_new_tokens, sizeof *out->logprobs);
    out->lengths = calloc(rows, sizeof *out->lengths);
    out->stopped = calloc(rows, sizeof *out->stopped);
    if (!out->tokens || !out->logprobs || !out->lengths || !out->stopped) {
        judo_generation_free(out);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d completions of %d tokens",
                         num_rows, max_new_tokens);
    }
    return JUDO_OK;
}

void judo_generation_free(judo_generation *generation)
{
    free(generation->tokens);
    free(generation->logprobs);
    free(generation->lengths);
    free(generation->stopped);
    *generation = (judo_generation){0};
}

int64_t judo_generate_bytes(const judo_model *model, int64_t prompt_tokens, int32_t num_rows,
                            int32_t max_new_tokens)
{
    return judo_kv_cache_bytes(&model->config, prompt_tokens, num_rows, max_new_tokens,
                               model->options.dtype) +
           judo_decoder_bytes(model, num_rows, max_new_tokens) +
           num_rows * model->config.text.vocab_size * (int64_t)sizeof(float) +
           num_rows * model->config.text.hidden_size * judo_dtype_bytes(model->options.dtype);
}

static void generator_free(generator *g)
{
    judo_decoder_destroy(&g->decoder);
    judo_kv_cache_destroy(&g->cache);
    free(g->inputs);
    g->model->device->release(g->logits);
    g->model->device->release(g->hidden);
    free(g->last_rows);
    free(g->uniforms);
    free(g->logprobs);
    free(g->tokens);
    free(g->seen);
    free(g->seen_rows);
}

static judo_status allocate_tensors(generator *g, judo_params *params)
{
    const judo_qwen_config *config = &g->model->config;
    const judo_device *device = g->model->device;
    judo_dtype dtype = g->model->options.dtype;
    JUDO_TRY(judo_kv_cache_create(config, device, g->prompts->num_tokens, g->num_rows,
                                  g->options->max_new_tokens, dtype, &g->cache));
    JUDO_TRY(judo_decoder_create(g->model, params, &g->cache, g->num_rows,
                                 g->options->max_new_tokens, &g->decoder));
    JUDO_TRY(device->allocate(&g->logits, g->num_rows * g->vocab * (int64_t)sizeof(float)));
    return device->allocate(&g->hidden, g->prompts->num_spans * config->text.hidden_size *
                                            judo_dtype_bytes(dtype));
}

static judo_status allocate_lists(generator *g)
{
    size_t rows = (size_t)g->num_rows;
    size_t vocab = (size_t)g->vocab;
    g->inputs = calloc(rows, sizeof *g->inputs);
    g->last_rows = calloc((size_t)g->prompts->num_spans, sizeof *g->last_rows);
    g->uniforms = calloc(rows, sizeof *g->uniforms);
    g->logprobs = calloc(rows, sizeof *g->logprobs);
    g->tokens = calloc(rows, sizeof *g->tokens);
    g->seen_rows = calloc(rows, sizeof *g->seen_rows);
    bool penalty = g->options->sampling.repetition_penalty != 1.0f;
    g->seen = penalty ? calloc(rows, vocab) : NULL;
    if (!g->inputs || !g->last_rows || !g->uniforms || !g->logprobs || !g->tokens ||
        !g->seen_rows || (penalty && !g->seen)) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to generate %d completions at once",
                         g->num_rows);
    }
    return JUDO_OK;
}

/* The position behind a prompt, on all three axes alike: one past its highest. */
static int32_t next_position(const judo_batch *prompts, const judo_attention_span *span)
{
    int32_t next = 0;
    for (int axis = 0; axis < 3; axis++) {
        const int32_t *positions = prompts->positions + (int64_t)axis * prompts->num_tokens;
        for (int32_t t = span->begin; t < span->end; t++) {
            next = positions[t] >= next ? positions[t] + 1 : next;
        }
    }
    return next;
}

/* Rows stand just before their first token: drawing moves them on. */
static void start_rows(generator *g)
{
    const judo_batch *prompts = g->prompts;
    for (int32_t row = 0; row < g->num_rows; row++) {
        const judo_attention_span *span = &prompts->spans[row / g->per_prompt];
        g->inputs[row] = (judo_decode_input){.row = row,
                                             .index = -1,
                                             .position = next_position(prompts, span) - 1,
                                             .prompt_begin = span->begin,
                                             .prompt_end = span->end};
        for (int32_t t = span->begin; g->seen && t < span->end; t++) {
            g->seen[row * g->vocab + prompts->tokens[t]] = 1;
        }
    }
    g->num_live = g->num_rows;
}

/* The normed hidden states of `count` prompts' last tokens, from prompt `first` on. */
static judo_tensor hidden_rows(const generator *g, int32_t first, int32_t count)
{
    judo_dtype dtype = g->model->options.dtype;
    int64_t width = g->model->config.text.hidden_size;
    void *rows = (char *)g->hidden + first * width * judo_dtype_bytes(dtype);
    return judo_tensor_2d(rows, dtype, count, width);
}

/* One forward pass over the prompts of a slice: their keys and values, and the normed hidden
 * state of each prompt's last token. */
static judo_status prefill_slice(generator *g, judo_params *params,
                                 const judo_prompt_slice *slice)
{
    int32_t count = slice->end_prompt - slice->first_prompt;
    judo_kv_sink sink = judo_kv_cache_sink(&g->cache, slice->first_token);
    judo_tensor hidden = hidden_rows(g, slice->first_prompt, count);
    for (int32_t p = 0; p < count; p++) {
        g->last_rows[p] = slice->spans[p].end - 1;
    }
    return judo_model_prefill(g->model, params, &slice->batch, &sink, g->last_rows, count,
                              &hidden);
}

static judo_status prefill_all(generator *g, judo_params *params)
{
    const judo_model_options *plan = &g->model->options;
    judo_prompt_limits limits = {.tokens = plan->max_tokens,
                                 .patches = plan->max_patches,
                                 .prompts =
                                     plan->max_targets ? plan->max_targets : plan->max_tokens};
    judo_prompt_slice slice;
    JUDO_TRY(judo_prompt_slice_create(g->prompts, &slice));
    judo_status status = JUDO_OK;
    while (status == JUDO_OK &&
           judo_prompt_slice_next(&slice, &g->model->config, g->prompts, &limits)) {
        status = prefill_slice(g, params, &slice);
    }
    judo_prompt_slice_destroy(&slice);
    return status;
}

/* The first logits of all rows: a prompt's serve its whole group. */
static judo_status first_logits(generator *g)
{
    int32_t count = g->prompts->num_spans;
    judo_tensor hidden = hidden_rows(g, 0, count);
    /* The prompts' logits stand in the last rows; copies fill the groups from the front. */
    int64_t row_bytes = g->vocab * (int64_t)sizeof(float);
    char *rows = g->logits;
    char *last = rows + (g->num_rows - count) * row_bytes;
    judo_tensor logits = judo_tensor_2d(last, JUDO_F32, count, g->vocab);
    JUDO_TRY(judo_decoder_logits(&g->decoder, &logits, &hidden));
    for (int32_t row = 0; row < g->num_rows; row++) {
        char *to = rows + row * row_bytes;
        const char *from = last + row / g->per_prompt * row_bytes;
        if (to != from) {
            JUDO_TRY(g->model->device->copy(to, from, row_bytes, NULL));
        }
    }
    return JUDO_OK;
}

static bool is_stop(const judo_generate_options *options, int32_t token)
{
    for (int32_t i = 0; i < options->num_stop_tokens; i++) {
        if (options->stop_tokens[i] == token) {
            return true;
        }
    }
    return false;
}

/* Draws the `step`-th token of every live row, then lets finished rows leave. */
static judo_status draw(generator *g, int32_t step)
{
    const judo_generate_options *options = g->options;
    for (int32_t i = 0; i < g->num_live; i++) {
        int32_t row = g->inputs[i].row;
        g->uniforms[i] =
            judo_random_uniform(options->seed, JUDO_STREAM_SAMPLE, g->keys[row / g->per_prompt],
                                (uint32_t)(row % g->per_prompt), (uint32_t)step);
        g->seen_rows[i] = g->seen ? g->seen + row * g->vocab : NULL;
    }
    judo_tensor logits = judo_tensor_2d(g->logits, JUDO_F32, g->num_live, g->vocab);
    JUDO_TRY(g->model->ops->sample(g->tokens, g->logprobs, &logits, &options->sampling,
                                   g->uniforms, g->seen ? g->seen_rows : NULL, options->banned,
                                   options->logprob_temperature));
    int32_t kept = 0;
    for (int32_t i = 0; i < g->num_live; i++) {
        int32_t row = g->inputs[i].row;
        int64_t at = (int64_t)row * g->out->max_new_tokens + step;
        g->out->tokens[at] = g->tokens[i];
        g->out->logprobs[at] = g->logprobs[i];
        g->out->lengths[row] = step + 1;
        g->out->stopped[row] = is_stop(options, g->tokens[i]);
        if (g->seen) {
            g->seen[row * g->vocab + g->tokens[i]] = 1;
        }
        if (!g->out->stopped[row]) {
            judo_decode_input input = g->inputs[i];
            input.token = g->tokens[i];
            input.index++;
            input.position++;
            g->inputs[kept++] = input;
        }
    }
    g->num_live = kept;
    return JUDO_OK;
}

static judo_status generate(generator *g, judo_params *params)
{
    JUDO_TRY(allocate_tensors(g, params));
    JUDO_TRY(allocate_lists(g));
    start_rows(g);
    JUDO_TRY(prefill_all(g, params));
    JUDO_TRY(first_logits(g));
    for (int32_t step = 0; step < g->options->max_new_tokens && g->num_live > 0; step++) {
        JUDO_TRY(draw(g, step));
        if (g->num_live > 0 && step + 1 < g->options->max_new_tokens) {
            judo_tensor logits = judo_tensor_2d(g->logits, JUDO_F32, g->num_live, g->vocab);
            JUDO_TRY(judo_decoder_step(&g->decoder, g->inputs, g->num_live, &logits));
        }
    }
    return JUDO_OK;
}

static judo_status check_arguments(const generator *g)
{
    const judo_batch *prompts = g->prompts;
    const judo_generate_options *options = g->options;
    int64_t rows = (int64_t)prompts->num_spans * g->per_prompt;
    if (g->per_prompt < 1 || options->max_new_tokens < 1 || rows != g->out->num_rows ||
        options->max_new_tokens != g->out->max_new_tokens) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "%d completions of each of %d prompts, of %d tokens, were asked for; "
                         "there is room for %d of %d",
                         g->per_prompt, prompts->num_spans, options->max_new_tokens,
                         g->out->num_rows, g->out->max_new_tokens);
    }
    for (int32_t p = 0; p < prompts->num_spans; p++) {
        const judo_attention_span *span = &prompts->spans[p];
        if (!span->causal || span->prefix_begin != span->prefix_end) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "generate: span %d is no whole causal prompt of its own", p);
        }
    }
    return judo_batch_check(&g->model->config, prompts);
}

judo_status judo_generate(judo_model *model, judo_params *params, const judo_batch *prompts,
                          const uint64_t *keys, int32_t per_prompt,
                          const judo_generate_options *options, judo_generation *generation)
{
    generator g = {
        .model = model,
        .prompts = prompts,
        .keys = keys,
        .per_prompt = per_prompt,
        .num_rows = generation->num_rows,
        .options = options,
        .out = generation,
        .vocab = model->config.text.vocab_size,
    };
    JUDO_TRY(check_arguments(&g));
    if (g.num_rows == 0) {
        return JUDO_OK;
    }
    judo_status status = generate(&g, params);
    generator_free(&g);
    return status;
}
