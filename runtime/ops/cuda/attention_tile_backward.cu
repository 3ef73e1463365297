/* runtime/ops/cuda/attention_tile_backward.cu: gradients of attention on tensor cores. Two
 * kernels recompute the weights from the log-sum-exp: one owns blocks of queries, one blocks of
 * keys, so that every sum has one owner and one order. */
#include "runtime/ops/cuda/attention.cuh"
#include "runtime/ops/cuda/attention_softmax.cuh"

enum { KEYS = JUDO_KEY_BLOCK, ROWS = JUDO_TILE_ROWS, FEW = 32 };

template <int D> struct query_memory {
    bf16 q[ROWS * (D + TILE_PAD)], dout[ROWS * (D + TILE_PAD)];
    /* Two of each: one comes while the other is used. */
    bf16 k[2][FEW * (D + TILE_PAD)], v[2][FEW * (D + TILE_PAD)];
};

/* The weight of a key for a query, of which d(weight) is `slope`; `scale` and `lse` in units of
 * log 2. Slope becomes d(score). Both are 0 where the query does not see the key. */
static __device__ __forceinline__ float weigh_slope(float *slope, float score, float scale,
                                                    float lse, float delta, bool visible)
{
    float weight = power_of_two(fmaf(score, scale, -lse));
    *slope = visible ? weight * (*slope - delta) : 0.0f;
    return visible ? weight : 0.0f;
}

/* What a thread knows of its two rows; `lse` in units of log 2. */
typedef struct row_pair {
    float lse[2], delta[2];
    int visible[2];
} row_pair;

template <int D>
static __device__ void query_slopes(float (&dq)[D / 8][4], query_memory<D> *memory,
                                    const attention_arguments *args, const row_pair *rows,
                                    int64_t offset, int count, bool active)
{
    int64_t stride = (int64_t)args->key_heads * args->dim;
    float scale = args->scale * JUDO_LOG2_E;
    int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    int column = (int)threadIdx.x % 4 * 2;
    auto place = [stride](int row) { return row * stride; };
    auto start = [&](int first, int turn) {
        int64_t at = offset + first * stride;
        start_rows<D>(memory->k[turn], (const bf16 *)args->k + at, FEW, count - first,
                      args->dim, place);
        start_rows<D>(memory->v[turn], (const bf16 *)args->v + at, FEW, count - first,
                      args->dim, place);
    };
    if (count > 0) {
        __syncthreads(); /* the keys before have been used */
        start(0, 0);
    }
    for (int first = 0, turn = 0; first < count; first += FEW, turn = 1 - turn) {
        copies_arrive();
        __syncthreads(); /* these are there, those before have been used */
        if (first + FEW < count) {
            start(first + FEW, 1 - turn);
        }
        if (!active) {
            continue;
        }
        float scores[FEW / 8][4];
        float slopes[FEW / 8][4];
        rows_by_rows<D, FEW / 8>(scores, memory->q + warp * 16 * (D + TILE_PAD),
                                 memory->k[turn]);
        rows_by_rows<D, FEW / 8>(slopes, memory->dout + warp * 16 * (D + TILE_PAD),
                                 memory->v[turn]);
#pragma unroll
        for (int n = 0; n < FEW / 8; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                bool visible = first + n * 8 + column + e % 2 < rows->visible[e / 2];
                (void)weigh_slope(&slopes[n][e], scores[n][e], scale, rows->lse[e / 2],
                                  rows->delta[e / 2], visible);
            }
        }
        weights_by_rows<D, FEW / 8>(dq, slopes, memory->k[turn]);
    }
}

template <int D>
static __global__ void __launch_bounds__(JUDO_ATTENTION_THREADS, 2)
    attention_query_gradient(const __grid_constant__ attention_arguments args)
{
    JUDO_CUDA_LAUNCH_MEMORY(shared);
    query_memory<D> *memory = (query_memory<D> *)shared;
    const judo_query_block block = args.query_blocks[blockIdx.x];
    const int key_head = (int)blockIdx.y;
    const int count = block.count * args.group;
    const int first_row = (int)threadIdx.x / JUDO_CUDA_WARP * 16;
    const int row = first_row + (int)threadIdx.x % JUDO_CUDA_WARP / 4;
    auto place = [&](int r) {
        return query_head_of(&args, block.first, r, key_head) * args.dim;
    };
    load_rows<D>(memory->q, (const bf16 *)args.q, ROWS, count, args.dim, place);
    load_rows<D>(memory->dout, (const bf16 *)args.dout, ROWS, count, args.dim, place);
    row_pair rows = {};
#pragma unroll
    for (int side = 0; side < 2; side++) {
        int r = row + side * 8;
        if (r < count) {
            rows.lse[side] =
                args.lse[query_head_of(&args, block.first, r, key_head)] * JUDO_LOG2_E;
            rows.delta[side] = args.delta[query_head_of(&args, block.first, r, key_head)];
        }
    }
    float dq[D / 8][4];
    clear_sums(dq);
    int prefix = block.span.prefix_end - block.span.prefix_begin;
    rows.visible[0] = row < count ? prefix : 0;
    rows.visible[1] = row + 8 < count ? prefix : 0;
    query_slopes(dq, memory, &args, &rows, key_of(&args, block.span.prefix_begin, key_head),
                 prefix, first_row < count);
    rows.visible[0] = row < count ? own_keys_of(&block, row, args.group) : 0;
    rows.visible[1] = row + 8 < count ? own_keys_of(&block, row + 8, args.group) : 0;
    query_slopes(dq, memory, &args, &rows, key_of(&args, block.span.begin, key_head),
                 own_keys_of(&block, count - 1, args.group), first_row < count);
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int r = row + e / 2 * 8;
            int d = n * 8 + (int)threadIdx.x % 4 * 2 + e % 2;
            if (r < count && d < args.dim) {
                write((bf16 *)args.dq, place(r) + d, dq[n][e] * args.scale);
            }
        }
    }
}

template <int D> struct key_memory {
    bf16 k[KEYS * (D + TILE_PAD)], v[KEYS * (D + TILE_PAD)];
    /* Two of each: one comes while the other is used. */
    bf16 q[2][FEW * (D + TILE_PAD)], dout[2][FEW * (D + TILE_PAD)];
    float lse[2][FEW], delta[2][FEW]; /* in units of log 2; as it is */
};

/* Rows [first, first + FEW) of a run of queries start on their way, with zeros behind its end.
 */
template <int D>
static __device__ void start_queries(key_memory<D> *memory, const attention_arguments *args,
                                     const judo_query_run *run, int first, int key_head,
                                     int turn)
{
    int count = (run->end - run->begin) * args->group - first;
    auto place = [=](int r) {
        return query_head_of(args, run->begin, first + r, key_head) * args->dim;
    };
    start_rows<D>(memory->q[turn], (const bf16 *)args->q, FEW, count, args->dim, place);
    start_rows<D>(memory->dout[turn], (const bf16 *)args->dout, FEW, count, args->dim, place);
    int r = (int)threadIdx.x;
    if (r < FEW) {
        int64_t head = query_head_of(args, run->begin, first + r, key_head);
        memory->lse[turn][r] = r < count ? args->lse[head] * JUDO_LOG2_E : 0.0f;
        memory->delta[turn][r] = r < count ? args->delta[head] : 0.0f;
    }
}

/* The warp's 16 keys, from token `key` of this thread's first on, meet one run of queries. */
template <int D>
static __device__ void key_slopes(float (&dk)[D / 8][4], float (&dv)[D / 8][4],
                                  key_memory<D> *memory, const attention_arguments *args,
                                  const judo_query_run *run, int key, int key_head)
{
    float scale = args->scale * JUDO_LOG2_E;
    int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    int column = (int)threadIdx.x % 4 * 2;
    int rows = (run->end - run->begin) * args->group;
    /* The first row that sees each of the thread's two keys, and whether the run has the key.
     */
    int from[2];
#pragma unroll
    for (int side = 0; side < 2; side++) {
        int token = key + side * 8;
        bool there = token >= run->low && token < run->high;
        from[side] = !there                              ? rows
                     : run->causal && token > run->begin ? (token - run->begin) * args->group
                                                         : 0;
    }
    __syncthreads(); /* the rows before have been used */
    start_queries(memory, args, run, 0, key_head, 0);
    for (int first = 0, turn = 0; first < rows; first += FEW, turn = 1 - turn) {
        copies_arrive();
        __syncthreads(); /* these are there, those before have been used */
        if (first + FEW < rows) {
            start_queries(memory, args, run, first + FEW, key_head, 1 - turn);
        }
        float weights[FEW / 8][4];
        float slopes[FEW / 8][4];
        rows_by_rows<D, FEW / 8>(weights, memory->k + warp * 16 * (D + TILE_PAD),
                                 memory->q[turn]);
        rows_by_rows<D, FEW / 8>(slopes, memory->v + warp * 16 * (D + TILE_PAD),
                                 memory->dout[turn]);
#pragma unroll
        for (int n = 0; n < FEW / 8; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int r = n * 8 + column + e % 2;
                bool visible = first + r < rows && first + r >= from[e / 2];
                weights[n][e] =
                    weigh_slope(&slopes[n][e], weights[n][e], scale, memory->lse[turn][r],
                                memory->delta[turn][r], visible);
            }
        }
        weights_by_rows<D, FEW / 8>(dv, weights, memory->dout[turn]);
        weights_by_rows<D, FEW / 8>(dk, slopes, memory->q[turn]);
    }
}

template <int D>
static __global__ void __launch_bounds__(JUDO_ATTENTION_THREADS, 2)
    attention_key_gradient(const __grid_constant__ attention_arguments args)
{
    JUDO_CUDA_LAUNCH_MEMORY(shared);
    key_memory<D> *memory = (key_memory<D> *)shared;
    const judo_key_block block = args.key_blocks[blockIdx.x];
    const int key_head = (int)blockIdx.y;
    const int row =
        (int)threadIdx.x / JUDO_CUDA_WARP * 16 + (int)threadIdx.x % JUDO_CUDA_WARP / 4;
    auto place = [&](int r) { return key_of(&args, block.first + r, key_head); };
    load_rows<D>(memory->k, (const bf16 *)args.k, KEYS, block.count, args.dim, place);
    load_rows<D>(memory->v, (const bf16 *)args.v, KEYS, block.count, args.dim, place);
    float dk[D / 8][4];
    float dv[D / 8][4];
    clear_sums(dk);
    clear_sums(dv);
    for (int i = block.runs_begin; i < block.runs_end; i++) {
        const judo_query_run run = args.runs[i];
        key_slopes(dk, dv, memory, &args, &run, block.first + row, key_head);
    }
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int r = row + e / 2 * 8;
            int d = n * 8 + (int)threadIdx.x % 4 * 2 + e % 2;
            if (r < block.count && d < args.dim) {
                write((bf16 *)args.dk, place(r) + d, dk[n][e] * args.scale);
                write((bf16 *)args.dv, place(r) + d, dv[n][e]);
            }
        }
    }
}

static judo_status launch(void (*kernel)(attention_arguments), size_t bytes,
                          const attention_arguments *args, int64_t blocks)
{
    JUDO_CUDA_TRY(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes));
    dim3 grid((unsigned)blocks, (unsigned)args->key_heads);
    judo_cuda_launch(kernel, grid, JUDO_ATTENTION_THREADS, bytes, *args);
    return judo_cuda_launched("attention_backward");
}

template <int D> static judo_status launch_both(const attention_arguments *args)
{
    JUDO_TRY(launch(attention_query_gradient<D>, sizeof(query_memory<D>), args,
                    args->counts.query_blocks));
    return launch(attention_key_gradient<D>, sizeof(key_memory<D>), args,
                  args->counts.key_blocks);
}

judo_status judo_cuda_attention_tile_backward(const attention_arguments *args)
{
    if (args->dim <= 64) {
        return launch_both<64>(args);
    }
    return args->dim <= 80 ? launch_both<80>(args) : launch_both<128>(args);
}
