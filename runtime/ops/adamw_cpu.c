/* runtime/ops/adamw_cpu.c: the optimizer's update. */
#include "runtime/ops/adamw_step.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/split_weight.h"
#include "runtime/ops/vector_math.h"

/* The vector of weights from element i on, of which `left` are there. */
JUDO_INLINE judo_vector read_weights(const judo_adamw_arrays *x, int64_t i, int64_t left)
{
    float joined[JUDO_LANES];
    if (x->weights) {
        return judo_vector_load(x->weights + i, left);
    }
    for (int64_t j = 0; j < left && j < JUDO_LANES; j++) {
        joined[j] = judo_weight_join(x->bf16[i + j], x->low[i + j]);
    }
    return judo_vector_load(joined, left);
}

JUDO_INLINE void write_weights(const judo_adamw_arrays *x, int64_t i, int64_t left,
                               judo_vector weights)
{
    float joined[JUDO_LANES];
    if (x->weights) {
        judo_vector_store(x->weights + i, weights, left);
        if (x->bf16) {
            judo_vector_store_bf16(x->bf16 + i, weights, left);
        }
        return;
    }
    judo_vector_store(joined, weights, left);
    for (int64_t j = 0; j < left && j < JUDO_LANES; j++) {
        judo_split_weight halves = judo_weight_split(joined[j]);
        x->bf16[i + j] = halves.high;
        x->low[i + j] = halves.low;
    }
}

/* Elements [i, i + min(left, 16)). */
JUDO_INLINE void update_vector(const judo_adamw_arrays *x, int64_t i, int64_t left,
                               const judo_adamw_step *step, judo_dtype dtype)
{
    judo_vector g =
        judo_vector_read(x->gradient, dtype, i, left) * judo_vector_all(step->scale);
    judo_vector first = judo_vector_load(x->first_moment + i, left);
    judo_vector second = judo_vector_load(x->second_moment + i, left);
    judo_vector weight = read_weights(x, i, left);
    first = judo_vector_fma(judo_vector_all(step->mix1), g - first, first);
    second = second * judo_vector_all(step->keep2) + judo_vector_all(step->mix2) * g * g;
    judo_vector denominator = judo_vector_sqrt(second) / judo_vector_all(step->root2) +
                              judo_vector_all(step->epsilon);
    weight = weight * judo_vector_all(step->decay) -
             judo_vector_all(step->step_size) * first / denominator;
    judo_vector_store(x->first_moment + i, first, left);
    judo_vector_store(x->second_moment + i, second, left);
    write_weights(x, i, left, weight);
}

JUDO_INLINE void update_segment(const judo_adamw_arrays *x, const judo_adamw_segment *segment,
                                const judo_adamw_step *step, judo_dtype dtype)
{
    const int64_t end = segment->end;
#pragma omp parallel for schedule(static)                                                      \
    num_threads(judo_cpu_threads_for(end - segment->begin))
    for (int64_t i = segment->begin; i < end; i += JUDO_LANES) {
        update_vector(x, i, end - i, step, dtype);
    }
}

judo_status judo_cpu_adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                           int num_segments, const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(arrays, segments, num_segments, options));
    const judo_adamw_step decayed = judo_adamw_step_of(options);
    judo_adamw_step kept = decayed;
    kept.decay = JUDO_ADAMW_NO_DECAY;
    for (int i = 0; i < num_segments; i++) {
        JUDO_FOR_DTYPE(arrays->gradient_dtype, update_segment, arrays, &segments[i],
                       segments[i].decay ? &decayed : &kept);
    }
    return JUDO_OK;
}
