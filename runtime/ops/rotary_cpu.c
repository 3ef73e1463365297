/* runtime/ops/rotary_cpu.c: rotary position embedding, in place. */
#include "runtime/ops/cpu.h"

static void rotate(float *head, const float *cosines, const float *sines, float sign,
                   int64_t half)
{
    for (int64_t j = 0; j < half; j++) {
        float a = head[j];
        float b = head[j + half];
        float sine = sign * sines[j];
        head[j] = a * cosines[j] - b * sine;
        head[j + half] = b * cosines[j] + a * sine;
    }
}

judo_status judo_cpu_rotary(judo_tensor *x, const judo_tensor *cos, const judo_tensor *sin,
                            bool inverse)
{
    const char *op = "rotary";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 3));
    int64_t tokens = x->dims[0];
    int64_t heads = x->dims[1];
    int64_t dim = x->dims[2];
    if (dim % 2 != 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: the head dimension %lld is odd", op,
                         (long long)dim);
    }
    JUDO_TRY(judo_cpu_expect_2d(op, "cos", cos, tokens, dim / 2));
    JUDO_TRY(judo_cpu_expect_2d(op, "sin", sin, tokens, dim / 2));
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(tokens *heads *dim))
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t h = 0; h < heads; h++) {
            rotate((float *)x->data + (t * heads + h) * dim,
                   (const float *)cos->data + t * (dim / 2),
                   (const float *)sin->data + t * (dim / 2), inverse ? -1.0f : 1.0f, dim / 2);
        }
    }
    return JUDO_OK;
}
