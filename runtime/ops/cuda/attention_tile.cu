/* runtime/ops/cuda/attention_tile.cu: attention forward on tensor cores, and the decode that
 * gives its bits: blocks of keys start at the start of each run of keys, and a row's numbers
 * meet no other row's. */
#include "runtime/ops/cuda/attention.cuh"
#include "runtime/ops/cuda/attention_softmax.cuh"

enum { KEYS = JUDO_KEY_BLOCK, ROWS = JUDO_TILE_ROWS, SCORES = KEYS / 8 };

template <int D> struct tile_memory {
    bf16 q[ROWS * (D + TILE_PAD)], k[KEYS * (D + TILE_PAD)], v[KEYS * (D + TILE_PAD)];
    int broken[KEYS]; /* keys whose values are not finite */
};

/* Whether one of eight bf16 numbers is not finite: its exponent is all ones, and adding the
 * lowest of them carries into the sign. */
static __device__ __forceinline__ bool has_broken(const uint4 &eight)
{
    const uint32_t words[4] = {eight.x, eight.y, eight.z, eight.w};
    uint32_t carried = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        carried |= (words[i] & 0x7f807f80u) + 0x00800080u;
    }
    return (carried & 0x80008000u) != 0;
}

/* Values that are not finite become 0, so that 0 times them is 0 for rows that must not see
 * them; their keys are marked for the rows that do. */
template <int D> static __device__ bool mend_values(tile_memory<D> *memory)
{
    bool any = false;
    for (int i = (int)threadIdx.x; i < KEYS * (D / 8); i += (int)blockDim.x) {
        int row = i / (D / 8);
        bf16 *eight = &memory->v[row * (D + TILE_PAD) + i % (D / 8) * 8];
        if (!has_broken(*(const uint4 *)eight)) {
            continue;
        }
        for (int j = 0; j < 8; j++) {
            if ((__bfloat16_as_ushort(eight[j]) & 0x7f80) == 0x7f80) {
                eight[j] = __ushort_as_bfloat16(0);
            }
        }
        memory->broken[row] = 1;
        any = true;
    }
    return __syncthreads_or(any) != 0;
}

template <int D>
static __device__ void start_keys(tile_memory<D> *memory, const key_run *run, int first)
{
    auto place = [run](int row) { return row * run->stride; };
    start_rows<D>(memory->k, run->keys + first * run->stride, KEYS, run->count - first,
                  run->dim, place);
}

template <int D>
static __device__ void start_values(tile_memory<D> *memory, const key_run *run, int first)
{
    auto place = [run](int row) { return row * run->stride; };
    start_rows<D>(memory->v, run->values + first * run->stride, KEYS, run->count - first,
                  run->dim, place);
    if (threadIdx.x < KEYS) {
        memory->broken[threadIdx.x] = 0;
    }
}

/* The warp's rows see a run of keys, the thread's two rows the first visible[..] of them. A
 * block's values come while its scores are computed, the next block's keys while its weights
 * meet the values. */
template <int D>
static __device__ void see(tile_state<D> *state, tile_memory<D> *memory, const key_run *run,
                           const int visible[2], float scale, bool active)
{
    scale *= JUDO_LOG2_E;
    int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    float w[SCORES][4];
    if (run->count > 0) {
        __syncthreads(); /* the keys before have been used */
        start_keys(memory, run, 0);
    }
    for (int first = 0; first < run->count; first += KEYS) {
        copies_arrive();
        __syncthreads(); /* the keys are there, the values before have been used */
        start_values(memory, run, first);
        if (active) {
            rows_by_rows<D, SCORES>(w, memory->q + warp * 16 * (D + TILE_PAD), memory->k);
        }
        copies_arrive();
        __syncthreads(); /* the values are there, the keys have been used */
        if (first + KEYS < run->count) {
            start_keys(memory, run, first + KEYS);
        }
        bool broken = mend_values(memory);
        if (!active) {
            continue;
        }
#pragma unroll
        for (int side = 0; side < 2; side++) {
            weigh(state, w, side, visible[side] - first, scale);
            for (int j = 0; broken && j < KEYS && first + j < visible[side]; j++) {
                state->sum[side] = memory->broken[j] ? NAN : state->sum[side];
            }
        }
        weights_by_rows<D, SCORES>(state->out, w, memory->v);
    }
}

/* Stores one of the thread's rows; a row that saw nothing is 0 and minus infinity. */
template <int D>
static __device__ void store(const tile_state<D> *state, int side, bf16 *out, float *lse,
                             int dim)
{
    float sum = row_sum(state, side);
    int column = (int)threadIdx.x % 4 * 2;
    float factor = sum == 0.0f ? 0.0f : 1.0f / sum;
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
            int d = n * 8 + column + e;
            if (out && d < dim) {
                write(out, d, state->out[n][side * 2 + e] * factor);
            }
        }
    }
    if (lse && column == 0) {
        *lse = sum == 0.0f ? -INFINITY : fmaf(state->max[side], JUDO_LN_2, logf(sum));
    }
}

template <int D>
static __global__ void __launch_bounds__(JUDO_ATTENTION_THREADS, 3)
    attention_forward_tile(const __grid_constant__ attention_arguments args)
{
    JUDO_CUDA_LAUNCH_MEMORY(shared);
    tile_memory<D> *memory = (tile_memory<D> *)shared;
    const judo_query_block block = args.query_blocks[blockIdx.x];
    const int key_head = (int)blockIdx.y;
    const int rows = block.count * args.group;
    const int first_row = (int)threadIdx.x / JUDO_CUDA_WARP * 16;
    const int row = first_row + (int)threadIdx.x % JUDO_CUDA_WARP / 4;
    load_rows<D>(memory->q, (const bf16 *)args.q, ROWS, rows, args.dim, [&](int r) {
        return query_head_of(&args, block.first, r, key_head) * args.dim;
    });
    tile_state<D> state;
    start(&state);
    int64_t stride = (int64_t)args.key_heads * args.dim;
    int64_t prefix = key_of(&args, block.span.prefix_begin, key_head);
    int prefix_count = block.span.prefix_end - block.span.prefix_begin;
    key_run run = {(const bf16 *)args.k + prefix, (const bf16 *)args.v + prefix, stride,
                   prefix_count, args.dim};
    const int all[2] = {prefix_count, prefix_count};
    see(&state, memory, &run, all, args.scale, first_row < rows);
    int64_t own = key_of(&args, block.span.begin, key_head);
    run.keys = (const bf16 *)args.k + own;
    run.values = (const bf16 *)args.v + own;
    run.count = own_keys_of(&block, rows - 1, args.group);
    const int visible[2] = {own_keys_of(&block, row, args.group),
                            own_keys_of(&block, row + 8, args.group)};
    see(&state, memory, &run, visible, args.scale, first_row < rows);
#pragma unroll
    for (int side = 0; side < 2; side++) {
        int64_t head = query_head_of(&args, block.first, row + side * 8, key_head);
        bool there = row + side * 8 < rows;
        store(&state, side, there ? (bf16 *)args.out + head * args.dim : NULL,
              there ? args.lse + head : NULL, args.dim);
    }
}

/* A block per (row, key head); the rows of the tile are the heads of the group. */
template <int D>
static __global__ void __launch_bounds__(JUDO_ATTENTION_THREADS, 3)
    attention_decode_tile(const __grid_constant__ attention_arguments args)
{
    JUDO_CUDA_LAUNCH_MEMORY(shared);
    tile_memory<D> *memory = (tile_memory<D> *)shared;
    const judo_decode_row decode = decode_row_of(&args, (int)blockIdx.x);
    const int key_head = (int)blockIdx.y;
    const int first_row = (int)threadIdx.x / JUDO_CUDA_WARP * 16;
    const int row = first_row + (int)threadIdx.x % JUDO_CUDA_WARP / 4;
    load_rows<D>(memory->q, (const bf16 *)args.q, ROWS, args.group, args.dim, [&](int r) {
        return query_head_of(&args, (int32_t)blockIdx.x, r, key_head) * args.dim;
    });
    tile_state<D> state;
    start(&state);
    int64_t stride = (int64_t)args.key_heads * args.dim;
    int64_t offset = (int64_t)key_head * args.dim;
    key_run run = {(const bf16 *)decode.prefix_keys + offset,
                   (const bf16 *)decode.prefix_values + offset, stride, decode.prefix_length,
                   args.dim};
    const int all[2] = {decode.prefix_length, decode.prefix_length};
    see(&state, memory, &run, all, args.scale, first_row < args.group);
    run.keys = (const bf16 *)decode.own_keys + offset;
    run.values = (const bf16 *)decode.own_values + offset;
    run.count = decode.own_length;
    const int own[2] = {decode.own_length, decode.own_length};
    see(&state, memory, &run, own, args.scale, first_row < args.group);
#pragma unroll
    for (int side = 0; side < 2; side++) {
        int64_t head = query_head_of(&args, (int32_t)blockIdx.x, row + side * 8, key_head);
        bool there = row + side * 8 < args.group;
        store(&state, side, there ? (bf16 *)args.out + head * args.dim : NULL, NULL, args.dim);
    }
}

template <int D>
static judo_status launch(void (*kernel)(attention_arguments), const attention_arguments *args,
                          int64_t blocks)
{
    int bytes = (int)sizeof(tile_memory<D>);
    JUDO_CUDA_TRY(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    dim3 grid((unsigned)blocks, (unsigned)args->key_heads);
    judo_cuda_launch(kernel, grid, JUDO_ATTENTION_THREADS, (size_t)bytes, *args);
    return judo_cuda_launched("attention");
}

judo_status judo_cuda_attention_tile_forward(const attention_arguments *args)
{
    int64_t blocks = args->counts.query_blocks;
    if (args->dim <= 64) {
        return launch<64>(attention_forward_tile<64>, args, blocks);
    }
    if (args->dim <= 80) {
        return launch<80>(attention_forward_tile<80>, args, blocks);
    }
    return launch<128>(attention_forward_tile<128>, args, blocks);
}

judo_status judo_cuda_attention_tile_decode(const attention_arguments *args, int64_t rows)
{
    if (args->dim <= 64) {
        return launch<64>(attention_decode_tile<64>, args, rows);
    }
    if (args->dim <= 80) {
        return launch<80>(attention_decode_tile<80>, args, rows);
    }
    return launch<128>(attention_decode_tile<128>, args, rows);
}
