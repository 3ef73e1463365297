/* tests/bench/ops_bench.c: rates of the ops of the CPU backend against the rate of a large
 * matrix product and of a copy, measured in the same run. Prints the median and the best time;
 * rates and percentages of the anchors are those of the best, which a busy machine disturbs
 * least. Everything is measured in fp32, then in bf16. Usage: judo_bench_ops [THREADS] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/ops/ops.h"

enum { MOST_RUNS = 101 };

static const double budget = 0.6; /* seconds per line */
static const judo_ops *ops;
static judo_dtype dtype = JUDO_F32; /* of activations and weights */
static double peak_gflops, peak_gbytes;

static double now(void)
{
    struct timespec t;
    /* One thread is measured by its own clock, which other programs do not move. */
    clock_gettime(judo_ops_cpu_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void require(judo_status status)
{
    if (status != JUDO_OK) {
        fprintf(stderr, "%s\n", judo_error_message());
        exit((int)status);
    }
}

static judo_tensor tensor_of(judo_dtype type, int num_dims, int64_t a, int64_t b, int64_t c)
{
    judo_tensor t = {.dtype = type, .num_dims = num_dims, .dims = {a, b, c}};
    int64_t count = judo_tensor_count(&t);
    t.data = malloc((size_t)(count * judo_dtype_bytes(type)) + 64);
    if (!t.data) {
        fprintf(stderr, "no memory for %lld elements\n", (long long)count);
        exit(JUDO_ERROR_MEMORY);
    }
    for (int64_t i = 0; i < count; i++) {
        float x = (float)((i * 7919) % 1009) / 1009.0f - 0.5f;
        judo_convert_from_f32((char *)t.data + i * judo_dtype_bytes(type), type, &x, 1);
    }
    return t;
}

static judo_tensor tensor(int num_dims, int64_t a, int64_t b, int64_t c)
{
    return tensor_of(dtype, num_dims, a, b, c);
}

static judo_tensor tensor_f32(int num_dims, int64_t a, int64_t b, int64_t c)
{
    return tensor_of(JUDO_F32, num_dims, a, b, c);
}

static double element_bytes(void)
{
    return (double)judo_dtype_bytes(dtype);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct timing {
    double median, best; /* seconds */
} timing;

static timing measure(void (*work)(void *), void *context)
{
    double times[MOST_RUNS];
    int runs = 0;
    work(context);
    double start = now();
    while (runs < MOST_RUNS && (runs < 3 || now() - start < budget)) {
        double before = now();
        work(context);
        times[runs++] = now() - before;
    }
    qsort(times, (size_t)runs, sizeof *times, compare);
    return (timing){times[runs / 2], times[0]};
}

static void report(const char *name, timing t, double flops, double bytes)
{
    printf("%-46s %10.1f %10.1f us", name, t.median * 1e6, t.best * 1e6);
    if (flops > 0.0) {
        double rate = flops / t.best * 1e-9;
        printf(" %8.1f GFLOP/s %5.1f %%", rate, 100.0 * rate / peak_gflops);
    }
    if (bytes > 0.0) {
        double rate = bytes / t.best * 1e-9;
        printf(" %8.1f GB/s %5.1f %%", rate, 100.0 * rate / peak_gbytes);
    }
    printf("\n");
    fflush(stdout);
}

typedef struct arguments {
    judo_tensor a, b, c, d, e, f, g, h, i;
    judo_attention_span spans[64];
    int num_spans;
    judo_decode_row rows[64];
    int64_t count;
    int32_t *tokens;
    float *floats;
    judo_sampling sampling;
} arguments;

static void run_forward(void *context)
{
    arguments *x = context;
    require(ops->linear_forward(&x->c, &x->a, &x->b, NULL));
}

static void run_dx(void *context)
{
    arguments *x = context;
    require(ops->linear_backward(&x->a, false, NULL, NULL, &x->c, NULL, &x->b));
}

static void run_dw(void *context)
{
    arguments *x = context;
    require(ops->linear_backward(NULL, false, &x->d, NULL, &x->c, &x->a, NULL));
}

static void free_arguments(arguments *x)
{
    judo_tensor *all[] = {&x->a, &x->b, &x->c, &x->d, &x->e, &x->f, &x->g, &x->h, &x->i};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]->data);
    }
    free(x->tokens);
    free(x->floats);
}

static void bench_linear(int64_t m, int64_t k, int64_t n)
{
    arguments x = {.a = tensor(2, m, k, 0),
                   .b = tensor(2, n, k, 0),
                   .c = tensor(2, m, n, 0),
                   .d = tensor_f32(2, n, k, 0)};
    double flops = 2.0 * (double)m * (double)n * (double)k;
    char name[64];
    void (*const works[])(void *) = {run_forward, run_dx, run_dw};
    const char *const kinds[] = {"forward", "dx", "dw"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "linear %lldx%lldx%lld %s", (long long)m, (long long)k,
                 (long long)n, kinds[i]);
        report(name, measure(works[i], &x), flops, 0.0);
    }
    free_arguments(&x);
}

static void run_attention(void *context)
{
    arguments *x = context;
    require(ops->attention_forward(&x->d, &x->e, &x->a, &x->b, &x->c, x->spans, x->num_spans,
                                   0.125f));
}

static void run_attention_backward(void *context)
{
    arguments *x = context;
    require(ops->attention_backward(&x->f, &x->g, &x->h, &x->d, &x->a, &x->b, &x->c, &x->d,
                                    &x->e, x->spans, x->num_spans, 0.125f));
}

static void run_decode(void *context)
{
    arguments *x = context;
    require(ops->attention_decode(&x->d, &x->a, x->rows, (int)x->b.dims[1], 0.125f));
}

/* `window` 0: one causal span; else windows of that many tokens, not causal. */
static void bench_attention(int64_t t, int64_t hq, int64_t hk, int64_t d, int window)
{
    arguments x = {.a = tensor(3, t, hq, d),
                   .b = tensor(3, t, hk, d),
                   .c = tensor(3, t, hk, d),
                   .d = tensor(3, t, hq, d),
                   .e = tensor_f32(2, t, hq, 0),
                   .f = tensor(3, t, hq, d),
                   .g = tensor(3, t, hk, d),
                   .h = tensor(3, t, hk, d)};
    double pairs = 0.0;
    int32_t step = window > 0 ? window : (int32_t)t;
    for (int32_t first = 0; first < t; first += step) {
        x.spans[x.num_spans++] = (judo_attention_span){first, first + step, 0, 0, window == 0};
        pairs +=
            (double)step * (double)(window > 0 ? step : step + 1) * (window > 0 ? 1.0 : 0.5);
    }
    double flops = 4.0 * pairs * (double)hq * (double)d;
    char name[64];
    snprintf(name, sizeof name, "attention T%lld H%lld/%lld D%lld %s", (long long)t,
             (long long)hq, (long long)hk, (long long)d, window > 0 ? "full" : "causal");
    report(name, measure(run_attention, &x), flops, 0.0);
    snprintf(name, sizeof name, "attention backward (5 products)");
    report(name, measure(run_attention_backward, &x), 2.5 * flops, 0.0);
    free_arguments(&x);
}

/* `batch` rows that share a prefix, each with `own` keys. */
static void bench_decode(int64_t batch, int64_t prefix, int64_t own, int64_t hq, int64_t hk,
                         int64_t d)
{
    arguments x = {.a = tensor(3, batch, hq, d),
                   .b = tensor(3, prefix + batch * own, hk, d),
                   .c = tensor(3, prefix + batch * own, hk, d),
                   .d = tensor(3, batch, hq, d)};
    for (int64_t i = 0; i < batch; i++) {
        int64_t offset = (prefix + i * own) * hk * d * judo_dtype_bytes(dtype);
        x.rows[i] = (judo_decode_row){x.b.data,
                                      x.c.data,
                                      (int32_t)prefix,
                                      (char *)x.b.data + offset,
                                      (char *)x.c.data + offset,
                                      (int32_t)own};
    }
    char name[64];
    snprintf(name, sizeof name, "decode B%lld prefix %lld own %lld H%lld/%lld D%lld",
             (long long)batch, (long long)prefix, (long long)own, (long long)hq, (long long)hk,
             (long long)d);
    report(name, measure(run_decode, &x), 4.0 * (double)(batch * (prefix + own) * hq * d),
           2.0 * element_bytes() * (double)((prefix + batch * own) * hk * d));
    free_arguments(&x);
}

static void run_head(void *context)
{
    arguments *x = context;
    judo_token_loss spec = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f};
    judo_token_result result = {.logprobs = x->floats};
    require(
        ops->head_loss(&result, &x->c, &x->d, &x->a, &x->b, x->tokens, &spec, NULL, x->count));
}

static void bench_head(int64_t m, int64_t h, int64_t v, int64_t chunk)
{
    arguments x = {.a = tensor(2, m, h, 0),
                   .b = tensor(2, v, h, 0),
                   .c = tensor(2, m, h, 0),
                   .d = tensor_f32(2, v, h, 0),
                   .count = chunk,
                   .tokens = calloc((size_t)m, sizeof(int32_t)),
                   .floats = calloc((size_t)m, sizeof(float))};
    char name[64];
    snprintf(name, sizeof name, "head_loss %lldx%lldx%lld by %lld", (long long)m, (long long)h,
             (long long)v, (long long)chunk);
    report(name, measure(run_head, &x), 6.0 * (double)m * (double)h * (double)v, 0.0);
    free_arguments(&x);
}

static void run_sample(void *context)
{
    arguments *x = context;
    const float uniform[8] = {0.1f, 0.3f, 0.5f, 0.7f, 0.9f, 0.2f, 0.4f, 0.6f};
    judo_draw draws[8];
    judo_draw_row rows[8];
    const judo_draw_memory memory = {.draws = draws, .num_draws = 8};
    for (int i = 0; i < 8; i++) {
        rows[i] = (judo_draw_row){.uniform = uniform[i], .place = i};
    }
    memcpy(x->a.data, x->b.data, (size_t)judo_tensor_count(&x->a) * sizeof(float));
    require(ops->sample(&memory, &x->a, rows, &x->sampling, 1.0f));
}

static void bench_sample(int64_t v, judo_sampling sampling, const char *kind)
{
    arguments x = {
        .a = tensor_f32(2, 8, v, 0), .b = tensor_f32(2, 8, v, 0), .sampling = sampling};
    char name[64];
    snprintf(name, sizeof name, "sample B8 V%lld %s", (long long)v, kind);
    report(name, measure(run_sample, &x), 0.0, 0.0);
    free_arguments(&x);
}

static void run_adamw(void *context)
{
    arguments *x = context;
    judo_adamw options = {.learning_rate = 1e-3,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .epsilon = 1e-8,
                          .weight_decay = 0.01,
                          .step = 10,
                          .gradient_scale = 1.0f};
    const judo_adamw_arrays arrays = {.weights = x->a.data,
                                      .bf16 = x->e.data,
                                      .first_moment = x->b.data,
                                      .second_moment = x->c.data,
                                      .gradient = x->d.data,
                                      .n = x->count};
    const judo_adamw_segment all = {0, x->count, true};
    require(ops->adamw(&arrays, &all, 1, &options));
}

static void run_squares(void *context)
{
    arguments *x = context;
    double sum = 0.0;
    require(ops->sum_of_squares(&sum, &x->a));
}

static void run_copy(void *context)
{
    arguments *x = context;
    memcpy(x->a.data, x->b.data, (size_t)x->count * sizeof(float));
}

static void bench_flat(int64_t n)
{
    arguments x = {.a = tensor_f32(1, n, 0, 0),
                   .b = tensor_f32(1, n, 0, 0),
                   .c = tensor_f32(1, n, 0, 0),
                   .d = tensor_f32(1, n, 0, 0),
                   .count = n};
    peak_gbytes = 1.0;
    timing t = measure(run_copy, &x);
    peak_gbytes = 8.0 * (double)n / t.best * 1e-9;
    report("copy on one thread (the anchor)", t, 0.0, 8.0 * (double)n);
    memset(x.c.data, 0, (size_t)n * sizeof(float));
    report("adamw 10M", measure(run_adamw, &x), 0.0, 28.0 * (double)n);
    x.e = tensor_of(JUDO_BF16, 1, n, 0, 0);
    report("adamw 10M with a bf16 copy", measure(run_adamw, &x), 0.0, 30.0 * (double)n);
    report("sum_of_squares 10M", measure(run_squares, &x), 0.0, 4.0 * (double)n);
    free_arguments(&x);
}

static void run_rmsnorm(void *context)
{
    arguments *x = context;
    require(ops->rmsnorm_forward(&x->c, &x->e, &x->a, &x->d, 1e-6f));
}

static void run_rmsnorm_backward(void *context)
{
    arguments *x = context;
    require(ops->rmsnorm_backward(&x->c, &x->f, &x->b, &x->a, &x->d, &x->e));
}

static void run_swiglu(void *context)
{
    arguments *x = context;
    require(ops->swiglu_forward(&x->c, &x->g));
}

static void run_swiglu_backward(void *context)
{
    arguments *x = context;
    require(ops->swiglu_backward(&x->h, &x->c, &x->g));
}

static void run_gelu(void *context)
{
    arguments *x = context;
    require(ops->gelu_forward(&x->c, &x->a));
}

static void run_gelu_backward(void *context)
{
    arguments *x = context;
    require(ops->gelu_backward(&x->c, &x->b, &x->a));
}

static void run_add(void *context)
{
    arguments *x = context;
    require(ops->add(&x->c, &x->a));
}

static void run_layernorm(void *context)
{
    arguments *x = context;
    require(ops->layernorm_forward(&x->c, &x->a, &x->d, &x->i, 1e-6f));
}

static void bench_pointwise(int64_t m, int64_t n)
{
    arguments x = {.a = tensor(2, m, n, 0),
                   .b = tensor(2, m, n, 0),
                   .c = tensor(2, m, n, 0),
                   .d = tensor(1, n, 0, 0),
                   .e = tensor_f32(1, m, 0, 0),
                   .f = tensor_f32(1, n, 0, 0),
                   .g = tensor(2, m, 2 * n, 0),
                   .h = tensor(2, m, 2 * n, 0),
                   .i = tensor(1, n, 0, 0)};

    const struct {
        const char *name;
        void (*work)(void *);
        double streams;
    } lines[] = {
        {"rmsnorm forward", run_rmsnorm, 2.0},
        {"rmsnorm backward", run_rmsnorm_backward, 4.0},
        {"layernorm forward", run_layernorm, 2.0},
        {"swiglu forward", run_swiglu, 3.0},
        {"swiglu backward", run_swiglu_backward, 5.0},
        {"gelu forward", run_gelu, 2.0},
        {"gelu backward", run_gelu_backward, 3.0},
        {"add", run_add, 3.0},
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s %lldx%lld", lines[i].name, (long long)m, (long long)n);
        report(name, measure(lines[i].work, &x), 0.0,
               element_bytes() * lines[i].streams * (double)(m * n));
    }
    free_arguments(&x);
}

static void measure_peak(void)
{
    enum { SIZE = 1024 };

    arguments x = {.a = tensor(2, SIZE, SIZE, 0),
                   .b = tensor(2, SIZE, SIZE, 0),
                   .c = tensor(2, SIZE, SIZE, 0)};
    timing t = measure(run_forward, &x);
    double flops = 2.0 * SIZE * SIZE * (double)SIZE;
    peak_gflops = flops / t.best * 1e-9;
    report("linear 1024x1024x1024 (the anchor)", t, flops, 0.0);
    free_arguments(&x);
}

static void bench_model(void)
{
    measure_peak();
    bench_linear(512, 256, 704);
    bench_linear(1204, 896, 896);
    bench_linear(1204, 896, 4864);
    bench_linear(8, 256, 704);
    bench_linear(8, 896, 4864);
    bench_linear(1, 256, 256);
    bench_attention(512, 4, 4, 64, 0);
    bench_attention(1204, 14, 2, 64, 0);
    bench_attention(1024, 16, 16, 80, 64);
    bench_attention(1024, 16, 16, 80, 1024);
    bench_decode(8, 400, 100, 4, 2, 64);
    bench_decode(8, 1000, 200, 14, 2, 64);
    bench_decode(1, 1000, 200, 14, 2, 64);
    bench_head(256, 256, 1100, 256);
    bench_head(64, 896, 151936, 64);
    bench_pointwise(1024, 256);
    bench_pointwise(1204, 4864);
}

int main(int argc, char **argv)
{
    ops = judo_ops_cpu();
    judo_ops_cpu_set_threads(argc > 1 ? atoi(argv[1]) : 0);
    printf("%d threads\n", judo_ops_cpu_threads());
    bench_flat(10000000);
    bench_sample(1100, (judo_sampling){1.0f, 0, 0.95f, 0.0f, 1.0f}, "top_p");
    bench_sample(151936, (judo_sampling){1.0f, 0, 1.0f, 0.0f, 1.0f}, "plain");
    bench_sample(151936, (judo_sampling){1.0f, 50, 0.95f, 0.0f, 1.0f}, "top_k top_p");
    const judo_dtype dtypes[] = {JUDO_F32, JUDO_BF16};
    for (int i = 0; i < 2; i++) {
        dtype = dtypes[i];
        printf("--- %s\n", judo_dtype_name(dtype));
        bench_model();
    }
    return 0;
}
