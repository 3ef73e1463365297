/* models/generate.c: prefill once per prompt, then one token per live row and step. */
#include "models/generate.h"

#include <stdlib.h>
#include <string.h>

#include "models/decode.h"
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
    int32_t *live;             /* [num_rows] rows still growing, ascending */
    int32_t num_live;
    judo_decode_input *inputs; /* [num_rows] of the live rows */
    float *logits;             /* [num_rows, vocab] */
    float *hidden;             /* [num_prompts, hidden] */
    float *uniforms, *logprobs; /* [num_rows] of the live rows */
    int32_t *tokens;            /* [num_rows] of the live rows */
    uint8_t *seen;              /* [num_rows, vocab], NULL without a repetition penalty */
    const uint8_t **seen_rows;  /* [num_rows] of the live rows */
} generator;

judo_status judo_generation_create(int32_t num_rows, int32_t max_new_tokens, judo_generation *out)
{
    size_t rows = (size_t)num_rows + 1;
    *out = (judo_generation){.num_rows = num_rows, .max_new_tokens = max_new_tokens};
    out->tokens = calloc(rows * (size_t)max_new_tokens, sizeof *out->tokens);
    out->logprobs = calloc(rows * (size_t)max_new_tokens, sizeof *out->logprobs);
    out->lengths = calloc(rows, sizeof *out->lengths);
    out->stopped = calloc(rows, sizeof *out->stopped);
    if (!out->tokens || !out->logprobs || !out->lengths || !out->stopped) {
        judo_generation_free(out);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d completions of %d tokens", num_rows, max_new_tokens);
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

static void generator_free(generator *g)
{
    judo_decoder_destroy(&g->decoder);
    judo_kv_cache_destroy(&g->cache);
    free(g->live);
    free(g->inputs);
    free(g->logits);
    free(g->hidden);
    free(g->uniforms);
    free(g->logprobs);
    free(g->tokens);
    free(g->seen);
    free(g->seen_rows);
}

static judo_status allocate(generator *g, judo_params *params)
{
    const judo_qwen_config *config = judo_model_config(g->model);
    size_t rows = (size_t)g->num_rows;
    size_t vocab = (size_t)g->vocab;
    JUDO_TRY(judo_kv_cache_create(config, g->prompts->num_tokens, g->num_rows, g->options->max_new_tokens, JUDO_F32, &g->cache));
    JUDO_TRY(judo_decoder_create(g->model, params, &g->cache, g->num_rows, &g->decoder));
    g->live = calloc(rows, sizeof *g->live);
    g->inputs = calloc(rows, sizeof *g->inputs);
    g->logits = aligned_alloc(64, (rows * vocab * sizeof(float) + 63) / 64 * 64);
    g->hidden = calloc((size_t)g->prompts->num_spans * (size_t)config->text.hidden_size, sizeof(float));
    g->uniforms = calloc(rows, sizeof *g->uniforms);
    g->logprobs = calloc(rows, sizeof *g->logprobs);
    g->tokens = calloc(rows, sizeof *g->tokens);
    g->seen_rows = calloc(rows, sizeof *g->seen_rows);
    bool penalty = g->options->sampling.repetition_penalty != 1.0f;
    g->seen = penalty ? calloc(rows, vocab) : NULL;
    if (!g->live || !g->inputs || !g->logits || !g->hidden || !g->uniforms || !g->logprobs || !g->tokens || !g->seen_rows ||
        (penalty && !g->seen)) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to generate %d completions at once", g->num_rows);
    }
    return JUDO_OK;
}

/* A row starts behind its prompt's last token, on all three axes alike. */
static void start_rows(generator *g)
{
    const judo_batch *prompts = g->prompts;
    for (int32_t row = 0; row < g->num_rows; row++) {
        const judo_attention_span *span = &prompts->spans[row / g->per_prompt];
        int32_t last = span->end - 1;
        int32_t next = 0;
        for (int axis = 0; axis < 3; axis++) {
            int32_t position = prompts->positions[(int64_t)axis * prompts->num_tokens + last];
            next = position >= next ? position + 1 : next;
        }
        g->inputs[row] = (judo_decode_input){
            .row = row, .index = -1, .position = next - 1, .prompt_begin = span->begin, .prompt_end = span->end};
        g->live[row] = row;
        if (g->seen) {
            for (int32_t t = span->begin; t < span->end; t++) {
                g->seen[row * g->vocab + prompts->tokens[t]] = 1;
            }
        }
    }
    g->num_live = g->num_rows;
}

/* Fills the cache and the first logits: a prompt's last hidden state serves its whole group. */
static judo_status prefill(generator *g, judo_params *params)
{
    const judo_batch *prompts = g->prompts;
    int32_t count = prompts->num_spans;
    int32_t *rows = calloc((size_t)count, sizeof *rows);
    if (!rows) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d prompts", count);
    }
    for (int32_t p = 0; p < count; p++) {
        rows[p] = prompts->spans[p].end - 1;
    }
    int64_t width = judo_model_config(g->model)->text.hidden_size;
    judo_kv_sink sink = judo_kv_cache_sink(&g->cache);
    judo_tensor hidden = judo_tensor_2d(g->hidden, JUDO_F32, count, width);
    judo_status status = judo_model_prefill(g->model, params, prompts, &sink, rows, count, &hidden);
    free(rows);
    JUDO_TRY(status);
    /* The prompts' logits stand in the last rows, then each is copied to its group from the front. */
    float *last = g->logits + (int64_t)(g->num_rows - count) * g->vocab;
    judo_tensor logits = judo_tensor_2d(last, JUDO_F32, count, g->vocab);
    JUDO_TRY(judo_decoder_logits(&g->decoder, &logits, &hidden));
    for (int32_t row = 0; row < g->num_rows; row++) {
        const float *from = last + (int64_t)(row / g->per_prompt) * g->vocab;
        memmove(g->logits + row * g->vocab, from, (size_t)g->vocab * sizeof(float));
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
        int32_t row = g->live[i];
        g->uniforms[i] = judo_random_uniform(options->seed, JUDO_STREAM_SAMPLE, g->keys[row / g->per_prompt],
                                             (uint32_t)(row % g->per_prompt), (uint32_t)step);
        g->seen_rows[i] = g->seen ? g->seen + row * g->vocab : NULL;
    }
    judo_tensor logits = judo_tensor_2d(g->logits, JUDO_F32, g->num_live, g->vocab);
    JUDO_TRY(judo_model_ops(g->model)->sample(g->tokens, g->logprobs, &logits, &options->sampling, g->uniforms,
                                    g->seen ? g->seen_rows : NULL, options->banned, options->logprob_temperature));
    int32_t kept = 0;
    for (int32_t i = 0; i < g->num_live; i++) {
        int32_t row = g->live[i];
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
            g->inputs[kept] = input;
            g->live[kept++] = row;
        }
    }
    g->num_live = kept;
    return JUDO_OK;
}

static judo_status generate(generator *g, judo_params *params)
{
    JUDO_TRY(allocate(g, params));
    start_rows(g);
    JUDO_TRY(prefill(g, params));
    for (int32_t step = 0; step < g->options->max_new_tokens && g->num_live > 0; step++) {
        JUDO_TRY(draw(g, step));
        if (g->num_live > 0 && step + 1 < g->options->max_new_tokens) {
            judo_tensor logits = judo_tensor_2d(g->logits, JUDO_F32, g->num_live, g->vocab);
            JUDO_TRY(judo_decoder_step(&g->decoder, g->inputs, g->num_live, &logits));
        }
    }
    return JUDO_OK;
}

judo_status judo_generate(judo_model *model, judo_params *params, const judo_batch *prompts, const uint64_t *keys,
                          int32_t per_prompt, const judo_generate_options *options, judo_generation *generation)
{
    generator g = {
        .model = model,
        .prompts = prompts,
        .keys = keys,
        .per_prompt = per_prompt,
        .num_rows = prompts->num_spans * per_prompt,
        .options = options,
        .out = generation,
        .vocab = judo_model_config(model)->text.vocab_size,
    };
    if (g.num_rows != generation->num_rows || options->max_new_tokens != generation->max_new_tokens) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%d completions of %d tokens asked for, room for %d of %d", g.num_rows,
                         options->max_new_tokens, generation->num_rows, generation->max_new_tokens);
    }
    if (g.num_rows == 0) {
        return JUDO_OK;
    }
    judo_status status = generate(&g, params);
    generator_free(&g);
    return status;
}
