/* runtime/ops/cuda/adamw.cu: the optimizer's update of many parameters at once. */
#include "runtime/ops/cuda/pack.cuh"

extern "C" {
#include "runtime/ops/adamw_step.h"
#include "runtime/ops/split_weight.h"
}

/* A thread's share: as many fp32 numbers as it reads at once. */
enum { FOUR = pack_size<float> };

typedef struct update_arguments {
    judo_adamw_arrays x;
    judo_adamw_step step;
    const judo_adamw_segment *segments; /* on the device */
    int num_segments;
    bool wide; /* all begin where four elements may be read at once */
} update_arguments;

/* Four numbers of two bytes each. */
static __device__ __forceinline__ void read_halves(uint16_t (&out)[FOUR], const void *from)
{
    uint64_t bits = *(const uint64_t *)from;
    memcpy(out, &bits, sizeof bits);
}

static __device__ __forceinline__ void write_halves(uint16_t *to,
                                                    const uint16_t (&halves)[FOUR])
{
    uint64_t bits;
    memcpy(&bits, halves, sizeof bits);
    *(uint64_t *)to = bits;
}

/* Some elements on their way through registers. */
typedef struct four {
    float weight[FOUR], first[FOUR], second[FOUR], gradient[FOUR];
} four;

template <typename Gradient>
static __device__ __forceinline__ void read_gradients(float (&out)[FOUR], const Gradient *from)
{
    if constexpr (sizeof *from == sizeof(float)) {
        read_pack(out, from);
    } else {
        uint16_t halves[FOUR];
        read_halves(halves, from);
#pragma unroll
        for (int i = 0; i < FOUR; i++) {
            out[i] = judo_weight_join(halves[i], 0); /* a bf16 number is the upper half */
        }
    }
}

template <bool SPLIT, typename Gradient>
static __device__ __forceinline__ void read_four(four *out, const judo_adamw_arrays *x,
                                                 int64_t at)
{
    if constexpr (SPLIT) {
        uint16_t high[FOUR];
        uint16_t low[FOUR];
        read_halves(high, x->bf16 + at);
        read_halves(low, x->low + at);
#pragma unroll
        for (int i = 0; i < FOUR; i++) {
            out->weight[i] = judo_weight_join(high[i], low[i]);
        }
    } else {
        read_pack(out->weight, x->weights + at);
    }
    read_pack(out->first, x->first_moment + at);
    read_pack(out->second, x->second_moment + at);
    read_gradients(out->gradient, (const Gradient *)x->gradient + at);
}

template <bool SPLIT>
static __device__ __forceinline__ void write_four(const judo_adamw_arrays *x, int64_t at,
                                                  const four *values)
{
    uint16_t upper[FOUR];
    uint16_t low[FOUR];
#pragma unroll
    for (int i = 0; i < FOUR; i++) {
        if constexpr (SPLIT) {
            judo_split_weight halves = judo_weight_split(values->weight[i]);
            upper[i] = halves.high;
            low[i] = halves.low;
        } else {
            bf16 rounded = __float2bfloat16_rn(values->weight[i]);
            memcpy(&upper[i], &rounded, sizeof rounded);
        }
    }
    write_pack(x->first_moment + at, values->first);
    write_pack(x->second_moment + at, values->second);
    if constexpr (SPLIT) {
        write_halves(x->low + at, low);
    } else {
        write_pack(x->weights + at, values->weight);
    }
    if (SPLIT || x->bf16) {
        write_halves(x->bf16 + at, upper);
    }
}

static __device__ __forceinline__ void update_one(float *weight, float *first, float *second,
                                                  float gradient, const judo_adamw_step *step,
                                                  float decay)
{
    float g = gradient * step->scale;
    *first = fmaf(step->mix1, g - *first, *first);
    *second = *second * step->keep2 + step->mix2 * g * g;
    float denominator = sqrtf(*second) / step->root2 + step->epsilon;
    *weight = *weight * decay - step->step_size * *first / denominator;
}

template <bool SPLIT, typename Gradient>
static __device__ void update_alone(const judo_adamw_arrays *x, int64_t i,
                                    const judo_adamw_step *step, float decay)
{
    float weight = SPLIT ? judo_weight_join(x->bf16[i], x->low[i]) : x->weights[i];
    update_one(&weight, &x->first_moment[i], &x->second_moment[i],
               read((const Gradient *)x->gradient, i), step, decay);
    if constexpr (SPLIT) {
        judo_split_weight halves = judo_weight_split(weight);
        x->bf16[i] = halves.high;
        x->low[i] = halves.low;
    } else {
        x->weights[i] = weight;
        if (x->bf16) {
            write((bf16 *)x->bf16, i, weight);
        }
    }
}

/* The first segment that ends behind `place`; num_segments if there is none. */
static __device__ __forceinline__ int segment_behind(const update_arguments *a, int64_t place)
{
    int low = 0;
    int high = a->num_segments;
    while (low < high) {
        int middle = (low + high) / 2;
        if (a->segments[middle].end > place) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* A thread per four elements; the last may be fewer. They are under way while their segment is
 * looked up. */
template <bool SPLIT, typename Gradient>
static __global__ void update(const __grid_constant__ update_arguments a)
{
    const int64_t begin = thread_number() * FOUR;
    const int64_t end = begin + FOUR;
    const bool at_once = a.wide && end <= a.x.n;
    four values;
    if (at_once) {
        read_four<SPLIT, Gradient>(&values, &a.x, begin);
    }
    int s = segment_behind(&a, begin);
    if (s == a.num_segments || a.segments[s].begin >= end) {
        return;
    }
    if (at_once && a.segments[s].begin <= begin && end <= a.segments[s].end) {
        const float decay = a.segments[s].decay ? a.step.decay : JUDO_ADAMW_NO_DECAY;
#pragma unroll
        for (int i = 0; i < FOUR; i++) {
            update_one(&values.weight[i], &values.first[i], &values.second[i],
                       values.gradient[i], &a.step, decay);
        }
        write_four<SPLIT>(&a.x, begin, &values);
        return;
    }
    for (; s < a.num_segments && a.segments[s].begin < end; s++) {
        const judo_adamw_segment segment = a.segments[s];
        const float decay = segment.decay ? a.step.decay : JUDO_ADAMW_NO_DECAY;
        int64_t i = segment.begin > begin ? segment.begin : begin;
        for (; i < segment.end && i < end; i++) {
            update_alone<SPLIT, Gradient>(&a.x, i, &a.step, decay);
        }
    }
}

/* The same for numbers of two bytes, of which a thread takes four at once too. */
static bool is_half_wide(const void *address)
{
    return (uintptr_t)address % (JUDO_PACK_BYTES / 2) == 0;
}

static bool is_wide(const judo_adamw_arrays *x)
{
    return judo_cuda_is_wide(x->weights) && is_half_wide(x->bf16) && is_half_wide(x->low) &&
           judo_cuda_is_wide(x->first_moment) && judo_cuda_is_wide(x->second_moment) &&
           (x->gradient_dtype == JUDO_BF16 ? is_half_wide(x->gradient)
                                           : judo_cuda_is_wide(x->gradient));
}

template <typename Gradient> static void launch_update(const update_arguments &a)
{
    judo_cuda_launch(a.x.weights ? update<false, Gradient> : update<true, Gradient>,
                     judo_cuda_blocks((a.x.n + FOUR - 1) / FOUR), JUDO_CUDA_THREADS, 0, a);
}

judo_status judo_cuda_adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                            int num_segments, const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(arrays, segments, num_segments, options));
    if (arrays->n == 0 || num_segments == 0) {
        return JUDO_OK;
    }
    const int64_t bytes = num_segments * (int64_t)sizeof *segments;
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
    update_arguments a = {
        *arrays,
        judo_adamw_step_of(options),
        (const judo_adamw_segment *)judo_cuda_lists_put(segments, bytes),
        num_segments,
        is_wide(arrays),
    };
    JUDO_TRY(judo_cuda_lists_send());
    JUDO_CUDA_FOR_DTYPE(arrays->gradient_dtype, launch_update, a);
    return judo_cuda_launched("adamw");
}
