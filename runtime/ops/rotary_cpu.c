/* runtime/ops/rotary_cpu.c: rotary position embedding, in place. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

JUDO_INLINE void rotate(void *head, const float *cosines, const float *sines, float sign,
                        int64_t half, judo_dtype dtype)
{
    for (int64_t j = 0; j < half; j += JUDO_LANES) {
        int64_t left = half - j;
        judo_vector a = judo_vector_read(head, dtype, j, left);
        judo_vector b = judo_vector_read(head, dtype, j + half, left);
        judo_vector cosine = judo_vector_load(cosines + j, left);
        judo_vector sine = judo_vector_all(sign) * judo_vector_load(sines + j, left);
        judo_vector_write(head, dtype, j, a * cosine - b * sine, left);
        judo_vector_write(head, dtype, j + half, b * cosine + a * sine, left);
    }
}

judo_status judo_cpu_rotary(judo_tensor *x, const judo_tensor *cos, const judo_tensor *sin,
                            bool inverse)
{
    JUDO_TRY(judo_rotary_check(x, cos, sin));
    int64_t tokens = x->dims[0];
    int64_t heads = x->dims[1];
    int64_t dim = x->dims[2];
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(tokens *heads *dim))
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t h = 0; h < heads; h++) {
            JUDO_FOR_DTYPE(
                x->dtype, rotate, judo_cpu_to(x->data, x->dtype, (t * heads + h) * dim),
                (const float *)cos->data + t * (dim / 2),
                (const float *)sin->data + t * (dim / 2), inverse ? -1.0f : 1.0f, dim / 2);
        }
    }
    return JUDO_OK;
}
