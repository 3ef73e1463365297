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
    float *dq, *dk, *dv;
    const float *dout, *q, *k, *v, *lse;
    const float *delta; /* [tokens, query heads]: sum of dout out */
    judo_attention_shape shape;
    float scale;
} backward_arguments;

/* One thread's memory. */
typedef struct backward_tile {
    float *keys, *values; /* [dim, KEYS], transposed */
    float *weights;       /* [QUERIES, KEYS]: probabilities */
    float *slopes;        /* [QUERIES, KEYS]: their gradients, then those of the scores */
} backward_tile;

static int64_t tile_floats(int dim)
{
    return (int64_t)2 * dim * KEYS + 2 * QUERIES * KEYS;
}

static backward_tile tile_at(float *memory, int dim)
{
    backward_tile tile = {.keys = memory};
    tile.values = tile.keys + (int64_t)dim * KEYS;
    tile.weights = tile.values + (int64_t)dim * KEYS;
    tile.slopes = tile.weights + QUERIES * KEYS;
    return tile;
}

/* A row of scores and of d(probability) becomes probabilities and d(score) x scale; the first
 * `seen` of KEYS are visible. */
static void row_gradient(float *weights, float *slopes, int64_t seen, float lse, float delta,
                         float scale)
{
    for (int64_t i = 0; i < KEYS; i += JUDO_LANES) {
        judo_vector score = judo_vector_load(weights + i, JUDO_LANES);
        judo_vector slope = judo_vector_load(slopes + i, JUDO_LANES);
        judo_vector probability = judo_vector_exp(
            judo_vector_fma(score, judo_vector_all(scale), judo_vector_all(-lse)));
        slope = probability * (slope - judo_vector_all(delta)) * judo_vector_all(scale);
        judo_vector_store(weights + i, probability, JUDO_LANES);
        judo_vector_store(slopes + i, slope, JUDO_LANES);
    }
    for (int64_t i = seen; i < KEYS; i++) {
        weights[i] = 0.0f;
        slopes[i] = 0.0f;
    }
}

/* Queries [first, first + count) of one head against `present` keys from token `key`; own keys
 * of a causal span are seen up to the query. */
static void backward_block(const backward_arguments *args, const backward_tile *tile,
                           int64_t first, int count, int64_t head, int64_t key, int present,
                           bool causal)
{
    const judo_attention_shape *shape = &args->shape;
    int dim = shape->dim;
    int64_t query_stride = (int64_t)shape->query_heads * dim;
    int64_t key_stride = (int64_t)shape->key_heads * dim;
    int64_t query_offset = first * query_stride + head * dim;
    int64_t key_offset = key * key_stride + head / shape->group * dim;
    const float *q = args->q + query_offset;
    const float *dout = args->dout + query_offset;
    judo_cpu_small_gemm(tile->weights, KEYS, q, query_stride, 1, tile->keys, KEYS, count, KEYS,
                        dim, false);
    judo_cpu_small_gemm(tile->slopes, KEYS, dout, query_stride, 1, tile->values, KEYS, count,
                        KEYS, dim, false);
    for (int i = 0; i < count; i++) {
        int64_t seen = causal ? first + i + 1 - key : present;
        int64_t row = (first + i) * shape->query_heads + head;
        row_gradient(tile->weights + i * KEYS, tile->slopes + i * KEYS,
                     seen < present ? seen : present, args->lse[row], args->delta[row],
                     args->scale);
    }
    judo_cpu_small_gemm(args->dv + key_offset, key_stride, tile->weights, 1, KEYS, dout,
                        query_stride, present, dim, count, true);
    judo_cpu_small_gemm(args->dk + key_offset, key_stride, tile->slopes, 1, KEYS, q,
                        query_stride, present, dim, count, true);
    judo_cpu_small_gemm(args->dq + query_offset, query_stride, tile->slopes, KEYS, 1,
                        args->k + key_offset, key_stride, count, dim, present, true);
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
        judo_attention_transpose(tile->keys, args->k + offset, stride, present, shape->dim);
        judo_attention_transpose(tile->values, args->v + offset, stride, present, shape->dim);
        for (int64_t first = causal ? key : span->begin; first < span->end; first += QUERIES) {
            int64_t left = span->end - first;
            for (int g = 0; g < shape->group; g++) {
                backward_block(args, tile, first, (int)(left < QUERIES ? left : QUERIES),
                               (int64_t)key_head * shape->group + g, key, present, causal);
            }
        }
    }
}

/* delta[i] = sum of dout out of head i. */
static void fill_delta(float *delta, const float *dout, const float *out, int64_t heads,
                       int dim)
{
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(heads *dim))
    for (int64_t i = 0; i < heads; i++) {
        judo_vector lanes = {0};
        for (int d = 0; d < dim; d += JUDO_LANES) {
            lanes = judo_vector_fma(judo_vector_load(dout + i * dim + d, dim - d),
                                    judo_vector_load(out + i * dim + d, dim - d), lanes);
        }
        delta[i] = judo_vector_sum(lanes);
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

static judo_status check_gradients(const judo_attention_shape *shape, const judo_tensor *dq,
                                   const judo_tensor *dk, const judo_tensor *dv,
                                   const judo_tensor *dout, const judo_tensor *q,
                                   const judo_tensor *k, const judo_tensor *out,
                                   const judo_tensor *lse)
{
    const char *op = "attention_backward";
    JUDO_TRY(judo_cpu_expect_like(op, "dq", dq, q));
    JUDO_TRY(judo_cpu_expect_like(op, "dk", dk, k));
    JUDO_TRY(judo_cpu_expect_like(op, "dv", dv, k));
    JUDO_TRY(judo_cpu_expect_like(op, "dout", dout, q));
    JUDO_TRY(judo_cpu_expect_like(op, "out", out, q));
    return judo_cpu_expect_2d(op, "lse", lse, shape->tokens, shape->query_heads);
}

static void clear(judo_tensor *tensor)
{
    if (tensor->data) {
        memset(tensor->data, 0, (size_t)judo_tensor_count(tensor) * sizeof(float));
    }
}

judo_status judo_cpu_attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                        const judo_tensor *dout, const judo_tensor *q,
                                        const judo_tensor *k, const judo_tensor *v,
                                        const judo_tensor *out, const judo_tensor *lse,
                                        const judo_attention_span *spans, int num_spans,
                                        float scale)
{
    backward_arguments args = {.scale = scale};
    JUDO_TRY(
        judo_attention_check(&args.shape, "attention_backward", q, k, v, spans, num_spans));
    judo_attention_shape shape = args.shape;
    JUDO_TRY(check_gradients(&shape, dq, dk, dv, dout, q, k, out, lse));
    clear(dq);
    clear(dk);
    clear(dv);
    int64_t heads = shape.tokens * shape.query_heads;
    int threads = judo_cpu_threads_for(heads * shape.dim);
    int64_t delta_bytes = (heads * (int64_t)sizeof(float) + 63) / 64 * 64;
    int64_t component_bytes = ((shape.tokens + 1) * (int64_t)sizeof(int32_t) + 63) / 64 * 64;
    int64_t floats = tile_floats(shape.dim);
    void *memory = NULL;
    JUDO_TRY(judo_cpu_scratch(&memory, delta_bytes + component_bytes +
                                           threads * floats * (int64_t)sizeof(float)));
    float *delta = memory;
    int32_t *component = (int32_t *)((char *)memory + delta_bytes);
    float *tiles = (float *)((char *)memory + delta_bytes + component_bytes);
    fill_delta(delta, dout->data, out->data, heads, shape.dim);
    args.dq = dq->data;
    args.dk = dk->data;
    args.dv = dv->data;
    args.dout = dout->data;
    args.q = q->data;
    args.k = k->data;
    args.v = v->data;
    args.lse = lse->data;
    args.delta = delta;
    int64_t items =
        (int64_t)find_components(component, shape.tokens, spans, num_spans) * shape.key_heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < items; i++) {
        backward_tile tile = tile_at(tiles + omp_get_thread_num() * floats, shape.dim);
        backward_component(&args, &tile, component, (int32_t)(i / shape.key_heads), spans,
                           num_spans, (int)(i % shape.key_heads));
    }
    return JUDO_OK;
}
