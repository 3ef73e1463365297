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
        judo_adamw options = {.learning_rate = 0.01,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .epsilon = 1e-8,
                              .weight_decay = 0.1,
                              .step = step,
                              .gradient_scale = 0.25f};
        assert_ok(JUDO_TEST_OPS->adamw(weights, m, v, NULL, gradient, N, &options));
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
    judo_adamw options = {.learning_rate = 0.01,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .epsilon = 1e-8,
                          .step = 1,
                          .gradient_scale = 1.0f};
    int before = judo_ops_cpu_threads();
    judo_ops_cpu_set_threads(3);
    assert_ok(JUDO_TEST_OPS->adamw(values_of(&w), values_of(&m), values_of(&v), copy,
                                   values_of(&g), COUNT, &options));
    judo_ops_cpu_set_threads(before);
    assert_ok(JUDO_TEST_OPS->adamw(values_of(&plain[0]), values_of(&plain[1]),
                                   values_of(&plain[2]), NULL, values_of(&g), COUNT, &options));
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

/* Long enough to be shared by threads, not whole vectors, and from an odd place on. */
static void test_adamw_split__has_the_bits_of_adamw(void **state)
{
    (void)state;

    enum { COUNT = 40003 };

    for (int odd = 0; odd < 2; odd++) {
        judo_tensor w = new_1d(COUNT), m = new_1d(COUNT), v = new_1d(COUNT), g = new_1d(COUNT);
        judo_tensor m2 = new_1d(COUNT), v2 = new_1d(COUNT);
        uint16_t *high = calloc(COUNT, sizeof *high);
        uint16_t *low = calloc(COUNT, sizeof *low);
        fill(&w, 1, 1.0f);
        for (int i = 0; i < COUNT; i++) {
            values_of(&w)[i] *= 1.0f + (float)i * 0x1p-20f; /* all bits in use */
            judo_split_weight halves = judo_weight_split(values_of(&w)[i]);
            high[i] = halves.high;
            low[i] = halves.low;
        }
        for (int step = 1; step <= 5; step++) {
            judo_adamw options = {.learning_rate = 1e-4,
                                  .beta1 = 0.9,
                                  .beta2 = 0.999,
                                  .epsilon = 1e-8,
                                  .weight_decay = 0.1,
                                  .step = step,
                                  .gradient_scale = 0.5f};
            fill(&g, (uint32_t)step, 1.0f);
            assert_ok(JUDO_TEST_OPS->adamw(values_of(&w) + odd, values_of(&m) + odd,
                                           values_of(&v) + odd, NULL, values_of(&g) + odd,
                                           COUNT - odd, &options));
            assert_ok(JUDO_TEST_OPS->adamw_split(high + odd, low + odd, values_of(&m2) + odd,
                                                 values_of(&v2) + odd, values_of(&g) + odd,
                                                 COUNT - odd, &options));
        }
        assert_same_bits(&m, &m2, "first moment");
        assert_same_bits(&v, &v2, "second moment");
        for (int i = 0; i < COUNT; i++) {
            float joined = judo_weight_join(high[i], low[i]);
            assert_memory_equal(&joined, &values_of(&w)[i], sizeof joined);
        }
        free(high);
        free(low);
        FREE(&w, &m, &v, &g, &m2, &v2);
    }
}

static void test_adamw__step_zero_is_refused(void **state)
{
    (void)state;
    judo_adamw options = {.step = 0};
    assert_int_equal(JUDO_TEST_OPS->adamw(NULL, NULL, NULL, NULL, NULL, 0, &options),
                     JUDO_ERROR_ARGUMENT);
    options.step = 1;
    assert_ok(JUDO_TEST_OPS->adamw(NULL, NULL, NULL, NULL, NULL, 0, &options));
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
            assert_ok(JUDO_TEST_OPS->sum_of_squares(&sum, values_of(&x), counts[c]));
            assert_near(sum, expected, 1e-13, "sum", counts[c]);
            first = threads == 1 ? sum : first;
            assert_true(sum == first);
        }
        FREE(&x);
    }
    judo_ops_cpu_set_threads(before);
}

static void test_sum_of_squares__shows_what_is_not_finite(void **state)
{
    (void)state;
    float x[3] = {1.0f, NAN, 2.0f};
    double sum = 0.0;
    assert_ok(JUDO_TEST_OPS->sum_of_squares(&sum, x, 3));
    assert_true(isnan(sum));
    x[1] = -INFINITY;
    assert_ok(JUDO_TEST_OPS->sum_of_squares(&sum, x, 3));
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
        cmocka_unit_test(test_adamw_split__has_the_bits_of_adamw),
        cmocka_unit_test(test_adamw__step_zero_is_refused),
        cmocka_unit_test(test_sum_of_squares__is_exact_to_fp64_rounding),
        cmocka_unit_test(test_sum_of_squares__shows_what_is_not_finite),
        cmocka_unit_test(test_check__names_the_first_empty_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
