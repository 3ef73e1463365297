/* runtime/ops/cuda/attention.cuh: what the attention kernels share: their arguments, and who
 * launches them. Rows of a query block are its tokens times the query heads of one key head. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_CUH
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_CUH

#include "runtime/ops/cuda/kernel.cuh"

extern "C" {
#include "runtime/ops/cuda/attention_plan.h"
#include "runtime/ops/cuda/decode_plan.h"
}

enum { JUDO_TILE_ROWS = 64, JUDO_ATTENTION_THREADS = 128, JUDO_SIMPLE_DIMENSIONS = 256 };

/* A judo_decode_row as the kernels take it: where its keys and values begin, in bytes from the
 * first row's. A list says the same in every layer that is laid out alike. */
typedef struct decode_place {
    int64_t prefix_keys, prefix_values, own_keys, own_values;
    int32_t prefix_length, own_length;
    int32_t prefix_part, own_part; /* keys of a part: decode_plan.h */
} decode_place;

typedef struct attention_arguments {
    const void *q, *k, *v;
    void *out;
    float *lse; /* written by the forward pass, read by the backward pass */
    const void *dout;
    const float *delta; /* [tokens, query heads]: sum of dout out */
    void *dq, *dk, *dv;
    const judo_query_block *query_blocks;
    const judo_key_block *key_blocks;
    const judo_query_run *runs;
    judo_decode_row first_row; /* where `places` count from; its lengths are not read */
    const decode_place *places;
    const judo_decode_item *items;
    judo_attention_counts counts;
    int query_heads, key_heads, group, dim;
    uint32_t group_inverse; /* 2^32 / group, rounded up; 0 for a group of one */
    float scale;
} attention_arguments;

/* One call of a slot, which `ours` does by our kernels, as often as it is asked to. */
typedef struct attention_call {
    attention_arguments args;
    judo_attention_shape shape;
    const judo_attention_span *spans;
    int num_spans;
    judo_dtype dtype;
    bool backward;
    judo_status (*ours)(struct attention_call *call);
} attention_call;

/* row / group without a division: exact for rows below 2^32 / group. */
static __device__ __forceinline__ int token_of(const attention_arguments *args, int row)
{
    uint64_t product = (uint64_t)(uint32_t)row * args->group_inverse;
    return args->group_inverse == 0 ? row : (int)(product >> 32);
}

/* Where row `row` of a run of query tokens from `first` on begins: an index of (token, head).
 */
static __device__ __forceinline__ int64_t query_head_of(const attention_arguments *args,
                                                        int32_t first, int row, int key_head)
{
    int token = token_of(args, row);
    return (int64_t)(first + token) * args->query_heads + key_head * args->group +
           (row - token * args->group);
}

/* How many of its span's own keys the query of a row sees. */
static __device__ __forceinline__ int own_keys_of(const judo_query_block *block, int row,
                                                  int group)
{
    return (block->span.causal ? block->first + row / group + 1 : block->span.end) -
           block->span.begin;
}

/* The first key of a token of one key head. */
static __device__ __forceinline__ int64_t key_of(const attention_arguments *args, int32_t token,
                                                 int key_head)
{
    return ((int64_t)token * args->key_heads + key_head) * args->dim;
}

static __device__ __forceinline__ judo_decode_row decode_row_of(const attention_arguments *args,
                                                                int row)
{
    const decode_place *place = &args->places[row];
    judo_decode_row decode;
    decode.prefix_keys = (const char *)args->first_row.prefix_keys + place->prefix_keys;
    decode.prefix_values = (const char *)args->first_row.prefix_values + place->prefix_values;
    decode.prefix_length = place->prefix_length;
    decode.own_keys = (const char *)args->first_row.own_keys + place->own_keys;
    decode.own_values = (const char *)args->first_row.own_values + place->own_values;
    decode.own_length = place->own_length;
    return decode;
}

/* Tensor cores, bf16, head dimensions up to 128. */
judo_status judo_cuda_attention_tile_forward(const attention_arguments *args) JUDO_MUST_CHECK;
/* Runs of keys one after the other, with the bits of forward; or in parts, at once. */
judo_status judo_cuda_attention_tile_decode(const attention_arguments *args,
                                            int64_t rows) JUDO_MUST_CHECK;
judo_status judo_cuda_attention_split_decode(const attention_arguments *args,
                                             const judo_decode_plan *plan,
                                             int64_t rows) JUDO_MUST_CHECK;
judo_status judo_cuda_attention_tile_backward(const attention_arguments *args) JUDO_MUST_CHECK;
/* A warp per query, either dtype, head dimensions up to JUDO_SIMPLE_DIMENSIONS. */
judo_status judo_cuda_attention_simple_forward(const attention_arguments *args,
                                               judo_dtype dtype) JUDO_MUST_CHECK;
judo_status judo_cuda_attention_simple_decode(const attention_arguments *args, int64_t rows,
                                              judo_dtype dtype) JUDO_MUST_CHECK;
judo_status judo_cuda_attention_simple_backward(const attention_arguments *args,
                                                judo_dtype dtype) JUDO_MUST_CHECK;

#ifdef JUDO_WITH_CUDNN
/* The call by cuDNN where that is known to be better, else by ours (attention_cudnn.cu). */
judo_status judo_cuda_attention_choose(attention_call *call) JUDO_MUST_CHECK;
#endif

#endif
