/* runtime/ops/heads_cpu.c: the heads of attention, out of the rows of one product and back,
 * with the rotary position embedding on the way. */
#include <string.h>

#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

JUDO_INLINE void rotate(void *to, const void *from, const float *cosines, const float *sines,
                        float sign, int64_t half, judo_dtype dtype)
{
    for (int64_t j = 0; j < half; j += JUDO_LANES) {
        int64_t left = half - j;
        judo_vector a = judo_vector_read(from, dtype, j, left);
        judo_vector b = judo_vector_read(from, dtype, j + half, left);
        judo_vector cosine = judo_vector_load(cosines + j, left);
        judo_vector sine = judo_vector_all(sign) * judo_vector_load(sines + j, left);
        judo_vector_write(to, dtype, j, a * cosine - b * sine, left);
        judo_vector_write(to, dtype, j + half, b * cosine + a * sine, left);
    }
}

/* The angles of a token, and which way heads turn. */
typedef struct turn {
    const float *cosines, *sines;
    float sign;
    judo_dtype dtype;
    int64_t dim;
} turn;

static turn turn_of(const judo_tensor *cos, const judo_tensor *sin, int64_t token, float sign,
                    const judo_heads_shape *shape)
{
    return (turn){.cosines = (const float *)cos->data + token * (shape->dim / 2),
                  .sines = (const float *)sin->data + token * (shape->dim / 2),
                  .sign = sign,
                  .dtype = shape->dtype,
                  .dim = shape->dim};
}

static void rotate_heads(const turn *by, void *to, const void *from, int64_t heads)
{
    for (int64_t h = 0; h < heads; h++) {
        JUDO_FOR_DTYPE(by->dtype, rotate, judo_cpu_to(to, by->dtype, h * by->dim),
                       judo_cpu_at(from, by->dtype, h * by->dim), by->cosines, by->sines,
                       by->sign, by->dim / 2);
    }
}

/* Row `row` of rows of `heads` heads. */
static void *heads_at(const judo_tensor *t, int64_t row, int64_t heads, int64_t dim)
{
    return judo_cpu_to(t->data, t->dtype, row * heads * dim);
}

judo_status judo_cpu_split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                                 const judo_tensor *qkv, const judo_tensor *cos,
                                 const judo_tensor *sin, const int32_t *places)
{
    judo_heads_shape s;
    JUDO_TRY(judo_heads_check_split(&s, q, k, v, qkv, cos, sin, places));
    int64_t heads = s.query_heads + 2 * s.key_heads;
    int64_t bytes = s.key_heads * s.dim * judo_dtype_bytes(s.dtype);
#pragma omp parallel for schedule(static)                                                      \
    num_threads(judo_cpu_threads_for(s.tokens *heads *s.dim))
    for (int64_t t = 0; t < s.tokens; t++) {
        int64_t row = places ? places[t] : t;
        turn forth = turn_of(cos, sin, t, 1.0f, &s);
        const void *from = heads_at(qkv, t, heads, s.dim);
        const void *keys = judo_cpu_at(from, s.dtype, s.query_heads * s.dim);
        const void *values = judo_cpu_at(keys, s.dtype, s.key_heads * s.dim);
        rotate_heads(&forth, heads_at(q, t, s.query_heads, s.dim), from, s.query_heads);
        rotate_heads(&forth, heads_at(k, row, s.key_heads, s.dim), keys, s.key_heads);
        memcpy(heads_at(v, row, s.key_heads, s.dim), values, (size_t)bytes);
    }
    return JUDO_OK;
}

judo_status judo_cpu_join_heads(judo_tensor *dqkv, const judo_tensor *dq, const judo_tensor *dk,
                                const judo_tensor *dv, const judo_tensor *cos,
                                const judo_tensor *sin)
{
    judo_heads_shape s;
    JUDO_TRY(judo_heads_check_join(&s, dqkv, dq, dk, dv, cos, sin));
    int64_t heads = s.query_heads + 2 * s.key_heads;
    int64_t bytes = s.key_heads * s.dim * judo_dtype_bytes(s.dtype);
#pragma omp parallel for schedule(static)                                                      \
    num_threads(judo_cpu_threads_for(s.tokens *heads *s.dim))
    for (int64_t t = 0; t < s.tokens; t++) {
        turn back = turn_of(cos, sin, t, -1.0f, &s);
        void *to = heads_at(dqkv, t, heads, s.dim);
        void *keys = judo_cpu_to(to, s.dtype, s.query_heads * s.dim);
        void *values = judo_cpu_to(keys, s.dtype, s.key_heads * s.dim);
        rotate_heads(&back, to, heads_at(dq, t, s.query_heads, s.dim), s.query_heads);
        rotate_heads(&back, keys, heads_at(dk, t, s.key_heads, s.dim), s.key_heads);
        memcpy(values, heads_at(dv, t, s.key_heads, s.dim), (size_t)bytes);
    }
    return JUDO_OK;
}
