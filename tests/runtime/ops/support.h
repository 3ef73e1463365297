/* tests/runtime/ops/support.h: what the conformance tests of the op table share. They hold for
 * every backend: build them with another JUDO_TEST_OPS to test another one. */
#ifndef JUDO_TESTS_RUNTIME_OPS_SUPPORT_H
#define JUDO_TESTS_RUNTIME_OPS_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/ops/ops.h"
#include "runtime/random.h"

/* With JUDO_TEST_BF16 the same tests run in bf16: inputs are bf16 numbers in fp32 tensors, and
 * what an op stores in the model's dtype may be off by one rounding (see assert_stored). With
 * JUDO_TEST_CUDA they run on the GPU, and are skipped where there is none. */
#ifdef JUDO_TEST_BF16
enum { BF16 = 1 };
#else
enum { BF16 = 0 };
#endif

#if defined JUDO_TEST_CUDA
#include "tests/runtime/ops/boxed_ops.h"
#define JUDO_TEST_OPS cuda_ops_or_skip()

static inline const judo_ops *cuda_ops_or_skip(void)
{
    const judo_ops *ops = boxed_cuda_ops(BF16);
    if (!ops) {
        skip();
    }
    return ops;
}
#elif defined JUDO_TEST_BF16
#include "tests/runtime/ops/boxed_ops.h"
#define JUDO_TEST_OPS boxed_ops(judo_device_cpu(), true)
#endif

/* Numbers of the CPU's threads mean nothing to a GPU; that two runs give the same bits does.
 * And a GPU that is emulated is slow. */
#ifdef JUDO_TEST_CUDA
enum { ON_CPU = 0 };
#else
enum { ON_CPU = 1 };
#endif

/* Whether a row's bits do not depend on the number of rows (runtime/ops/ops.h): on the CPU, and
 * on CUDA in the mode for it. */
static inline bool rows_are_invariant(void)
{
    const char *mode = getenv("JUDO_CUDA_ROWS");
    return ON_CPU || (mode && strcmp(mode, "invariant") == 0);
}

/* 1 .. this many thread counts are tried where the CPU would take 1 .. `cpu`. */
static inline int thread_counts(int cpu)
{
    return ON_CPU ? cpu : 2;
}

#ifndef JUDO_TEST_OPS
#define JUDO_TEST_OPS judo_ops_cpu()
#endif

#define assert_ok(expression)                                                                  \
    do {                                                                                       \
        judo_status status_ = (expression);                                                    \
        if (status_ != JUDO_OK) {                                                              \
            fail_msg("%s: %s", judo_status_name(status_), judo_error_message());               \
        }                                                                                      \
    } while (0)

/* Tensors with memory of exactly their size, so that the sanitizers see every step outside. */
static inline judo_tensor new_tensor(int num_dims, int64_t a, int64_t b, int64_t c)
{
    judo_tensor t = {.dtype = JUDO_F32, .num_dims = num_dims, .dims = {a, b, c}};
    t.data = calloc((size_t)judo_tensor_count(&t) + 1, sizeof(float));
    assert_non_null(t.data);
    return t;
}

static inline judo_tensor new_1d(int64_t a)
{
    return new_tensor(1, a, 0, 0);
}

static inline judo_tensor new_2d(int64_t a, int64_t b)
{
    return new_tensor(2, a, b, 0);
}

static inline judo_tensor new_3d(int64_t a, int64_t b, int64_t c)
{
    return new_tensor(3, a, b, c);
}

static inline float *values_of(const judo_tensor *t)
{
    return t->data;
}

/* The number as the model's dtype holds it. */
static inline float stored(float value)
{
    return BF16 ? judo_bf16_to_f32(judo_f32_to_bf16(value)) : value;
}

/* Fills with numbers in [-scale, scale). */
static inline void fill(judo_tensor *t, uint32_t salt, float scale)
{
    for (int64_t i = 0; i < judo_tensor_count(t); i++) {
        float u = judo_random_uniform(7, JUDO_STREAM_TEST, (uint64_t)i, salt, 0);
        values_of(t)[i] = stored((2.0f * u - 1.0f) * scale);
    }
}

static inline void fill_with(judo_tensor *t, float value)
{
    for (int64_t i = 0; i < judo_tensor_count(t); i++) {
        values_of(t)[i] = value;
    }
}

static inline judo_tensor new_copy(const judo_tensor *t)
{
    judo_tensor copy = new_tensor(t->num_dims, t->dims[0], t->dims[1], t->dims[2]);
    memcpy(copy.data, t->data, (size_t)judo_tensor_count(t) * sizeof(float));
    return copy;
}

/* Rows [first, first + count) as a view. */
static inline judo_tensor rows_of(const judo_tensor *t, int64_t first, int64_t count)
{
    judo_tensor view = *t;
    view.data = values_of(t) + first * (judo_tensor_count(t) / t->dims[0]);
    view.dims[0] = count;
    return view;
}

static inline void free_tensors(int count, judo_tensor **tensors)
{
    for (int i = 0; i < count; i++) {
        free(tensors[i]->data);
    }
}

#define FREE(...)                                                                              \
    free_tensors((int)(sizeof((judo_tensor *[]){__VA_ARGS__}) / sizeof(judo_tensor *)),        \
                 (judo_tensor *[]){__VA_ARGS__})

/* |got - expected| <= tolerance (1 + |expected|). */
static inline void assert_near(double got, double expected, double tolerance, const char *what,
                               int64_t place)
{
    if (!(fabs(got - expected) <= tolerance * (1.0 + fabs(expected)))) {
        fail_msg("%s[%lld] is %.9g, expected %.9g", what, (long long)place, got, expected);
    }
}

/* The same for a number stored in the model's dtype, rounded `roundings` times. */
static inline void assert_stored(double got, double expected, double tolerance, int roundings,
                                 const char *what, int64_t place)
{
    double rounding = BF16 ? 0x1.01p-8 * roundings : 0.0;
    if (!(fabs(got - expected) <=
          tolerance * (1.0 + fabs(expected)) + rounding * fabs(expected))) {
        fail_msg("%s[%lld] is %.9g, expected %.9g", what, (long long)place, got, expected);
    }
}

static inline void assert_same_bits(const judo_tensor *a, const judo_tensor *b,
                                    const char *what)
{
    for (int64_t i = 0; i < judo_tensor_count(a); i++) {
        if (memcmp(&values_of(a)[i], &values_of(b)[i], sizeof(float)) != 0) {
            fail_msg("%s[%lld]: %.9g and %.9g differ", what, (long long)i,
                     (double)values_of(a)[i], (double)values_of(b)[i]);
        }
    }
}

#endif
