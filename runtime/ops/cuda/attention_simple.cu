/* runtime/ops/cuda/attention_simple.cu: attention with a warp per query (or key), dimensions
 * spread over its lanes, one key (or query) after the other: for fp32 and for head dimensions
 * that the tensor-core kernels do not take. Decode gives the bits of forward. */
#include "runtime/ops/cuda/attention.cuh"

enum { PARTS = (int)JUDO_SIMPLE_DIMENSIONS / (int)JUDO_CUDA_WARP };

/* The lane's dimensions of a row: lane, lane + 32, .. */
typedef struct lane_row {
    float part[PARTS];
} lane_row;

template <typename T> static __device__ __forceinline__ lane_row load(const T *row, int dim)
{
    lane_row x;
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        int d = (int)threadIdx.x % JUDO_CUDA_WARP + p * JUDO_CUDA_WARP;
        x.part[p] = d < dim ? read(row, d) : 0.0f;
    }
    return x;
}

template <typename T>
static __device__ __forceinline__ void store(T *row, const lane_row *x, float factor, int dim)
{
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        int d = (int)threadIdx.x % JUDO_CUDA_WARP + p * JUDO_CUDA_WARP;
        if (d < dim) {
            write(row, d, x->part[p] * factor);
        }
    }
}

static __device__ __forceinline__ float dot(const lane_row *a, const lane_row *b)
{
    float sum = 0.0f;
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        sum = fmaf(a->part[p], b->part[p], sum);
    }
    return join_warp<sum_of>(sum);
}

static __device__ __forceinline__ void add(lane_row *sum, float factor, const lane_row *x)
{
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        sum->part[p] = fmaf(factor, x->part[p], sum->part[p]);
    }
}

/* What a query has seen. */
typedef struct simple_state {
    lane_row q, out;
    float max, sum;
} simple_state;

template <typename T>
static __device__ void see(simple_state *state, const T *keys, const T *values, int64_t stride,
                           int count, int dim, float scale)
{
    for (int i = 0; i < count; i++) {
        lane_row k = load(keys + i * stride, dim);
        lane_row v = load(values + i * stride, dim);
        float score = dot(&state->q, &k) * scale;
        float highest = fmaxf(state->max, score);
        float base = highest == -INFINITY ? 0.0f : highest;
        float keep = expf(state->max - base);
        float weight = expf(score - base);
        state->sum = state->sum * keep + weight;
        for (int p = 0; p < PARTS; p++) {
            state->out.part[p] = fmaf(weight, v.part[p], state->out.part[p] * keep);
        }
        state->max = highest;
    }
}

template <typename T> static __device__ void start(simple_state *state, const T *q, int dim)
{
    state->q = load(q, dim);
    state->out = {};
    state->max = -INFINITY;
    state->sum = 0.0f;
}

template <typename T>
static __device__ void finish(const simple_state *state, T *out, float *lse, int dim)
{
    store(out, &state->out, state->sum == 0.0f ? 0.0f : 1.0f / state->sum, dim);
    if (lse && threadIdx.x % JUDO_CUDA_WARP == 0) {
        *lse = state->sum == 0.0f ? -INFINITY : state->max + logf(state->sum);
    }
}

template <typename T>
static __global__ void
attention_forward_simple(const __grid_constant__ attention_arguments args)
{
    const judo_query_block block = args.query_blocks[blockIdx.x];
    const int key_head = (int)blockIdx.y;
    const T *k = (const T *)args.k;
    const T *v = (const T *)args.v;
    int64_t stride = (int64_t)args.key_heads * args.dim;
    int64_t prefix = key_of(&args, block.span.prefix_begin, key_head);
    int64_t own = key_of(&args, block.span.begin, key_head);
    for (int row = (int)threadIdx.x / JUDO_CUDA_WARP; row < block.count * args.group;
         row += (int)JUDO_ATTENTION_THREADS / (int)JUDO_CUDA_WARP) {
        int64_t head = query_head_of(&args, block.first, row, key_head);
        simple_state state;
        start(&state, (const T *)args.q + head * args.dim, args.dim);
        see(&state, k + prefix, v + prefix, stride,
            block.span.prefix_end - block.span.prefix_begin, args.dim, args.scale);
        see(&state, k + own, v + own, stride, own_keys_of(&block, row, args.group), args.dim,
            args.scale);
        finish(&state, (T *)args.out + head * args.dim, args.lse + head, args.dim);
    }
}

template <typename T>
static __global__ void attention_decode_simple(const __grid_constant__ attention_arguments args)
{
    const judo_decode_row decode = decode_row_of(&args, (int)blockIdx.x);
    const int key_head = (int)blockIdx.y;
    int64_t stride = (int64_t)args.key_heads * args.dim;
    int64_t offset = (int64_t)key_head * args.dim;
    for (int row = (int)threadIdx.x / JUDO_CUDA_WARP; row < args.group;
         row += (int)JUDO_ATTENTION_THREADS / (int)JUDO_CUDA_WARP) {
        int64_t head = query_head_of(&args, (int32_t)blockIdx.x, row, key_head);
        simple_state state;
        start(&state, (const T *)args.q + head * args.dim, args.dim);
        see(&state, (const T *)decode.prefix_keys + offset,
            (const T *)decode.prefix_values + offset, stride, decode.prefix_length, args.dim,
            args.scale);
        see(&state, (const T *)decode.own_keys + offset, (const T *)decode.own_values + offset,
            stride, decode.own_length, args.dim, args.scale);
        finish(&state, (T *)args.out + head * args.dim, (float *)NULL, args.dim);
    }
}

/* d(score) x scale of a query and a key, and the weight. */
static __device__ __forceinline__ float slope(const lane_row *q, const lane_row *k,
                                              const lane_row *v, const lane_row *dout,
                                              float lse, float delta, float scale,
                                              float *weight)
{
    *weight = expf(dot(q, k) * scale - lse);
    return *weight * (dot(dout, v) - delta) * scale;
}

/* dq of a query from `count` keys. */
template <typename T>
static __device__ void query_slopes(lane_row *dq, const attention_arguments *args,
                                    const lane_row *q, const lane_row *dout, int64_t head,
                                    int64_t first, int count)
{
    int64_t stride = (int64_t)args->key_heads * args->dim;
    for (int i = 0; i < count; i++) {
        lane_row k = load((const T *)args->k + first + i * stride, args->dim);
        lane_row v = load((const T *)args->v + first + i * stride, args->dim);
        float weight;
        float s =
            slope(q, &k, &v, dout, args->lse[head], args->delta[head], args->scale, &weight);
        add(dq, s, &k);
    }
}

template <typename T>
static __global__ void
attention_query_gradient_simple(const __grid_constant__ attention_arguments args)
{
    const judo_query_block block = args.query_blocks[blockIdx.x];
    const int key_head = (int)blockIdx.y;
    for (int row = (int)threadIdx.x / JUDO_CUDA_WARP; row < block.count * args.group;
         row += (int)JUDO_ATTENTION_THREADS / (int)JUDO_CUDA_WARP) {
        int64_t head = query_head_of(&args, block.first, row, key_head);
        lane_row q = load((const T *)args.q + head * args.dim, args.dim);
        lane_row dout = load((const T *)args.dout + head * args.dim, args.dim);
        lane_row dq = {};
        query_slopes<T>(&dq, &args, &q, &dout, head,
                        key_of(&args, block.span.prefix_begin, key_head),
                        block.span.prefix_end - block.span.prefix_begin);
        query_slopes<T>(&dq, &args, &q, &dout, head, key_of(&args, block.span.begin, key_head),
                        own_keys_of(&block, row, args.group));
        store((T *)args.dq + head * args.dim, &dq, 1.0f, args.dim);
    }
}

/* dk and dv of key `token` from one run of queries. */
template <typename T>
static __device__ void key_slopes(lane_row *dk, lane_row *dv, const attention_arguments *args,
                                  const lane_row *k, const lane_row *v,
                                  const judo_query_run *run, int32_t token, int key_head)
{
    if (token < run->low || token >= run->high) {
        return;
    }
    int32_t begin = run->causal && token > run->begin ? token : run->begin;
    int rows = (run->end - begin) * args->group;
    for (int row = 0; row < rows; row++) {
        int64_t head = query_head_of(args, begin, row, key_head);
        lane_row q = load((const T *)args->q + head * args->dim, args->dim);
        lane_row dout = load((const T *)args->dout + head * args->dim, args->dim);
        float weight;
        float s =
            slope(&q, k, v, &dout, args->lse[head], args->delta[head], args->scale, &weight);
        add(dk, s, &q);
        add(dv, weight, &dout);
    }
}

template <typename T>
static __global__ void
attention_key_gradient_simple(const __grid_constant__ attention_arguments args)
{
    const judo_key_block block = args.key_blocks[blockIdx.x];
    const int key_head = (int)blockIdx.y;
    for (int i = (int)threadIdx.x / JUDO_CUDA_WARP; i < block.count;
         i += (int)JUDO_ATTENTION_THREADS / (int)JUDO_CUDA_WARP) {
        int64_t at = key_of(&args, block.first + i, key_head);
        lane_row k = load((const T *)args.k + at, args.dim);
        lane_row v = load((const T *)args.v + at, args.dim);
        lane_row dk = {};
        lane_row dv = {};
        for (int r = block.runs_begin; r < block.runs_end; r++) {
            const judo_query_run run = args.runs[r];
            key_slopes<T>(&dk, &dv, &args, &k, &v, &run, block.first + i, key_head);
        }
        store((T *)args.dk + at, &dk, 1.0f, args.dim);
        store((T *)args.dv + at, &dv, 1.0f, args.dim);
    }
}

static judo_status launch(void (*of_float)(attention_arguments),
                          void (*of_bf16)(attention_arguments), const attention_arguments *args,
                          int64_t blocks, judo_dtype dtype)
{
    dim3 grid((unsigned)blocks, (unsigned)args->key_heads);
    void (*kernel)(attention_arguments) = dtype == JUDO_BF16 ? of_bf16 : of_float;
    judo_cuda_launch(kernel, grid, JUDO_ATTENTION_THREADS, 0, *args);
    return judo_cuda_launched("attention");
}

judo_status judo_cuda_attention_simple_forward(const attention_arguments *args,
                                               judo_dtype dtype)
{
    return launch(attention_forward_simple<float>, attention_forward_simple<bf16>, args,
                  args->counts.query_blocks, dtype);
}

judo_status judo_cuda_attention_simple_decode(const attention_arguments *args, int64_t rows,
                                              judo_dtype dtype)
{
    return launch(attention_decode_simple<float>, attention_decode_simple<bf16>, args, rows,
                  dtype);
}

judo_status judo_cuda_attention_simple_backward(const attention_arguments *args,
                                                judo_dtype dtype)
{
    JUDO_TRY(launch(attention_query_gradient_simple<float>,
                    attention_query_gradient_simple<bf16>, args, args->counts.query_blocks,
                    dtype));
    return launch(attention_key_gradient_simple<float>, attention_key_gradient_simple<bf16>,
                  args, args->counts.key_blocks, dtype);
}
