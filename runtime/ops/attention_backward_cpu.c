/* runtime/ops/attention_backward_cpu.c: gradients of attention. Probabilities are recomputed
 * block by block from the log-sum-exp. One thread owns all of a (component, key head): the
 * sums have one order for any number of threads. A component is a run of tokens that no span
 * or prefix leaves. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

#include <omp.h>
#include <string.h>

enum { KEYS = JUDO_ATTENTION_KEYS, QUERIES = JUDO_ATTENTION_ROWS };

typedef struct backward_arguments {
    float *dq, *dk, *dv; /* sums: the outputs themselves, or scratch for BF16 */
    const void *dout, *q, *k, *v;
    const float *lse;
    float *delta;       /* [tokens, query heads]: sum of dout out */
    int32_t *component; /* [tokens + 1] */
    float *tiles;       /* one per thread */
    judo_dtype dtype;
    judo_attention_shape shape;
    float scale;
} backward_arguments;

/* One thread's memory. In BF16 two queries, or two keys, make a word where they are the terms
 * of a sum. */
typedef struct backward_tile {
    float *keys, *values; /* [terms of dim, KEYS], transposed */
    float *weights;       /* [QUERIES, KEYS], or words of two queries: probabilities */
    float *slopes;        /* the same of their gradients, then those of the scores */
    float *slope_rows;    /* [QUERIES, KEYS]: words of two keys (BF16) */
    float *key_words;     /* [KEYS / 2, dim]: words of two keys (BF16) */
    float *query_rows, *query_words; /* [QUERIES, terms of dim], [QUERIES / 2, dim] (BF16) */
    float *dout_rows, *dout_words;
} backward_tile;

static int64_t tile_floats(int dim)
{
    return (int64_t)dim * (3 * KEYS + 4 * QUERIES) + 3 * QUERIES * KEYS;
}

static backward_tile tile_at(float *memory, int dim)
{
    backward_tile tile = {.keys = memory};
    tile.values = tile.keys + (int64_t)dim * KEYS;
    tile.weights = tile.values + (int64_t)dim * KEYS;
    tile.slopes = tile.weights + QUERIES * KEYS;
    tile.slope_rows = tile.slopes + QUERIES * KEYS;
    tile.key_words = tile.slope_rows + QUERIES * KEYS;
    tile.query_rows = tile.key_words + (int64_t)dim * KEYS;
    tile.query_words = tile.query_rows + (int64_t)dim * QUERIES;
    tile.dout_rows = tile.query_words + (int64_t)dim * QUERIES;
    tile.dout_words = tile.dout_rows + (int64_t)dim * QUERIES;
    return tile;
}

/* Rows of q, dout or k as products take them: term by term along a row, and as terms
 * themselves. In F32 both are the rows where they lie. */
typedef struct row_block {
    const float *rows, *terms;
    int64_t rows_apart, terms_apart;
} row_block;

static row_block open_rows(const void *rows, judo_dtype dtype, int64_t stride, int count,
                           int dim, float *copies, float *words)
{
    if (dtype == JUDO_F32) {
        return (row_block){rows, rows, stride, stride};
    }
    int64_t apart = judo_attention_terms(dtype, dim);
    for (int i = 0; copies && i < count; i++) {
        judo_attention_copy(copies + i * apart, judo_cpu_at(rows, dtype, i * stride), dtype,
                            dim);
    }
    judo_attention_join(words, rows, stride, count, dim);
    return (row_block){copies, words, apart, dim};
}

/* A block of queries [first, first + count) of one head against `present` keys from token
 * `key`; own keys of a causal span are seen up to the query. */
typedef struct block_place {
    int64_t first, head, key;
    int count, present;
    bool causal;
} block_place;

/* 16 scores and d(probability) of a row, from key `j` of the block, become probabilities and
 * d(score) x scale. */
JUDO_INLINE void gradient_vector(const backward_arguments *args, const block_place *at,
                                 int64_t i, int64_t j, judo_vector *weight, judo_vector *slope)
{
    int64_t seen = at->causal ? at->first + i + 1 - at->key : at->present;
    int64_t row = (at->first + i) * args->shape.query_heads + at->head;
    judo_vector scale = judo_vector_all(args->scale);
    judo_vector probability =
        judo_vector_exp(judo_vector_fma(*weight, scale, judo_vector_all(-args->lse[row])));
    *slope = probability * (*slope - judo_vector_all(args->delta[row])) * scale;
    seen = (seen < at->present ? seen : at->present) - j;
    if (seen < JUDO_LANES) {
        probability = judo_vector_first(probability, seen);
        *slope = judo_vector_first(*slope, seen);
    }
    *weight = probability;
}

/* The same for a whole block; BF16 takes two queries at a time. */
JUDO_INLINE void block_gradient(const backward_arguments *args, const backward_tile *tile,
                                const block_place *at, judo_dtype dtype)
{
    int step = dtype == JUDO_BF16 ? 2 : 1;
    for (int64_t i = 0; i < at->count; i += step) {
        float *weights = tile->weights + i * KEYS;
        float *slopes = tile->slopes + i * KEYS;
        for (int64_t j = 0; j < KEYS; j += JUDO_LANES) {
            judo_vector weight[2] = {{0}};
            judo_vector slope[2] = {{0}};
            for (int r = 0; r < step && i + r < at->count; r++) {
                weight[r] = judo_vector_load(weights + r * KEYS + j, JUDO_LANES);
                slope[r] = judo_vector_load(slopes + r * KEYS + j, JUDO_LANES);
                gradient_vector(args, at, i + r, j, &weight[r], &slope[r]);
            }
            if (dtype == JUDO_F32) {
                judo_vector_store(weights + j, weight[0], JUDO_LANES);
                judo_vector_store(slopes + j, slope[0], JUDO_LANES);
                continue;
            }
            /* Words go where rows that are done were. */
            judo_vector_store(tile->weights + i / 2 * KEYS + j,
                              judo_vector_pairs(weight[0], weight[1]), JUDO_LANES);
            judo_vector_store(tile->slopes + i / 2 * KEYS + j,
                              judo_vector_pairs(slope[0], slope[1]), JUDO_LANES);
            for (int r = 0; r < 2; r++) {
                judo_vector_halves terms = judo_vector_terms(slope[r]);
                memcpy(tile->slope_rows + (i + r) * KEYS + j / 2, &terms, sizeof terms);
            }
        }
    }
}

static void backward_block(const backward_arguments *args, const backward_tile *tile,
                           const row_block *keys, const block_place *at)
{
    const judo_attention_shape *shape = &args->shape;
    judo_dtype dtype = args->dtype;
    int dim = shape->dim;
    int terms = judo_attention_terms(dtype, dim);
    int query_terms = judo_attention_terms(dtype, at->count);
    int key_terms = judo_attention_terms(dtype, at->present);
    int64_t query_stride = (int64_t)shape->query_heads * dim;
    int64_t key_stride = (int64_t)shape->key_heads * dim;
    int64_t query_offset = at->first * query_stride + at->head * dim;
    int64_t key_offset = at->key * key_stride + at->head / shape->group * dim;
    row_block q = open_rows(judo_cpu_at(args->q, dtype, query_offset), dtype, query_stride,
                            at->count, dim, tile->query_rows, tile->query_words);
    row_block dout = open_rows(judo_cpu_at(args->dout, dtype, query_offset), dtype,
                               query_stride, at->count, dim, tile->dout_rows, tile->dout_words);
    judo_cpu_small_gemm(tile->weights, KEYS, q.rows, q.rows_apart, 1, tile->keys, KEYS,
                        at->count, KEYS, terms, false, dtype);
    judo_cpu_small_gemm(tile->slopes, KEYS, dout.rows, dout.rows_apart, 1, tile->values, KEYS,
                        at->count, KEYS, terms, false, dtype);
    JUDO_FOR_DTYPE(dtype, block_gradient, args, tile, at);
    judo_cpu_small_gemm(args->dv + key_offset, key_stride, tile->weights, 1, KEYS, dout.terms,
                        dout.terms_apart, at->present, dim, query_terms, true, dtype);
    judo_cpu_small_gemm(args->dk + key_offset, key_stride, tile->slopes, 1, KEYS, q.terms,
                        q.terms_apart, at->present, dim, query_terms, true, dtype);
    judo_cpu_small_gemm(args->dq + query_offset, query_stride,
                        dtype == JUDO_F32 ? tile->slopes : tile->slope_rows, KEYS, 1,
                        keys->terms, keys->terms_apart, at->count, dim, key_terms, true, dtype);
}

/* The queries of a span against the run of keys [begin, end). */
static void backward_run(const backward_arguments *args, const backward_tile *tile,
                         const judo_attention_span *span, int key_head, int64_t begin,
                         int64_t end, bool causal)
{
    const judo_attention_shape *shape = &args->shape;
    int64_t stride = (int64_t)shape->key_heads * shape->dim;
    for (int64_t key = begin; key < end; key += KEYS) {
        int present = (int)(end - key < KEYS ? end - key : KEYS);
        int64_t offset = key * stride + (int64_t)key_head * shape->dim;
        const void *k = judo_cpu_at(args->k, args->dtype, offset);
        const void *v = judo_cpu_at(args->v, args->dtype, offset);
        judo_attention_transpose(tile->keys, k, args->dtype, stride, present, shape->dim);
        judo_attention_transpose(tile->values, v, args->dtype, stride, present, shape->dim);
        row_block keys =
            open_rows(k, args->dtype, stride, present, shape->dim, NULL, tile->key_words);
        for (int64_t first = causal ? key : span->begin; first < span->end; first += QUERIES) {
            int64_t left = span->end - first;
            for (int g = 0; g < shape->group; g++) {
                block_place at = {.first = first,
                                  .head = (int64_t)key_head * shape->group + g,
                                  .key = key,
                                  .count = (int)(left < QUERIES ? left : QUERIES),
                                  .present = present,
                                  .causal = causal};
                backward_block(args, tile, &keys, &at);
            }
        }
    }
}

/* The sum of a[i] b[i] in 16 lanes. */
JUDO_INLINE void dot(float *sum, const void *a, const void *b, int dim, judo_dtype dtype)
{
    judo_vector lanes = {0};
    for (int d = 0; d < dim; d += JUDO_LANES) {
        lanes = judo_vector_fma(judo_vector_read(a, dtype, d, dim - d),
                                judo_vector_read(b, dtype, d, dim - d), lanes);
    }
    *sum = judo_vector_sum(lanes);
}

/* delta[i] = sum of dout out of head i. */
static void fill_delta(float *delta, const judo_tensor *dout, const judo_tensor *out,
                       int64_t heads, int dim)
{
    judo_dtype dtype = out->dtype;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(heads *dim))
    for (int64_t i = 0; i < heads; i++) {
        JUDO_FOR_DTYPE(dtype, dot, delta + i, judo_cpu_at(dout->data, dtype, i * dim),
                       judo_cpu_at(out->data, dtype, i * dim), dim);
    }
}

/* component[t] = number of the component of token t; returns how many there are. */
static int32_t find_components(int32_t *component, int64_t tokens,
                               const judo_attention_span *spans, int num_spans)
{
    /* First the number of spans that hold t - 1 and t together, as differences. */
    memset(component, 0, (size_t)(tokens + 1) * sizeof *component);
    for (int i = 0; i < num_spans; i++) {
        int32_t begin = spans[i].begin;
        int32_t end = spans[i].end;
        if (begin == end) {
            continue;
        }
        if (spans[i].prefix_begin < spans[i].prefix_end) {
            begin = spans[i].prefix_begin < begin ? spans[i].prefix_begin : begin;
            end = spans[i].prefix_end > end ? spans[i].prefix_end : end;
        }
        component[begin + 1]++;
        component[end]--;
    }
    int32_t crossing = 0;
    int32_t number = -1;
    for (int64_t t = 0; t < tokens; t++) {
        crossing += component[t];
        number += crossing == 0;
        component[t] = number;
    }
    return number + 1;
}

static void backward_component(const backward_arguments *args, const backward_tile *tile,
                               const int32_t *component, int32_t number,
                               const judo_attention_span *spans, int num_spans, int key_head)
{
    for (int i = 0; i < num_spans; i++) {
        const judo_attention_span *span = &spans[i];
        if (span->begin == span->end || component[span->begin] != number) {
            continue;
        }
        backward_run(args, tile, span, key_head, span->prefix_begin, span->prefix_end, false);
        backward_run(args, tile, span, key_head, span->begin, span->end, span->causal);
    }
}

static int64_t aligned(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Sums start at 0, in the outputs or, for BF16, in `memory`; returns what is left of it. */
static char *start_sums(backward_arguments *args, judo_tensor *const outputs[3], char *memory)
{
    float **const sums[3] = {&args->dq, &args->dk, &args->dv};
    for (int i = 0; i < 3; i++) {
        int64_t bytes = judo_tensor_count(outputs[i]) * (int64_t)sizeof(float);
        *sums[i] = args->dtype == JUDO_F32 ? outputs[i]->data : (float *)memory;
        memory += args->dtype == JUDO_F32 ? 0 : aligned(bytes);
        if (bytes > 0) {
            memset(*sums[i], 0, (size_t)bytes);
        }
    }
    return memory;
}

/* The sums rounded, where they are not the outputs already. */
static void store_sums(const backward_arguments *args, judo_tensor *const outputs[3])
{
    enum { CHUNK = 4096 };

    const float *const sums[3] = {args->dq, args->dk, args->dv};
    for (int i = 0; i < 3 && args->dtype == JUDO_BF16; i++) {
        int64_t count = judo_tensor_count(outputs[i]);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
        for (int64_t first = 0; first < count; first += CHUNK) {
            judo_vector_convert((uint16_t *)outputs[i]->data + first, JUDO_BF16,
                                sums[i] + first, JUDO_F32,
                                count - first < CHUNK ? count - first : CHUNK);
        }
    }
}

static judo_status prepare(backward_arguments *args, judo_tensor *const outputs[3], int threads)
{
    const judo_attention_shape *shape = &args->shape;
    int64_t heads = shape->tokens * shape->query_heads;
    int64_t delta_bytes = aligned(heads * (int64_t)sizeof(float));
    int64_t component_bytes = aligned((shape->tokens + 1) * (int64_t)sizeof(int32_t));
    int64_t tile_bytes = threads * tile_floats(shape->dim) * (int64_t)sizeof(float);
    int64_t sum_bytes = 0;
    for (int i = 0; i < 3 && args->dtype == JUDO_BF16; i++) {
        sum_bytes += aligned(judo_tensor_count(outputs[i]) * (int64_t)sizeof(float));
    }
    void *memory = NULL;
    JUDO_TRY(judo_cpu_scratch(&memory, JUDO_SCRATCH_OP,
                              sum_bytes + delta_bytes + component_bytes + tile_bytes));
    char *rest = start_sums(args, outputs, memory);
    args->delta = (float *)rest;
    args->component = (int32_t *)(rest + delta_bytes);
    args->tiles = (float *)(rest + delta_bytes + component_bytes);
    return JUDO_OK;
}

judo_status judo_cpu_attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                        const judo_tensor *dout, const judo_tensor *q,
                                        const judo_tensor *k, const judo_tensor *v,
                                        const judo_tensor *out, const judo_tensor *lse,
                                        const judo_attention_span *spans, int num_spans,
                                        float scale)
{
    backward_arguments args = {.dout = dout->data,
                               .q = q->data,
                               .k = k->data,
                               .v = v->data,
                               .lse = lse->data,
                               .dtype = q->dtype,
                               .scale = scale};
    JUDO_TRY(
        judo_attention_check(&args.shape, "attention_backward", q, k, v, spans, num_spans));
    judo_attention_shape shape = args.shape;
    JUDO_TRY(judo_attention_check_gradients(&shape, dq, dk, dv, dout, q, k, out, lse));
    judo_tensor *const outputs[3] = {dq, dk, dv};
    int64_t heads = shape.tokens * shape.query_heads;
    int threads = judo_cpu_threads_for(heads * shape.dim);
    JUDO_TRY(prepare(&args, outputs, threads));
    fill_delta(args.delta, dout, out, heads, shape.dim);
    int64_t items = (int64_t)find_components(args.component, shape.tokens, spans, num_spans) *
                    shape.key_heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < items; i++) {
        backward_tile tile =
            tile_at(args.tiles + omp_get_thread_num() * tile_floats(shape.dim), shape.dim);
        backward_component(&args, &tile, args.component, (int32_t)(i / shape.key_heads), spans,
                           num_spans, (int)(i % shape.key_heads));
    }
    store_sums(&args, outputs);
    return JUDO_OK;
}
