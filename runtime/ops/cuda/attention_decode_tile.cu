/* runtime/ops/cuda/attention_decode_tile.cu: a decode step on tensor cores, cut over its keys
 * (decode_plan.h). A block sees one part of a run of keys: of a prefix with the rows that share
 * it, of its own keys with one row. What the parts leave behind is joined in their order. A
 * row's numbers meet no other row's, and the parts are those of its own lengths. */
#include "runtime/ops/cuda/attention.cuh"
#include "runtime/ops/cuda/attention_softmax.cuh"
#include "runtime/ops/cuda/pack.cuh"

enum {
    KEYS = JUDO_KEY_BLOCK,
    ROWS = JUDO_TILE_ROWS,
    STAGES = 2,
    WARPS = (int)JUDO_ATTENTION_THREADS / (int)JUDO_CUDA_WARP,
    WARP_ROWS = 16,
    SHARED_SCORES = KEYS / 8,      /* columns of scores where the warps have rows each */
    OWN_SCORES = KEYS / 8 / WARPS, /* where they have keys each of the same rows */
    MOST_PARTS = 2 * JUDO_DECODE_PARTS
};

static_assert((int)MOST_PARTS <= (int)JUDO_CUDA_WARP, "a lane for every part of a row");

/* What the parts of a row's head leave behind: place (head * slots + part). */
typedef struct decode_parts {
    float *out;      /* [heads, slots, D], not divided by the sum */
    float2 *softmax; /* [heads, slots]: highest score and sum of weights */
    int32_t slots, own_slots, items;
} decode_parts;

typedef struct split_arguments {
    attention_arguments base;
    decode_parts parts;
} split_arguments;

template <int D> struct decode_memory {
    bf16 q[ROWS * (D + TILE_PAD)];
    bf16 k[STAGES][KEYS * (D + TILE_PAD)], v[STAGES][KEYS * (D + TILE_PAD)];
};

/* The warps' states of the same rows; takes the place of keys and values. */
template <int D> struct warp_states {
    float out[WARPS][WARP_ROWS][D];
    float max[WARPS][WARP_ROWS], sum[WARPS][WARP_ROWS];
};

/* Starts the copies of a block of keys and its values: one group. */
template <int D>
static __device__ void start_block(decode_memory<D> *memory, const key_run *run, int first)
{
    int stage = first / KEYS % STAGES;
    auto place = [run](int row) { return row * run->stride; };
    start_rows<D>(memory->k[stage], run->keys + first * run->stride, KEYS, run->count - first,
                  run->dim, place);
    start_rows<D>(memory->v[stage], run->values + first * run->stride, KEYS, run->count - first,
                  run->dim, place);
    close_copies();
}

/* A warp's 16 rows, from `q` on, see a run of keys; of each block 8 N keys from `key` on. The
 * first block is on its way; the next one comes beside this one's products. */
template <int D, int N>
static __device__ void see(tile_state<D> *state, decode_memory<D> *memory, const key_run *run,
                           const bf16 *q, int key, bool active, float scale)
{
    const int skipped = key * (D + TILE_PAD);
    for (int first = 0; first < run->count; first += KEYS) {
        int stage = first / KEYS % STAGES;
        if (first + KEYS < run->count) {
            start_block(memory, run, first + KEYS);
        } else {
            close_copies();
        }
        copies_arrive_but<1>();
        __syncthreads(); /* this block is there */
        int visible = run->count - first - key;
        if (active && visible > 0) {
            float w[N][4];
            rows_by_rows<D, N>(w, q, memory->k[stage] + skipped);
#pragma unroll
            for (int side = 0; side < 2; side++) {
                weigh(state, w, side, visible, scale);
            }
            weights_by_rows<D, N>(state->out, w, memory->v[stage] + skipped);
        }
        __syncthreads(); /* it has been used */
    }
}

/* What one warp saw of its rows, the first `rows` of the tile's. */
template <int D>
static __device__ void store_rows(const split_arguments *args, const tile_state<D> *state,
                                  const judo_decode_item *item, int rows, int slot)
{
    const int key_head = (int)blockIdx.y;
    const int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
    const int row = (int)threadIdx.x / JUDO_CUDA_WARP * WARP_ROWS + lane / 4;
#pragma unroll
    for (int side = 0; side < 2; side++) {
        float sum = row_sum(state, side);
        if (row + side * 8 >= rows) {
            continue;
        }
        int64_t head = query_head_of(&args->base, item->first, row + side * 8, key_head);
        int64_t place = head * args->parts.slots + slot;
        float *out = args->parts.out + place * D + lane % 4 * 2;
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            *(float2 *)(out + n * 8) =
                make_float2(state->out[n][side * 2], state->out[n][side * 2 + 1]);
        }
        if (lane % 4 == 0) {
            args->parts.softmax[place] = make_float2(state->max[side], sum);
        }
    }
}

/* What a warp saw of the rows that all warps have. */
template <int D>
static __device__ void put_state(warp_states<D> *states, const tile_state<D> *state)
{
    const int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    const int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
#pragma unroll
    for (int side = 0; side < 2; side++) {
        const int row = lane / 4 + side * 8;
        float *out = &states->out[warp][row][lane % 4 * 2];
        float sum = row_sum(state, side);
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            *(float2 *)(out + n * 8) =
                make_float2(state->out[n][side * 2], state->out[n][side * 2 + 1]);
        }
        if (lane % 4 == 0) {
            states->max[warp][row] = state->max[side];
            states->sum[warp][row] = sum;
        }
    }
}

/* Four numbers of a row, and its softmax, from all warps in their order. */
template <int D>
static __device__ float2 join_warps(float (&four)[4], const warp_states<D> *states, int row,
                                    int d)
{
    float highest = -INFINITY;
    float sum = 0.0f;
    for (int warp = 0; warp < WARPS; warp++) {
        highest = fmaxf(highest, states->max[warp][row]);
    }
    float base = highest == -INFINITY ? 0.0f : highest;
    for (int warp = 0; warp < WARPS; warp++) {
        float factor = power_of_two(states->max[warp][row] - base);
        float part[4];
        read_pack(part, &states->out[warp][row][d]);
        sum = fmaf(factor, states->sum[warp][row], sum);
        for (int i = 0; i < 4; i++) {
            four[i] = fmaf(factor, part[i], four[i]);
        }
    }
    return make_float2(highest, sum);
}

template <int D>
static __device__ void store_joined(const split_arguments *args, const warp_states<D> *states,
                                    int token, int slot)
{
    const int group = args->base.group;
    for (int i = (int)threadIdx.x; i < group * (D / 4); i += (int)blockDim.x) {
        int row = i / (D / 4);
        int d = i % (D / 4) * 4;
        int64_t head = (int64_t)token * args->base.query_heads + (int)blockIdx.y * group + row;
        int64_t place = head * args->parts.slots + slot;
        float four[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        float2 softmax = join_warps(four, states, row, d);
        write_pack(args->parts.out + place * D + d, four);
        if (d == 0) {
            args->parts.softmax[place] = softmax;
        }
    }
}

static __device__ __forceinline__ int num_parts(int length, int part_keys)
{
    return (int)(((unsigned)length + (unsigned)part_keys - 1) / (unsigned)part_keys);
}

/* The part of a run of `length` keys that begins at `keys` and `values`. */
static __device__ key_run part_of(const attention_arguments *args, const void *keys,
                                  const void *values, int part, int part_keys, int length)
{
    key_run run;
    int64_t first = (int64_t)part * part_keys;
    int64_t left = length - first;
    run.stride = (int64_t)args->key_heads * args->dim;
    int64_t offset = first * run.stride + (int64_t)blockIdx.y * args->dim;
    run.keys = (const bf16 *)keys + offset;
    run.values = (const bf16 *)values + offset;
    run.count = (int)(left < part_keys ? left : part_keys);
    run.dim = args->dim;
    return run;
}

/* A block per (item or own part, key head). */
template <int D>
static __global__ void __launch_bounds__(JUDO_ATTENTION_THREADS, 2)
    attention_decode_split(const __grid_constant__ split_arguments args)
{
    JUDO_CUDA_LAUNCH_MEMORY(shared);
    decode_memory<D> *memory = (decode_memory<D> *)shared;
    const attention_arguments *base = &args.base;
    const bool prefix = (int)blockIdx.x < args.parts.items;
    const int own = (int)blockIdx.x - args.parts.items;
    judo_decode_item item = {own / args.parts.own_slots, 1, own % args.parts.own_slots};
    if (prefix) {
        item = base->items[blockIdx.x];
    }
    const decode_place *place = &base->places[item.first];
    const judo_decode_row decode = decode_row_of(base, item.first);
    key_run run = prefix ? part_of(base, decode.prefix_keys, decode.prefix_values, item.part,
                                   place->prefix_part, decode.prefix_length)
                         : part_of(base, decode.own_keys, decode.own_values, item.part,
                                   place->own_part, decode.own_length);
    if (run.count <= 0) {
        return; /* room for rows that grow */
    }
    start_block(memory, &run, 0);
    const int rows = item.count * base->group;
    load_rows<D>(memory->q, (const bf16 *)base->q, ROWS, rows, base->dim, [&](int r) {
        return query_head_of(base, item.first, r, (int)blockIdx.y) * base->dim;
    });
    const int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    const float scale = base->scale * JUDO_LOG2_E;
    const int prefix_parts = num_parts(decode.prefix_length, place->prefix_part);
    tile_state<D> state;
    start(&state);
    if (prefix || rows > WARP_ROWS) {
        see<D, SHARED_SCORES>(&state, memory, &run,
                              memory->q + warp * WARP_ROWS * (D + TILE_PAD), 0,
                              warp * WARP_ROWS < rows, scale);
        store_rows(&args, &state, &item, rows, item.part + (prefix ? 0 : prefix_parts));
    } else {
        see<D, OWN_SCORES>(&state, memory, &run, memory->q, warp * OWN_SCORES * 8, true, scale);
        warp_states<D> *states = (warp_states<D> *)memory->k;
        static_assert(sizeof(warp_states<D>) <= sizeof(memory->k) + sizeof(memory->v), "");
        put_state(states, &state);
        __syncthreads();
        store_joined(&args, states, item.first, prefix_parts + item.part);
    }
}

/* A warp per row and query head joins its parts in their order: first the prefix's. */
template <int D>
static __global__ void attention_decode_join(const __grid_constant__ split_arguments args,
                                             int64_t heads)
{
    __shared__ float factors[WARPS][JUDO_CUDA_WARP];
    const attention_arguments *base = &args.base;
    const int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
    const int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    const int64_t head = (int64_t)blockIdx.x * WARPS + warp;
    const decode_place *place =
        &base->places[head < heads ? (int)(head / base->query_heads) : 0];
    const int parts = num_parts(place->prefix_length, place->prefix_part) +
                      num_parts(place->own_length, place->own_part);
    const int64_t first = head * args.parts.slots;
    float2 softmax = make_float2(-INFINITY, 0.0f);
    if (head < heads && lane < parts) {
        softmax = args.parts.softmax[first + lane];
    }
    float highest = join_warp<highest_of>(softmax.x);
    float factor = power_of_two(softmax.x - (highest == -INFINITY ? 0.0f : highest));
    float sum = join_warp<sum_of>(factor * softmax.y);
    factors[warp][lane] = factor;
    __syncthreads();
    if (head >= heads || lane * 4 >= D) {
        return;
    }
    float four[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 4
    for (int part = 0; part < parts; part++) {
        float one[4];
        read_pack(one, args.parts.out + (first + part) * D + lane * 4);
        for (int i = 0; i < 4; i++) {
            four[i] = fmaf(factors[warp][part], one[i], four[i]);
        }
    }
    float scale = sum == 0.0f ? 0.0f : 1.0f / sum;
    for (int i = 0; i < 4; i++) {
        int d = lane * 4 + i;
        if (d < base->dim) {
            write((bf16 *)base->out, head * base->dim + d, four[i] * scale);
        }
    }
}

template <int D>
static judo_status launch(const attention_arguments *base, const judo_decode_plan *plan,
                          int64_t rows)
{
    split_arguments args = {};
    args.base = *base;
    args.parts.items = (int32_t)plan->items;
    args.parts.own_slots = plan->own_parts;
    args.parts.slots = plan->prefix_parts + plan->own_parts;
    int64_t heads = rows * base->query_heads;
    int64_t places = heads * args.parts.slots;
    int64_t out_bytes = places * D * (int64_t)sizeof(float);
    void *memory = NULL;
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_OP,
                               out_bytes + places * (int64_t)sizeof(float2)));
    args.parts.out = (float *)memory;
    args.parts.softmax = (float2 *)((char *)memory + out_bytes);
    int bytes = (int)sizeof(decode_memory<D>);
    JUDO_CUDA_TRY(cudaFuncSetAttribute(attention_decode_split<D>,
                                       cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    dim3 grid((unsigned)(plan->items + rows * plan->own_parts), (unsigned)base->key_heads);
    judo_cuda_launch(attention_decode_split<D>, grid, JUDO_ATTENTION_THREADS, (size_t)bytes,
                     args);
    judo_cuda_launch(attention_decode_join<D>, (unsigned)((heads + WARPS - 1) / WARPS),
                     JUDO_ATTENTION_THREADS, 0, args, heads);
    return judo_cuda_launched("attention_decode");
}

judo_status judo_cuda_attention_split_decode(const attention_arguments *args,
                                             const judo_decode_plan *plan, int64_t rows)
{
    if (args->dim <= 64) {
        return launch<64>(args, plan, rows);
    }
    if (args->dim <= 80) {
        return launch<80>(args, plan, rows);
    }
    return launch<128>(args, plan, rows);
}
