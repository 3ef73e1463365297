/* models/bert.c: the encoder: packed texts without padding, pooling by the mean. */
#include "models/bert.h"

#include <math.h>
#include <stdlib.h>

#include "models/activation_arena.h"

/* Texts are computed in runs of about this many tokens, so that memory is bounded and the
 * activations stay in cache. */
enum { RUN_TOKENS = 1024, RUN_TEXTS = 512 };

struct judo_bert {
    const judo_device *device;
    const judo_ops *ops; /* the device's */
    judo_dtype dtype;    /* of weights and activations */
    judo_bert_config config;
    judo_bert_weights weights;
    judo_activation_arena arena, lists; /* of the device, of the host */
};

/* Buffers of a run of T tokens in `num_texts` texts. */
typedef struct run {
    int64_t num_tokens;
    int32_t num_texts;
    int32_t *positions, *types;    /* [T] */
    int32_t *text_of;              /* [T] */
    judo_attention_span *spans;    /* [num_texts] */
    judo_tensor x, y;              /* [T, hidden] */
    judo_tensor q, k, v, attended; /* [T, heads, head_dim] */
    judo_tensor lse;               /* [T, heads] */
    judo_tensor inner;             /* [T, intermediate] */
    judo_tensor sums;              /* fp32 [num_texts, hidden] */
} run;

static run take_run(judo_activation_arena *arena, judo_activation_arena *lists,
                    const judo_bert_config *config, judo_dtype dtype, int64_t tokens,
                    int32_t texts)
{
    int64_t heads = config->num_heads;
    int64_t dim = config->hidden_size / heads;
    return (run){
        .num_tokens = tokens,
        .num_texts = texts,
        .positions = judo_arena_take(lists, tokens * (int64_t)sizeof(int32_t)),
        .types = judo_arena_take(lists, tokens * (int64_t)sizeof(int32_t)),
        .text_of = judo_arena_take(lists, tokens * (int64_t)sizeof(int32_t)),
        .spans = judo_arena_take(lists, texts * (int64_t)sizeof(judo_attention_span)),
        .x = judo_arena_take_2d(arena, dtype, tokens, config->hidden_size),
        .y = judo_arena_take_2d(arena, dtype, tokens, config->hidden_size),
        .q = judo_arena_take_3d(arena, dtype, tokens, heads, dim),
        .k = judo_arena_take_3d(arena, dtype, tokens, heads, dim),
        .v = judo_arena_take_3d(arena, dtype, tokens, heads, dim),
        .attended = judo_arena_take_3d(arena, dtype, tokens, heads, dim),
        .lse = judo_arena_take_2d(arena, JUDO_F32, tokens, heads),
        .inner = judo_arena_take_2d(arena, dtype, tokens, config->intermediate_size),
        .sums = judo_arena_take_2d(arena, JUDO_F32, texts, config->hidden_size),
    };
}

/* What the longest run takes. */
static void count_run(const judo_bert_config *config, judo_dtype dtype, int64_t *bytes,
                      int64_t *list_bytes)
{
    judo_activation_arena count = {0};
    judo_activation_arena lists = {0};
    int64_t tokens = config->max_positions > RUN_TOKENS ? config->max_positions : RUN_TOKENS;
    (void)take_run(&count, &lists, config, dtype, tokens, RUN_TEXTS);
    *bytes = count.peak;
    *list_bytes = lists.peak;
}

judo_status judo_bert_plan(const char *folder, judo_dtype dtype, int64_t *bytes)
{
    judo_bert_config config;
    int64_t run_bytes = 0;
    int64_t list_bytes = 0;
    JUDO_TRY(judo_bert_config_load(folder, &config));
    count_run(&config, dtype, &run_bytes, &list_bytes);
    *bytes = judo_bert_weights_bytes(&config, dtype) + run_bytes;
    return JUDO_OK;
}

static judo_status take_arenas(judo_bert *self)
{
    int64_t bytes = 0;
    int64_t list_bytes = 0;
    count_run(&self->config, self->dtype, &bytes, &list_bytes);
    JUDO_TRY(judo_arena_create(self->device, bytes, &self->arena));
    return judo_arena_create(judo_device_cpu(), list_bytes, &self->lists);
}

judo_status judo_bert_open(const char *folder, judo_dtype dtype, const judo_device *device,
                           judo_bert **out)
{
    if (dtype != JUDO_F32 && dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: the encoder computes in F32 or BF16, not in %s", folder,
                         judo_dtype_name(dtype));
    }
    judo_bert *self = calloc(1, sizeof *self);
    if (!self) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the encoder", folder);
    }
    self->device = device;
    self->ops = device->ops;
    self->dtype = dtype;
    judo_status status = judo_bert_config_load(folder, &self->config);
    if (status == JUDO_OK) {
        status = judo_bert_weights_load(folder, &self->config, device, dtype, &self->weights);
    }
    if (status == JUDO_OK) {
        status = take_arenas(self);
    }
    if (status != JUDO_OK) {
        judo_bert_close(&self);
        return status;
    }
    *out = self;
    return JUDO_OK;
}

void judo_bert_close(judo_bert **bert)
{
    judo_bert *self = *bert;
    if (self) {
        judo_bert_weights_destroy(&self->weights);
        judo_arena_destroy(&self->arena);
        judo_arena_destroy(&self->lists);
        free(self);
        *bert = NULL;
    }
}

const judo_bert_config *judo_bert_config_of(const judo_bert *bert)
{
    return &bert->config;
}

static judo_status begin_run(judo_bert *self, int64_t tokens, int32_t texts, run *out)
{
    judo_arena_reset(&self->arena);
    judo_arena_reset(&self->lists);
    *out = take_run(&self->arena, &self->lists, &self->config, self->dtype, tokens, texts);
    JUDO_TRY(judo_arena_check(&self->lists, "the lists of a run of texts"));
    return judo_arena_check(&self->arena, "a run of texts");
}

/* x = LayerNorm(word + type + position); the positions of each text begin at 0. */
static judo_status embed_tokens(judo_bert *self, run *r, const int32_t *ids,
                                const int32_t *offsets)
{
    const judo_tensor *tables = self->weights.embeddings;
    for (int32_t text = 0; text < r->num_texts; text++) {
        int32_t begin = offsets[text] - offsets[0];
        int32_t end = offsets[text + 1] - offsets[0];
        r->spans[text] = (judo_attention_span){.begin = begin, .end = end};
        for (int32_t t = begin; t < end; t++) {
            r->positions[t] = t - begin;
            r->types[t] = 0;
            r->text_of[t] = text;
        }
    }
    JUDO_TRY(self->ops->gather_rows(&r->x, &tables[JUDO_BERT_WORDS], ids, r->num_tokens));
    JUDO_TRY(self->ops->gather_rows(&r->y, &tables[JUDO_BERT_TYPES], r->types, r->num_tokens));
    JUDO_TRY(self->ops->add(&r->x, &r->y));
    JUDO_TRY(self->ops->gather_rows(&r->y, &tables[JUDO_BERT_POSITIONS], r->positions,
                                    r->num_tokens));
    JUDO_TRY(self->ops->add(&r->x, &r->y));
    return self->ops->layernorm_forward(&r->x, &r->x, &tables[JUDO_BERT_NORM_WEIGHT],
                                        &tables[JUDO_BERT_NORM_BIAS],
                                        (float)self->config.layer_norm_eps);
}

/* [T, heads, head_dim] as [T, hidden]. */
static judo_tensor flat(const judo_tensor *t)
{
    return judo_tensor_2d(t->data, t->dtype, t->dims[0], t->dims[1] * t->dims[2]);
}

/* x = LayerNorm(x + y) */
static judo_status close_half(judo_bert *self, run *r, const judo_tensor *weight,
                              const judo_tensor *bias)
{
    JUDO_TRY(self->ops->add(&r->x, &r->y));
    return self->ops->layernorm_forward(&r->x, &r->x, weight, bias,
                                        (float)self->config.layer_norm_eps);
}

static judo_status run_layer(judo_bert *self, run *r, const judo_tensor *w)
{
    const judo_ops *ops = self->ops;
    judo_tensor q = flat(&r->q);
    judo_tensor k = flat(&r->k);
    judo_tensor v = flat(&r->v);
    judo_tensor attended = flat(&r->attended);
    float scale = 1.0f / sqrtf((float)r->q.dims[2]);
    JUDO_TRY(
        ops->linear_forward(&q, &r->x, &w[JUDO_BERT_QUERY_WEIGHT], &w[JUDO_BERT_QUERY_BIAS]));
    JUDO_TRY(ops->linear_forward(&k, &r->x, &w[JUDO_BERT_KEY_WEIGHT], &w[JUDO_BERT_KEY_BIAS]));
    JUDO_TRY(
        ops->linear_forward(&v, &r->x, &w[JUDO_BERT_VALUE_WEIGHT], &w[JUDO_BERT_VALUE_BIAS]));
    JUDO_TRY(ops->attention_forward(&r->attended, &r->lse, &r->q, &r->k, &r->v, r->spans,
                                    r->num_texts, scale));
    JUDO_TRY(ops->linear_forward(&r->y, &attended, &w[JUDO_BERT_OUT_WEIGHT],
                                 &w[JUDO_BERT_OUT_BIAS]));
    JUDO_TRY(close_half(self, r, &w[JUDO_BERT_NORM1_WEIGHT], &w[JUDO_BERT_NORM1_BIAS]));
    JUDO_TRY(
        ops->linear_forward(&r->inner, &r->x, &w[JUDO_BERT_UP_WEIGHT], &w[JUDO_BERT_UP_BIAS]));
    JUDO_TRY(ops->gelu_forward(&r->inner, &r->inner));
    JUDO_TRY(ops->linear_forward(&r->y, &r->inner, &w[JUDO_BERT_DOWN_WEIGHT],
                                 &w[JUDO_BERT_DOWN_BIAS]));
    return close_half(self, r, &w[JUDO_BERT_NORM2_WEIGHT], &w[JUDO_BERT_NORM2_BIAS]);
}

/* From the sum of `count` states to their mean, divided by its norm (at least 1e-12, as torch
 * does). */
static void normalise(float *out, int64_t width, int32_t count)
{
    double squares = 0.0;
    for (int64_t j = 0; j < width; j++) {
        out[j] /= (float)count;
        squares += (double)out[j] * (double)out[j];
    }
    double norm = sqrt(squares) > 1e-12 ? sqrt(squares) : 1e-12;
    for (int64_t j = 0; j < width; j++) {
        out[j] = (float)((double)out[j] / norm);
    }
}

/* The states' sums are made on the device; one row per text comes to the host. */
static judo_status pool(judo_bert *self, run *r, float *embeddings)
{
    int64_t width = r->x.dims[1];
    JUDO_TRY(judo_tensor_zero(self->device, &r->sums));
    JUDO_TRY(self->ops->scatter_add_rows(&r->sums, &r->x, r->text_of, r->num_tokens));
    JUDO_TRY(self->device->copy(embeddings, r->sums.data,
                                judo_tensor_count(&r->sums) * (int64_t)sizeof(float), NULL));
    for (int32_t text = 0; text < r->num_texts; text++) {
        normalise(embeddings + text * width, width, r->spans[text].end - r->spans[text].begin);
    }
    return JUDO_OK;
}

static judo_status embed_run(judo_bert *self, const int32_t *ids, const int32_t *offsets,
                             int32_t count, float *embeddings)
{
    run r;
    JUDO_TRY(begin_run(self, offsets[count] - offsets[0], count, &r));
    JUDO_TRY(embed_tokens(self, &r, ids + offsets[0], offsets));
    for (int64_t layer = 0; layer < self->config.num_layers; layer++) {
        JUDO_TRY(run_layer(self, &r, self->weights.layers[layer]));
    }
    return pool(self, &r, embeddings);
}

static judo_status check_texts(const judo_bert *self, const int32_t *ids,
                               const int32_t *offsets, int32_t count, int64_t max_tokens)
{
    for (int32_t text = 0; text < count; text++) {
        int64_t length = (int64_t)offsets[text + 1] - offsets[text];
        if (offsets[text] < 0 || length < 1 || length > max_tokens ||
            length > self->config.max_positions) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "text %d has %lld tokens; the encoder takes 1 to %lld", text,
                             (long long)length, (long long)max_tokens);
        }
        for (int32_t t = offsets[text]; t < offsets[text + 1]; t++) {
            if (ids[t] < 0 || ids[t] >= self->config.vocab_size) {
                return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                                 "text %d has the token %d, but the encoder knows %lld; do "
                                 "vocab.txt and config.json belong together?",
                                 text, ids[t], (long long)self->config.vocab_size);
            }
        }
    }
    return JUDO_OK;
}

judo_status judo_bert_embed(judo_bert *bert, const int32_t *ids, const int32_t *offsets,
                            int32_t count, int32_t max_tokens, float *embeddings)
{
    JUDO_TRY(check_texts(bert, ids, offsets, count, max_tokens));
    for (int32_t first = 0, last = 0; first < count; first = last) {
        do {
            last++;
        } while (last < count && last - first < RUN_TEXTS &&
                 offsets[last + 1] - offsets[first] <= RUN_TOKENS);
        JUDO_TRY(embed_run(bert, ids, offsets + first, last - first,
                           embeddings + first * bert->config.hidden_size));
    }
    return JUDO_OK;
}
