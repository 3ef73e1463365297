/* runtime/ops/cuda/attention.cu: the attention slots: checks, the plan on its way to the
 * device, and which kernels do the work. */
#include "runtime/ops/cuda/attention.cuh"

#include <inttypes.h>

enum { MOST_TILE_DIMENSIONS = 128 };

static bool takes_tiles(judo_dtype dtype, int dim)
{
    return dtype == JUDO_BF16 && dim <= MOST_TILE_DIMENSIONS;
}

static judo_status check_sizes(const char *op, const judo_attention_shape *shape)
{
    /* Rows of a run times the group: what token_of divides exactly. */
    int64_t most = UINT32_MAX / ((int64_t)shape->group * shape->group);
    if (shape->dim > JUDO_SIMPLE_DIMENSIONS || shape->tokens > INT32_MAX ||
        shape->tokens > most || shape->key_heads > 65535) {
        return JUDO_FAIL(
            JUDO_ERROR_UNSUPPORTED,
            "%s: %" PRId64
            " tokens, %d query and %d key heads of %d dimensions; the CUDA backend "
            "takes up to %d dimensions and %" PRId64 " tokens",
            op, shape->tokens, shape->query_heads, shape->key_heads, shape->dim,
            (int)JUDO_SIMPLE_DIMENSIONS, most < INT32_MAX ? most : INT32_MAX);
    }
    return JUDO_OK;
}

static void set_shape(attention_arguments *args, const judo_attention_shape *shape, float scale)
{
    args->query_heads = shape->query_heads;
    args->key_heads = shape->key_heads;
    args->group = shape->group;
    args->group_inverse =
        shape->group == 1 ? 0 : (uint32_t)(((uint64_t)1 << 32) / (uint64_t)shape->group + 1);
    args->dim = shape->dim;
    args->scale = scale;
}

/* Fills the lists of the plan and queues their copy; backward needs who sees which key. */
static judo_status send_plan(attention_arguments *args, const judo_attention_span *spans,
                             int num_spans, bool backward)
{
    int32_t step = JUDO_TILE_ROWS / args->group;
    args->counts = judo_attention_plan(NULL, NULL, NULL, spans, num_spans, step);
    int64_t query_bytes = args->counts.query_blocks * (int64_t)sizeof(judo_query_block);
    int64_t key_bytes = args->counts.key_blocks * (int64_t)sizeof(judo_key_block);
    int64_t run_bytes = args->counts.runs * (int64_t)sizeof(judo_query_run);
    if (args->counts.query_blocks > INT32_MAX || args->counts.runs > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "attention: %" PRId64 " blocks of queries",
                         args->counts.query_blocks);
    }
    int64_t keys_at = judo_cuda_aligned(query_bytes);
    int64_t runs_at = keys_at + judo_cuda_aligned(key_bytes);
    void *memory = NULL;
    JUDO_TRY(judo_cuda_host_scratch(&memory, runs_at + judo_cuda_aligned(run_bytes)));
    judo_query_block *query_blocks = (judo_query_block *)memory;
    judo_key_block *key_blocks = (judo_key_block *)((char *)memory + keys_at);
    judo_query_run *runs = (judo_query_run *)((char *)memory + runs_at);
    judo_attention_plan(query_blocks, key_blocks, runs, spans, num_spans, step);
    JUDO_TRY(judo_cuda_lists_open(runs_at + judo_cuda_aligned(run_bytes)));
    args->query_blocks =
        (const judo_query_block *)judo_cuda_lists_put(query_blocks, query_bytes);
    if (backward) {
        args->key_blocks = (const judo_key_block *)judo_cuda_lists_put(key_blocks, key_bytes);
        args->runs = (const judo_query_run *)judo_cuda_lists_put(runs, run_bytes);
    }
    return judo_cuda_lists_send();
}

static judo_status choose(attention_call *call)
{
#ifdef JUDO_WITH_CUDNN
    return judo_cuda_attention_choose(call);
#else
    return call->ours(call);
#endif
}

static judo_status forward_by_us(attention_call *call)
{
    attention_arguments *args = &call->args;
    JUDO_TRY(send_plan(args, call->spans, call->num_spans, false));
    return takes_tiles(call->dtype, args->dim)
               ? judo_cuda_attention_tile_forward(args)
               : judo_cuda_attention_simple_forward(args, call->dtype);
}

/* What forward and backward both take; `out` and `lse` are the one's results. */
static void set_common(attention_arguments *args, const judo_attention_shape *shape,
                       const judo_tensor *q, const judo_tensor *k, const judo_tensor *v,
                       const judo_tensor *out, const judo_tensor *lse, float scale)
{
    set_shape(args, shape, scale);
    args->q = q->data;
    args->k = k->data;
    args->v = v->data;
    args->out = out->data;
    args->lse = (float *)lse->data;
}

judo_status judo_cuda_attention_forward(judo_tensor *out, judo_tensor *lse,
                                        const judo_tensor *q, const judo_tensor *k,
                                        const judo_tensor *v, const judo_attention_span *spans,
                                        int num_spans, float scale)
{
    const char *op = "attention_forward";
    judo_attention_shape shape;
    JUDO_TRY(judo_attention_check(&shape, op, q, k, v, spans, num_spans));
    JUDO_TRY(judo_attention_check_outputs(&shape, out, lse, q));
    JUDO_TRY(check_sizes(op, &shape));
    if (shape.tokens == 0) {
        return JUDO_OK;
    }
    attention_call call = {{}, shape, spans, num_spans, q->dtype, false, forward_by_us};
    set_common(&call.args, &shape, q, k, v, out, lse, scale);
    return choose(&call);
}

/* delta[i] = sum of dout out of head i: a warp per head. */
template <typename T>
static __global__ void fill_delta(float *delta, const T *dout, const T *out, int64_t heads,
                                  int dim)
{
    int64_t head = thread_number() / JUDO_CUDA_WARP;
    float sum = 0.0f;
    for (int d = (int)threadIdx.x % JUDO_CUDA_WARP; head < heads && d < dim;
         d += JUDO_CUDA_WARP) {
        sum = fmaf(read(dout, head * dim + d), read(out, head * dim + d), sum);
    }
    sum = join_warp<sum_of>(sum);
    if (head < heads && threadIdx.x % JUDO_CUDA_WARP == 0) {
        delta[head] = sum;
    }
}

template <typename T>
static void launch_delta(float *delta, const attention_arguments *args, int64_t tokens)
{
    int64_t heads = tokens * args->query_heads;
    judo_cuda_launch(fill_delta<T>, judo_cuda_blocks(heads * JUDO_CUDA_WARP), JUDO_CUDA_THREADS,
                     0, delta, (const T *)args->dout, (const T *)args->out, heads, args->dim);
}

static judo_status backward_by_us(attention_call *call)
{
    attention_arguments *args = &call->args;
    int64_t tokens = call->shape.tokens;
    void *delta = NULL;
    JUDO_TRY(judo_cuda_scratch(&delta, JUDO_CUDA_SCRATCH_OP,
                               tokens * args->query_heads * (int64_t)sizeof(float)));
    args->delta = (const float *)delta;
    JUDO_TRY(send_plan(args, call->spans, call->num_spans, true));
    JUDO_CUDA_FOR_DTYPE(call->dtype, launch_delta, (float *)delta, args, tokens);
    JUDO_TRY(judo_cuda_launched("attention_backward"));
    return takes_tiles(call->dtype, args->dim)
               ? judo_cuda_attention_tile_backward(args)
               : judo_cuda_attention_simple_backward(args, call->dtype);
}

judo_status judo_cuda_attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                         const judo_tensor *dout, const judo_tensor *q,
                                         const judo_tensor *k, const judo_tensor *v,
                                         const judo_tensor *out, const judo_tensor *lse,
                                         const judo_attention_span *spans, int num_spans,
                                         float scale)
{
    const char *op = "attention_backward";
    judo_attention_shape shape;
    JUDO_TRY(judo_attention_check(&shape, op, q, k, v, spans, num_spans));
    JUDO_TRY(judo_attention_check_gradients(&shape, dq, dk, dv, dout, q, k, out, lse));
    JUDO_TRY(check_sizes(op, &shape));
    if (shape.tokens == 0) {
        return JUDO_OK;
    }
    attention_call call = {{}, shape, spans, num_spans, q->dtype, true, backward_by_us};
    set_common(&call.args, &shape, q, k, v, out, lse, scale);
    call.args.dout = dout->data;
    call.args.dq = dq->data;
    call.args.dk = dk->data;
    call.args.dv = dv->data;
    return choose(&call);
}

static int64_t bytes_between(const void *from, const void *to)
{
    return (int64_t)((uintptr_t)to - (uintptr_t)from);
}

static void set_places(decode_place *places, const judo_decode_row *rows, int64_t num_rows)
{
    const judo_decode_row *first = &rows[0];
    for (int64_t i = 0; i < num_rows; i++) {
        decode_place *place = &places[i];
        place->prefix_keys = bytes_between(first->prefix_keys, rows[i].prefix_keys);
        place->prefix_values = bytes_between(first->prefix_values, rows[i].prefix_values);
        place->own_keys = bytes_between(first->own_keys, rows[i].own_keys);
        place->own_values = bytes_between(first->own_values, rows[i].own_values);
        place->prefix_length = rows[i].prefix_length;
        place->own_length = rows[i].own_length;
        place->prefix_part = judo_decode_part_keys(rows[i].prefix_length, JUDO_DECODE_PREFIX);
        place->own_part = judo_decode_part_keys(rows[i].own_length, JUDO_DECODE_OWN);
    }
}

/* The lists of a decode step, the same in every layer, and the plan that they follow. */
static judo_status send_places(attention_arguments *args, judo_decode_plan *plan,
                               const judo_decode_row *rows, int64_t num_rows)
{
    const int32_t most = JUDO_TILE_ROWS / args->group;
    *plan = judo_decode_plan_of(NULL, rows, num_rows, most);
    int64_t place_bytes = num_rows * (int64_t)sizeof(decode_place);
    int64_t item_bytes = plan->items * (int64_t)sizeof(judo_decode_item);
    int64_t items_at = judo_cuda_aligned(place_bytes);
    void *memory = NULL;
    JUDO_TRY(judo_cuda_host_scratch(&memory, items_at + item_bytes));
    decode_place *places = (decode_place *)memory;
    judo_decode_item *items = (judo_decode_item *)((char *)memory + items_at);
    set_places(places, rows, num_rows);
    (void)judo_decode_plan_of(items, rows, num_rows, most);
    JUDO_TRY(judo_cuda_lists_open(items_at + judo_cuda_aligned(item_bytes)));
    args->places = (const decode_place *)judo_cuda_lists_put(places, place_bytes);
    args->items = (const judo_decode_item *)judo_cuda_lists_put(items, item_bytes);
    args->first_row.prefix_keys = rows[0].prefix_keys;
    args->first_row.prefix_values = rows[0].prefix_values;
    args->first_row.own_keys = rows[0].own_keys;
    args->first_row.own_values = rows[0].own_values;
    return judo_cuda_lists_send();
}

judo_status judo_cuda_attention_decode(judo_tensor *out, const judo_tensor *q,
                                       const judo_decode_row *rows, int num_kv_heads,
                                       float scale)
{
    JUDO_TRY(judo_attention_check_rows(out, q, rows, num_kv_heads));
    int64_t num_rows = q->dims[0];
    judo_attention_shape shape;
    shape.tokens = num_rows;
    shape.query_heads = (int)q->dims[1];
    shape.key_heads = num_kv_heads;
    shape.group = shape.query_heads / num_kv_heads;
    shape.dim = (int)q->dims[2];
    JUDO_TRY(check_sizes("attention_decode", &shape));
    if (num_rows == 0) {
        return JUDO_OK;
    }
    attention_arguments args = {};
    set_shape(&args, &shape, scale);
    args.q = q->data;
    args.out = out->data;
    judo_decode_plan plan;
    JUDO_TRY(send_places(&args, &plan, rows, num_rows));
    if (!takes_tiles(q->dtype, shape.dim)) {
        return judo_cuda_attention_simple_decode(&args, num_rows, q->dtype);
    }
    return judo_cuda.rows_invariant ? judo_cuda_attention_tile_decode(&args, num_rows)
                                    : judo_cuda_attention_split_decode(&args, &plan, num_rows);
}
