/* tests/bench/gpu/kernels.c: single ops of the table, at the shapes of a 7B model. */
#include "tests/bench/gpu/bench.h"

#include <math.h>
#include <stdio.h>

enum { MOST_TENSORS = 10 };

/* The tensors of a row, in the order of its slot's arguments. */
typedef struct arguments {
    judo_tensor t[MOST_TENSORS];
    int count;
    judo_attention_span span;
    float scale;
} arguments;

static judo_status add_tensor(const bench *b, arguments *a, judo_dtype dtype, int num_dims,
                              int64_t first, int64_t second, int64_t third)
{
    const int64_t dims[3] = {first, second, third};
    JUDO_TRY(bench_tensor(b, &a->t[a->count], dtype, num_dims, dims, 1.0f));
    a->count++;
    return JUDO_OK;
}

/* Times the work and gives the tensors back; `amount` flops or bytes of a call in units of
 * `unit` make the rate. */
static judo_status finish_row(const bench *b, arguments *a, judo_status status, bench_work work,
                              double amount, const char *unit, bench_result *result)
{
    double seconds = 0.0;
    if (status == JUDO_OK) {
        status = bench_time(b, work, a, &seconds);
    }
    bench_release(b, a->t, a->count);
    JUDO_TRY(status);
    result->measured = true;
    result->value = amount / seconds * 1e-12;
    (void)snprintf(result->text, sizeof result->text, "%.3g %s (%.3g ms)", result->value, unit,
                   seconds * 1e3);
    return JUDO_OK;
}

static judo_status run_product(const judo_device *device, void *context)
{
    arguments *a = context;
    return device->ops->linear_forward(&a->t[0], &a->t[1], &a->t[2], NULL);
}

judo_status bench_product(bench *b, bench_result *result)
{
    arguments a = {.count = 0};
    int64_t n = b->small ? 128 : 8192;
    judo_status status = JUDO_OK;
    for (int i = 0; i < 3 && status == JUDO_OK; i++) {
        status = add_tensor(b, &a, JUDO_BF16, 2, n, n, 0);
    }
    return finish_row(b, &a, status, run_product, 2.0 * pow((double)n, 3.0), "TFLOP/s", result);
}

static judo_status run_copy(const judo_device *device, void *context)
{
    arguments *a = context;
    return device->copy(a->t[0].data, a->t[1].data, judo_tensor_count(&a->t[0]) * 4, NULL);
}

judo_status bench_copy(bench *b, bench_result *result)
{
    arguments a = {.count = 0};
    int64_t n = b->small ? 1 << 16 : 1 << 29;
    judo_status status = add_tensor(b, &a, JUDO_F32, 1, n, 0, 0);
    if (status == JUDO_OK) {
        status = add_tensor(b, &a, JUDO_F32, 1, n, 0, 0);
    }
    return finish_row(b, &a, status, run_copy, 8.0 * (double)n, "TB/s", result);
}

/* out, lse, q, k, v, then dq, dk, dv, dout: 28 heads of 128 on 4 key heads. */
static judo_status attention_tensors(const bench *b, arguments *a, int64_t *tokens)
{
    int64_t heads = b->small ? 4 : 28;
    int64_t key_heads = b->small ? 2 : 4;
    int64_t t = b->small ? 64 : 2048;
    a->span = (judo_attention_span){0, (int32_t)t, 0, 0, true};
    a->scale = 0.08838835f;
    JUDO_TRY(add_tensor(b, a, JUDO_BF16, 3, t, heads, 128));
    JUDO_TRY(add_tensor(b, a, JUDO_F32, 2, t, heads, 0));
    JUDO_TRY(add_tensor(b, a, JUDO_BF16, 3, t, heads, 128));
    for (int i = 0; i < 2; i++) {
        JUDO_TRY(add_tensor(b, a, JUDO_BF16, 3, t, key_heads, 128));
    }
    JUDO_TRY(add_tensor(b, a, JUDO_BF16, 3, t, heads, 128));
    for (int i = 0; i < 2; i++) {
        JUDO_TRY(add_tensor(b, a, JUDO_BF16, 3, t, key_heads, 128));
    }
    JUDO_TRY(add_tensor(b, a, JUDO_BF16, 3, t, heads, 128));
    *tokens = t;
    return JUDO_OK;
}

static judo_status run_attention(const judo_device *device, void *context)
{
    arguments *a = context;
    return device->ops->attention_forward(&a->t[0], &a->t[1], &a->t[2], &a->t[3], &a->t[4],
                                          &a->span, 1, a->scale);
}

static judo_status run_attention_backward(const judo_device *device, void *context)
{
    arguments *a = context;
    return device->ops->attention_backward(&a->t[5], &a->t[6], &a->t[7], &a->t[8], &a->t[2],
                                           &a->t[3], &a->t[4], &a->t[0], &a->t[1], &a->span, 1,
                                           a->scale);
}

/* As cuDNN's benchmark counts: a causal product is half of a whole one; backward has five
 * products where forward has two. */
static judo_status attention_row(bench *b, bool backward, bench_result *result)
{
    arguments a = {.count = 0};
    int64_t tokens = 0;
    judo_status status = attention_tensors(b, &a, &tokens);
    if (status == JUDO_OK) {
        status = run_attention(b->device, &a); /* out and lse that belong together */
    }
    double heads = status == JUDO_OK ? (double)a.t[0].dims[1] : 0.0;
    double flops = 2.0 * (double)tokens * (double)tokens * heads * 128.0;
    return finish_row(b, &a, status, backward ? run_attention_backward : run_attention,
                      backward ? 2.5 * flops : flops, "TFLOP/s", result);
}

judo_status bench_attention_forward(bench *b, bench_result *result)
{
    return attention_row(b, false, result);
}

judo_status bench_attention_backward(bench *b, bench_result *result)
{
    return attention_row(b, true, result);
}

static judo_status run_rmsnorm_backward(const judo_device *device, void *context)
{
    arguments *a = context;
    return device->ops->rmsnorm_backward(&a->t[0], &a->t[1], &a->t[2], &a->t[3], &a->t[4],
                                         &a->t[5]);
}

judo_status bench_rmsnorm_backward(bench *b, bench_result *result)
{
    arguments a = {.count = 0};
    int64_t rows = b->small ? 70 : 16384;
    int64_t n = b->small ? 96 : 3584;
    judo_status status = add_tensor(b, &a, JUDO_BF16, 2, rows, n, 0);
    if (status == JUDO_OK) {
        status = add_tensor(b, &a, JUDO_F32, 1, n, 0, 0);
    }
    for (int i = 0; i < 2 && status == JUDO_OK; i++) {
        status = add_tensor(b, &a, JUDO_BF16, 2, rows, n, 0);
    }
    if (status == JUDO_OK) {
        status = add_tensor(b, &a, JUDO_BF16, 1, n, 0, 0);
    }
    if (status == JUDO_OK) {
        status = add_tensor(b, &a, JUDO_F32, 1, rows, 0, 0);
    }
    /* dx is read and written, dy and x are read. */
    return finish_row(b, &a, status, run_rmsnorm_backward, 8.0 * (double)(rows * n), "TB/s",
                      result);
}

static judo_status run_adamw(const judo_device *device, void *context)
{
    arguments *a = context;
    judo_adamw options = {.learning_rate = 1e-6,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .epsilon = 1e-8,
                          .weight_decay = 0.01,
                          .step = 10,
                          .gradient_scale = 1.0f};
    const judo_adamw_arrays arrays = {.weights = a->t[0].data,
                                      .bf16 = a->t[4].data,
                                      .first_moment = a->t[1].data,
                                      .second_moment = a->t[2].data,
                                      .gradient = a->t[3].data,
                                      .n = a->t[0].dims[0]};
    const judo_adamw_segment all = {0, arrays.n, true};
    return device->ops->adamw(&arrays, &all, 1, &options);
}

judo_status bench_adamw(bench *b, bench_result *result)
{
    arguments a = {.count = 0};
    int64_t n = b->small ? 1 << 14 : 233 << 20; /* a decoder layer */
    judo_status status = JUDO_OK;
    for (int i = 0; i < 4 && status == JUDO_OK; i++) {
        status = add_tensor(b, &a, JUDO_F32, 1, n, 0, 0);
    }
    if (status == JUDO_OK) {
        status = add_tensor(b, &a, JUDO_BF16, 1, n, 0, 0);
    }
    if (status == JUDO_OK) { /* second moments are not negative */
        status = b->device->clear(a.t[2].data, n * 4, NULL);
    }
    /* Three numbers read and written, a gradient read, a bf16 copy written. */
    return finish_row(b, &a, status, run_adamw, 30.0 * (double)n, "TB/s", result);
}
