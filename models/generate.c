/* models/generate.c: prefill once per prompt, then one token per live row and step. Where the
 * device works beside the host, a step is queued before it is known which rows the last one
 * ended; and where it replays steps, the batch keeps a few sizes, for which it has graphs. Rows
 * that ended then compute on, and nobody looks. */
#include "models/generate.h"

#include <stdlib.h>
#include <string.h>

#include "models/batch_check.h"
#include "models/decode.h"
#include "models/drawn_tokens.h"
#include "models/model_state.h"
#include "models/prompt_slice.h"
#include "runtime/random.h"

/* A row of the batch; `ended`: it computes on for nobody. */
typedef struct batch_row {
    int32_t row, prompt;
    bool ended;
} batch_row;

typedef struct generator {
    judo_model *model;
    const judo_batch *prompts;
    const uint64_t *keys;
    int32_t per_prompt, num_rows;
    const judo_generate_options *options;
    judo_generation *out;
    int64_t vocab;
    judo_kv_cache cache;
    judo_angle_table angles; /* rows: prompt * max_new_tokens + step */
    judo_drawn_tokens drawn;
    judo_decoder decoder;
    int32_t num_live, num_batch; /* as far as the host knows */
    batch_row *batch;            /* [num_rows], ascending */
    judo_decode_input *inputs;   /* [num_rows] of the batch's rows */
    judo_draw_row *draw_rows;    /* likewise */
    void *logits;                /* [num_rows, vocab] fp32, on the device */
    void *hidden;                /* [num_prompts, hidden] in the model's dtype, likewise */
    int32_t *last_rows;          /* [num_prompts] */
    int32_t *first_positions;    /* [num_prompts]: behind each prompt */
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

static bool replays_steps(const judo_model *model)
{
    return model->device->replay_begin != NULL;
}

/* Room for prompts in the cache: up to an eighth more where steps are replayed, so that graphs
 * find keys and values where they were for prompts of about this length. */
static int64_t prompt_room(const judo_model *model, int64_t tokens)
{
    int64_t unit = 1;
    while (replays_steps(model) && 8 * unit <= tokens) {
        unit *= 2;
    }
    return (tokens + unit - 1) / unit * unit;
}

int64_t judo_generate_bytes(const judo_model *model, int64_t prompt_tokens, int32_t num_rows,
                            int32_t max_new_tokens, bool penalised)
{
    const judo_qwen_config *config = &model->config;
    return judo_kv_cache_bytes(config, prompt_room(model, prompt_tokens), num_rows,
                               max_new_tokens, model->options.dtype) +
           judo_decoder_bytes(model, num_rows, max_new_tokens) +
           judo_angle_table_bytes(&config->text, num_rows, max_new_tokens) +
           judo_drawn_tokens_bytes(num_rows, max_new_tokens, config->text.vocab_size,
                                   penalised) +
           num_rows * config->text.vocab_size * (int64_t)sizeof(float) +
           num_rows * config->text.hidden_size * judo_dtype_bytes(model->options.dtype);
}

static void generator_free(generator *g)
{
    judo_decoder_destroy(&g->decoder);
    judo_drawn_tokens_destroy(&g->drawn);
    judo_angle_table_destroy(&g->angles);
    judo_kv_cache_destroy(&g->cache);
    g->model->device->release(g->logits);
    g->model->device->release(g->hidden);
    free(g->batch);
    free(g->inputs);
    free(g->draw_rows);
    free(g->last_rows);
    free(g->first_positions);
}

static bool is_penalised(const generator *g)
{
    return g->options->sampling.repetition_penalty != 1.0f;
}

static judo_status allocate_tensors(generator *g, judo_params *params)
{
    const judo_qwen_config *config = &g->model->config;
    const judo_device *device = g->model->device;
    const int32_t steps = g->options->max_new_tokens;
    judo_dtype dtype = g->model->options.dtype;
    JUDO_TRY(judo_kv_cache_create(config, device, prompt_room(g->model, g->prompts->num_tokens),
                                  g->num_rows, steps, dtype, &g->cache));
    JUDO_TRY(judo_angle_table_create(&config->text, device, g->first_positions,
                                     g->prompts->num_spans, steps, &g->angles));
    JUDO_TRY(judo_drawn_tokens_create(device, g->num_rows, steps, g->vocab, is_penalised(g),
                                      g->options->banned, &g->drawn));
    JUDO_TRY(judo_decoder_create(g->model, params, &g->cache, &g->angles, g->num_rows, steps,
                                 &g->decoder));
    JUDO_TRY(device->allocate(&g->logits, g->num_rows * g->vocab * (int64_t)sizeof(float)));
    return device->allocate(&g->hidden, g->prompts->num_spans * config->text.hidden_size *
                                            judo_dtype_bytes(dtype));
}

static judo_status allocate_lists(generator *g)
{
    size_t rows = (size_t)g->num_rows;
    size_t prompts = (size_t)g->prompts->num_spans;
    g->batch = calloc(rows, sizeof *g->batch);
    g->inputs = calloc(rows, sizeof *g->inputs);
    g->draw_rows = calloc(rows, sizeof *g->draw_rows);
    g->last_rows = calloc(prompts, sizeof *g->last_rows);
    g->first_positions = calloc(prompts, sizeof *g->first_positions);
    if (!g->batch || !g->inputs || !g->draw_rows || !g->last_rows || !g->first_positions) {
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

static void start_rows(generator *g)
{
    for (int32_t p = 0; p < g->prompts->num_spans; p++) {
        g->first_positions[p] = next_position(g->prompts, &g->prompts->spans[p]);
    }
    for (int32_t row = 0; row < g->num_rows; row++) {
        g->batch[row] = (batch_row){.row = row, .prompt = row / g->per_prompt};
    }
    g->num_live = g->num_batch = g->num_rows;
}

/* The tokens of their prompt are marked for all rows of a group. */
static judo_status mark_prompts(generator *g)
{
    uint8_t *marks = malloc((size_t)g->vocab);
    judo_status status = JUDO_OK;
    if (!marks) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for marks of %lld ids",
                         (long long)g->vocab);
    }
    for (int32_t p = 0; p < g->prompts->num_spans && status == JUDO_OK; p++) {
        const judo_attention_span *span = &g->prompts->spans[p];
        memset(marks, 0, (size_t)g->vocab);
        for (int32_t t = span->begin; t < span->end; t++) {
            marks[g->prompts->tokens[t]] = 1;
        }
        status = judo_drawn_tokens_mark(&g->drawn, p * g->per_prompt, (p + 1) * g->per_prompt,
                                        marks);
    }
    free(marks);
    return status;
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

/* Row i of the batch with its newest token, the one before the `step`-th. */
static judo_decode_input input_of(const generator *g, int32_t i, int32_t step)
{
    const batch_row *at = &g->batch[i];
    const judo_attention_span *span = &g->prompts->spans[at->prompt];
    return (judo_decode_input){
        .row = at->row,
        .token = judo_drawn_tokens_place(&g->drawn, step - 1, at->row),
        .index = step - 1,
        .angle = at->prompt * g->options->max_new_tokens + step - 1,
        .prompt_begin = span->begin,
        .prompt_end = span->end,
    };
}

static judo_draw_row draw_row_of(const generator *g, int32_t i, int32_t step)
{
    const batch_row *at = &g->batch[i];
    return (judo_draw_row){
        .uniform = judo_random_uniform(
            g->options->seed, JUDO_STREAM_SAMPLE, g->keys[at->prompt],
            (uint32_t)(at->row - at->prompt * g->per_prompt), (uint32_t)step),
        .place = judo_drawn_tokens_place(&g->drawn, step, at->row),
        .seen = at->row,
    };
}

/* Queues all that gives the batch its `step`-th tokens. */
static judo_status queue_step(generator *g, int32_t step)
{
    const judo_decode_draw draw = {.memory = &g->drawn.memory,
                                   .rows = g->draw_rows,
                                   .sampling = &g->options->sampling,
                                   .logprob_temperature = g->options->logprob_temperature};
    judo_tensor logits = judo_tensor_2d(g->logits, JUDO_F32, g->num_batch, g->vocab);
    for (int32_t i = 0; i < g->num_batch; i++) {
        g->draw_rows[i] = draw_row_of(g, i, step);
        g->inputs[i] = input_of(g, i, step);
    }
    if (step == 0) {
        JUDO_TRY(judo_decoder_draw(&g->decoder, &draw, &logits));
    } else {
        JUDO_TRY(judo_decoder_step(&g->decoder, g->inputs, g->num_batch, &draw, &logits));
    }
    return judo_drawn_tokens_queued(&g->drawn, step);
}

/* How many rows the batch of `live` rows has. Rows beyond them cost a step little: it reads all
 * weights in any case. */
static int32_t batch_size(const generator *g, int32_t live)
{
    static const int32_t sizes[] = {1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && replays_steps(g->model); i++) {
        if (sizes[i] >= live) {
            return sizes[i] < g->num_batch ? sizes[i] : g->num_batch;
        }
    }
    return live;
}

/* Rows that ended leave, as far as the batch may shrink. */
static void shrink_batch(generator *g)
{
    int32_t idle = batch_size(g, g->num_live) - g->num_live;
    int32_t kept = 0;
    for (int32_t i = 0; i < g->num_batch; i++) {
        if (!g->batch[i].ended || idle-- > 0) {
            g->batch[kept++] = g->batch[i];
        }
    }
    g->num_batch = kept;
}

/* What the batch drew in a step is recorded for the rows that lived. */
static judo_status collect(generator *g, int32_t step)
{
    const judo_draw *draws = NULL;
    JUDO_TRY(judo_drawn_tokens_fetch(&g->drawn, step, &draws));
    for (int32_t i = 0; i < g->num_batch; i++) {
        batch_row *at = &g->batch[i];
        const judo_draw *drawn = &draws[at->row];
        int64_t place = (int64_t)at->row * g->out->max_new_tokens + step;
        if (at->ended) {
            continue;
        }
        if (drawn->token == JUDO_NO_TOKEN) {
            return JUDO_FAIL(JUDO_ERROR_NUMERIC,
                             "sample: row %d has no finite logit for token %d, or one that is "
                             "not a number; the model has diverged or every id is banned",
                             at->row, step);
        }
        g->out->tokens[place] = drawn->token;
        g->out->logprobs[place] = drawn->logprob;
        g->out->lengths[at->row] = step + 1;
        g->out->stopped[at->row] = at->ended = is_stop(g->options, drawn->token);
        g->num_live -= at->ended;
    }
    shrink_batch(g);
    return JUDO_OK;
}

static judo_status draw_all(generator *g)
{
    const int32_t steps = g->options->max_new_tokens;
    const int32_t late = g->model->device->separate ? 1 : 0;
    for (int32_t step = 0; step < steps + late && g->num_live > 0; step++) {
        if (step < steps) {
            JUDO_TRY(queue_step(g, step));
        }
        if (step >= late) {
            JUDO_TRY(collect(g, step - late));
        }
    }
    return JUDO_OK;
}

static judo_status generate(generator *g, judo_params *params)
{
    JUDO_TRY(allocate_lists(g));
    start_rows(g);
    JUDO_TRY(allocate_tensors(g, params));
    if (is_penalised(g)) {
        JUDO_TRY(mark_prompts(g));
    }
    JUDO_TRY(prefill_all(g, params));
    JUDO_TRY(first_logits(g));
    return draw_all(g);
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
    judo_status queued = model->device->stream_finish(NULL); /* a step that nobody waited for */
    generator_free(&g);
    return status != JUDO_OK ? status : queued;
}
