/* tests/runtime/ops/test_optimizer.c: AdamW against torch.optim.AdamW, sums of squares. */
#include "tests/runtime/ops/support.h"

#include "runtime/ops/split_weight.h"

enum { N = 7 };

static float gradient_at(int i, int step)
{
    return (float)((i * 5 + step * 3) % 13 - 6) / 64.0f * (float)(i + 1);
}

static void assert_all_near(const float *got, const double *expected, const char *what)
{
    for (int i = 0; i < N; i++) {
        if (!(fabs((double)got[i] - expected[i]) <= 3e-7 * fabs(expected[i]) + 2e-9)) {
            fail_msg("%s[%d] is %.9g, torch has %.9g", what, i, (double)got[i], expected[i]);
        }
    }
}

/* All elements, with decay. */
static judo_status update(const judo_adamw_arrays *arrays, const judo_adamw *options)
{
    const judo_adamw_segment all = {0, arrays->n, true};
    return JUDO_TEST_OPS->adamw(arrays, &all, 1, options);
}

static const judo_adamw usual = {.learning_rate = 0.01,
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = 1e-8,
                                 .weight_decay = 0.1,
                                 .step = 1,
                                 .gradient_scale = 0.5f};

/* Expected: torch 2, AdamW(lr=0.01, weight_decay=0.1, foreach=False), 20 steps of
 * gradient_at(). */
static void test_adamw__matches_torch_over_20_steps(void **state)
{
    (void)state;
    const double first_step[N] = {
        0.5095000267028809,    -1.2587499618530273, 3.006999969482422,  0.009999997913837433,
        -0.009000999853014946, -6.982999801635742,  0.11487500369548798};
    const double last_step[N] = {
        0.49331191182136536,    -1.2457811832427979, 2.9738316535949707, 0.00021045468747615814,
        -0.0016260346164926887, -6.831355094909668,  0.10677456855773926};
    const double first_moment[N] = {0.0025877119041979313, -0.00805637612938881,
                                    -0.005590230692178011, 0.022919325157999992,
                                    0.0025496843736618757, -0.008533482439815998,
                                    0.054054781794548035};
    const double second_moment[N] = {6.215158646227792e-05, 0.00028355271206237376,
                                     0.0006287384894676507, 0.0009984130738303065,
                                     0.0018379518296569586, 0.002245889278128743,
                                     0.00342613086104393};
    float weights[N] = {0.5f, -1.25f, 3.0f, 0.0f, 1e-3f, -7.0f, 0.125f};
    float m[N] = {0};
    float v[N] = {0};
    for (int step = 1; step <= 20; step++) {
        float gradient[N];
        for (int i = 0; i < N; i++) {
            gradient[i] = 4.0f * gradient_at(i, step); /* and the scale takes it back */
        }
        judo_adamw options = usual;
        options.step = step;
        options.gradient_scale = 0.25f;
        const judo_adamw_arrays arrays = {.weights = weights,
                                          .first_moment = m,
                                          .second_moment = v,
                                          .gradient = gradient,
                                          .n = N};
        assert_ok(update(&arrays, &options));
        if (step == 1) {
            assert_all_near(weights, first_step, "weights after one step");
        }
    }
    assert_all_near(weights, last_step, "weights");
    assert_all_near(m, first_moment, "first moment");
    assert_all_near(v, second_moment, "second moment");
}

/* Long enough to be shared by threads, and not a whole number of chunks. */
static void test_adamw__writes_the_rounded_copy_in_the_same_step(void **state)
{
    (void)state;

    enum { COUNT = 40001 };

    judo_tensor w = new_1d(COUNT), m = new_1d(COUNT), v = new_1d(COUNT), g = new_1d(COUNT);
    fill(&w, 1, 1.0f);
    fill(&g, 2, 1.0f);
    judo_tensor plain[3] = {new_copy(&w), new_copy(&m), new_copy(&v)};
    uint16_t *copy = calloc(COUNT, sizeof *copy);
    const judo_adamw_arrays copied = {values_of(&w), copy,          NULL,     values_of(&m),
                                      values_of(&v), values_of(&g), JUDO_F32, COUNT};
    const judo_adamw_arrays alone = {.weights = values_of(&plain[0]),
                                     .first_moment = values_of(&plain[1]),
                                     .second_moment = values_of(&plain[2]),
                                     .gradient = values_of(&g),
                                     .n = COUNT};
    int before = judo_ops_cpu_threads();
    judo_ops_cpu_set_threads(3);
    assert_ok(update(&copied, &usual));
    judo_ops_cpu_set_threads(before);
    assert_ok(update(&alone, &usual));
    assert_same_bits(&w, &plain[0], "weights");
    assert_same_bits(&v, &plain[2], "second moment");
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(copy[i], judo_f32_to_bf16(values_of(&w)[i]));
    }
    free(copy);
    FREE(&w, &m, &v, &g, &plain[0], &plain[1], &plain[2]);
}

static void test_split_weight__keeps_every_bit(void **state)
{
    (void)state;
    const uint32_t lows[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (uint32_t high = 0; high < 0x10000; high++) {
        for (size_t i = 0; i < sizeof lows / sizeof *lows; i++) {
            uint32_t bits = high << 16 | lows[i];
            float weight = 0.0f;
            memcpy(&weight, &bits, sizeof weight);
            judo_split_weight halves = judo_weight_split(weight);
            float again = judo_weight_join(halves.high, halves.low);
            assert_memory_equal(&again, &bits, sizeof bits);
            if (isfinite(weight) && lows[i] != 0x8000) { /* no tie */
                assert_int_equal(halves.high, judo_f32_to_bf16(weight));
            }
        }
    }
}

/* n weights as fp32 numbers or as halves, with moments and gradients of either dtype. */
typedef struct state_of {
    judo_tensor weights, first, second;
    uint16_t *upper, *low, *gradient;
    judo_tensor gradients;
    judo_adamw_arrays arrays;
} state_of;

static state_of new_state(int64_t n, bool split, judo_dtype gradient_dtype)
{
    state_of x = {.weights = new_1d(n), .first = new_1d(n), .second = new_1d(n)};
    x.gradients = new_1d(n);
    x.upper = calloc((size_t)n, sizeof *x.upper);
    x.low = calloc((size_t)n, sizeof *x.low);
    x.gradient = calloc((size_t)n, sizeof *x.gradient);
    fill(&x.weights, 1, 1.0f);
    for (int64_t i = 0; i < n; i++) {
        values_of(&x.weights)[i] *= 1.0f + (float)i * 0x1p-20f; /* all bits in use */
        judo_split_weight halves = judo_weight_split(values_of(&x.weights)[i]);
        x.upper[i] = split ? halves.high : judo_f32_to_bf16(values_of(&x.weights)[i]);
        x.low[i] = halves.low;
    }
    x.arrays = (judo_adamw_arrays){.weights = split ? NULL : values_of(&x.weights),
                                   .bf16 = x.upper,
                                   .low = split ? x.low : NULL,
                                   .first_moment = values_of(&x.first),
                                   .second_moment = values_of(&x.second),
                                   .gradient = gradient_dtype == JUDO_BF16 ? (void *)x.gradient
                                                                           : x.gradients.data,
                                   .gradient_dtype = gradient_dtype,
                                   .n = n};
    return x;
}

/* bf16 numbers, which both dtypes hold. */
static void new_gradient(state_of *x, int step)
{
    fill(&x->gradients, (uint32_t)step, 1.0f);
    judo_convert_from_f32(x->gradient, JUDO_BF16, values_of(&x->gradients), x->arrays.n);
    judo_convert_to_f32(values_of(&x->gradients), x->gradient, JUDO_BF16, x->arrays.n);
}

static float weight_of(const state_of *x, int64_t i)
{
    return x->arrays.weights ? x->arrays.weights[i] : judo_weight_join(x->upper[i], x->low[i]);
}

static void free_state(state_of *x)
{
    free(x->upper);
    free(x->low);
    free(x->gradient);
    FREE(&x->weights, &x->first, &x->second, &x->gradients);
}

/* The same without its first element. */
static judo_adamw_arrays without_first(const judo_adamw_arrays *x)
{
    judo_adamw_arrays rest = *x;
    rest.weights = x->weights ? x->weights + 1 : NULL;
    rest.low = x->low ? x->low + 1 : NULL;
    rest.bf16 = x->bf16 + 1;
    rest.first_moment = x->first_moment + 1;
    rest.second_moment = x->second_moment + 1;
    rest.gradient = (const char *)x->gradient + judo_dtype_bytes(x->gradient_dtype);
    rest.n = x->n - 1;
    return rest;
}

static void assert_same_state(const state_of *a, const state_of *b)
{
    assert_same_bits(&a->first, &b->first, "first moment");
    assert_same_bits(&a->second, &b->second, "second moment");
    for (int64_t i = 0; i < a->arrays.n; i++) {
        float weights[2] = {weight_of(a, i), weight_of(b, i)};
        assert_memory_equal(&weights[0], &weights[1], sizeof weights[0]);
    }
}

/* Long enough to be shared by threads, not whole vectors, and from an odd place on. */
static void test_adamw__has_the_same_bits_however_weights_and_gradients_are_kept(void **state)
{
    (void)state;

    enum { COUNT = 40003, KINDS = 4 };

    for (int odd = 0; odd < 2; odd++) {
        state_of x[KINDS];
        for (int kind = 0; kind < KINDS; kind++) {
            x[kind] = new_state(COUNT, kind % 2 == 1, kind < 2 ? JUDO_F32 : JUDO_BF16);
            judo_adamw options = usual;
            for (options.step = 1; options.step <= 5; options.step++) {
                const judo_adamw_arrays rest = without_first(&x[kind].arrays);
                new_gradient(&x[kind], (int)options.step);
                assert_ok(update(odd ? &rest : &x[kind].arrays, &options));
            }
            assert_same_state(&x[0], &x[kind]);
            for (int i = 0; kind % 2 == 0 && i < COUNT; i++) {
                assert_int_equal(x[kind].upper[i], judo_f32_to_bf16(weight_of(&x[0], i)));
            }
        }
        for (int kind = 0; kind < KINDS; kind++) {
            free_state(&x[kind]);
        }
    }
}

/* Ends at every place of a vector, gaps, nothing, one element, and long runs. */
static int make_segments(judo_adamw_segment *segments, int most, int64_t n)
{
    int count = 0;
    int64_t at = 3;
    for (; count < most && at < n; count++) {
        int64_t length = count % 11 == 0 ? 900 : count * 7 % 13;
        int64_t end = at + length < n ? at + length : n;
        segments[count] = (judo_adamw_segment){at, end, count % 3 != 1};
        at = end + (count % 5 == 2 ? count % 9 : 0);
    }
    return count;
}

static judo_adamw_arrays part_of(const judo_adamw_arrays *x, const judo_adamw_segment *segment)
{
    judo_adamw_arrays part = *x;
    for (int64_t i = 0; i < segment->begin; i++) {
        part = without_first(&part);
    }
    part.n = segment->end - segment->begin;
    return part;
}

/* Beside one call for each segment. */
static void check_segments(bool split, judo_dtype dtype, bool odd)
{
    enum { COUNT = 21001, MOST = 300 };

    judo_adamw_segment segments[MOST];
    state_of x = new_state(COUNT, split, dtype);
    state_of alone = new_state(COUNT, split, dtype);
    const judo_adamw_arrays arrays[2] = {odd ? without_first(&x.arrays) : x.arrays,
                                         odd ? without_first(&alone.arrays) : alone.arrays};
    const int count = make_segments(segments, MOST, arrays[0].n);
    assert_true(count > 100 && segments[count - 1].end == arrays[0].n);
    new_gradient(&x, 1);
    new_gradient(&alone, 1);
    assert_ok(JUDO_TEST_OPS->adamw(&arrays[0], segments, count, &usual));
    for (int i = 0; i < count; i++) {
        const judo_adamw_arrays part = part_of(&arrays[1], &segments[i]);
        judo_adamw options = usual;
        options.weight_decay = segments[i].decay ? usual.weight_decay : 0.0;
        const judo_adamw_segment whole = {0, part.n, true};
        assert_ok(JUDO_TEST_OPS->adamw(&part, &whole, part.n > 0 ? 1 : 0, &options));
    }
    assert_same_state(&x, &alone);
    assert_memory_equal(x.upper, alone.upper, COUNT * sizeof *x.upper);
    free_state(&x);
    free_state(&alone);
}

static void test_adamw__updates_each_segment_as_it_would_alone(void **state)
{
    (void)state;
    for (int odd = 0; odd < 2; odd++) {
        check_segments(false, JUDO_F32, odd == 1);
        check_segments(true, JUDO_F32, odd == 1);
        check_segments(true, JUDO_BF16, odd == 1);
    }
}

static void test_adamw__refuses_a_wrong_step_and_wrong_segments(void **state)
{
    (void)state;
    const judo_adamw_segment wrong[][2] = {{{0, 4, true}, {3, 5, true}},
                                           {{0, 4, true}, {5, 9, true}},
                                           {{-1, 4, true}, {5, 6, true}},
                                           {{2, 1, true}, {5, 6, true}}};
    const judo_adamw_arrays none = {.n = 0};
    judo_adamw options = usual;
    state_of x = new_state(8, false, JUDO_F32);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(JUDO_TEST_OPS->adamw(&x.arrays, wrong[i], 2, &options),
                         JUDO_ERROR_INTERNAL);
    }
    assert_ok(update(&none, &options));
    options.step = 0;
    assert_int_equal(update(&none, &options), JUDO_ERROR_ARGUMENT);
    free_state(&x);
}

static void test_add_rounded__rounds_each_sum_once(void **state)
{
    (void)state;

    enum { COUNT = 40003 };

    state_of x = new_state(COUNT, true, JUDO_BF16);
    for (int odd = 0; odd < 2; odd++) {
        uint16_t *expected = calloc(COUNT, sizeof *expected);
        for (int i = 0; i < COUNT; i++) {
            float sum = judo_bf16_to_f32(x.upper[i]) + (i < odd ? 0 : values_of(&x.weights)[i]);
            expected[i] = judo_f32_to_bf16(sum);
        }
        judo_tensor y = judo_tensor_1d(x.upper + odd, JUDO_BF16, COUNT - odd);
        judo_tensor values = judo_tensor_1d(values_of(&x.weights) + odd, JUDO_F32, COUNT - odd);
        assert_ok(JUDO_TEST_OPS->add_rounded(&y, &values));
        assert_memory_equal(x.upper, expected, COUNT * sizeof *expected);
        assert_int_not_equal(JUDO_TEST_OPS->add_rounded(&values, &y), JUDO_OK);
        free(expected);
    }
    free_state(&x);
}

static void test_sum_of_squares__is_exact_to_fp64_rounding(void **state)
{
    (void)state;
    const int64_t counts[] = {0, 1, 7, 255, 256, 257, 1000, 100003};
    int before = judo_ops_cpu_threads();
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        judo_tensor x = new_1d(counts[c]);
        fill(&x, 1, 3.0f);
        double expected = 0.0;
        for (int64_t i = 0; i < counts[c]; i++) {
            expected += (double)values_of(&x)[i] * (double)values_of(&x)[i];
        }
        double first = -1.0;
        for (int threads = 1; threads <= 3; threads++) {
            double sum = -1.0;
            judo_ops_cpu_set_threads(threads);
            assert_ok(JUDO_TEST_OPS->sum_of_squares(&sum, &x));
            assert_near(sum, expected, 1e-13, "sum", counts[c]);
            first = threads == 1 ? sum : first;
            assert_true(sum == first);
        }
        FREE(&x);
    }
    judo_ops_cpu_set_threads(before);
}

/* Which elements go into which sums depends on their number, not on where they begin. */
static void test_sum_of_squares__has_the_same_bits_at_any_address(void **state)
{
    (void)state;

    enum { COUNT = 30011 };

    state_of x = new_state(COUNT + 1, true, JUDO_BF16);
    const judo_tensor kept[2][2] = {{judo_tensor_1d(x.weights.data, JUDO_F32, COUNT),
                                     judo_tensor_1d(x.upper, JUDO_BF16, COUNT)},
                                    {judo_tensor_1d(values_of(&x.weights) + 1, JUDO_F32, COUNT),
                                     judo_tensor_1d(x.upper + 1, JUDO_BF16, COUNT)}};
    double sums[2][2];
    double expected = 0.0;
    for (int i = 0; i < COUNT; i++) {
        expected += pow((double)judo_bf16_to_f32(x.upper[i]), 2.0);
    }
    for (int odd = 0; odd < 2; odd++) {
        for (int dtype = 0; dtype < 2; dtype++) {
            assert_ok(JUDO_TEST_OPS->sum_of_squares(&sums[odd][dtype], &kept[odd][dtype]));
        }
        memmove(values_of(&x.weights) + 1, values_of(&x.weights), COUNT * sizeof(float));
        memmove(x.upper + 1, x.upper, COUNT * sizeof *x.upper);
    }
    assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
    assert_near(sums[0][1], expected, 1e-13, "sum", COUNT);
    free_state(&x);
}

static void test_sum_of_squares__shows_what_is_not_finite(void **state)
{
    (void)state;
    float values[3] = {1.0f, NAN, 2.0f};
    judo_tensor x = judo_tensor_1d(values, JUDO_F32, 3);
    double sum = 0.0;
    assert_ok(JUDO_TEST_OPS->sum_of_squares(&sum, &x));
    assert_true(isnan(sum));
    values[1] = -INFINITY;
    assert_ok(JUDO_TEST_OPS->sum_of_squares(&sum, &x));
    assert_true(isinf(sum));
}

static void test_check__names_the_first_empty_slot(void **state)
{
    (void)state;
    assert_ok(judo_ops_check(JUDO_TEST_OPS));
    judo_ops broken = *JUDO_TEST_OPS;
    broken.split_heads = NULL;
    assert_int_equal(judo_ops_check(&broken), JUDO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(judo_error_message(), "split_heads"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw__matches_torch_over_20_steps),
        cmocka_unit_test(test_adamw__writes_the_rounded_copy_in_the_same_step),
        cmocka_unit_test(test_split_weight__keeps_every_bit),
        cmocka_unit_test(test_adamw__has_the_same_bits_however_weights_and_gradients_are_kept),
        cmocka_unit_test(test_adamw__updates_each_segment_as_it_would_alone),
        cmocka_unit_test(test_adamw__refuses_a_wrong_step_and_wrong_segments),
        cmocka_unit_test(test_add_rounded__rounds_each_sum_once),
        cmocka_unit_test(test_sum_of_squares__is_exact_to_fp64_rounding),
        cmocka_unit_test(test_sum_of_squares__has_the_same_bits_at_any_address),
        cmocka_unit_test(test_sum_of_squares__shows_what_is_not_finite),
        cmocka_unit_test(test_check__names_the_first_empty_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
