/* tests/runtime/ops/test_pointwise.c: norms, activations, row ops against plain double
 * loops; gradients against differences of those. */
#include "tests/runtime/ops/support.h"

static const int64_t sizes[][2] = {{1, 1}, {3, 7}, {5, 16}, {9, 100}, {200, 129}, {0, 12}};

enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

static const double epsilon = 1e-5;

static void reference_rmsnorm(double *y, const double *x, const float *w, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i] * x[i];
    }
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i] / sqrt(sum / (double)n + epsilon) * (double)w[i];
    }
}

static void check_rmsnorm(int64_t m, int64_t n)
{
    judo_tensor x = new_2d(m, n), w = new_1d(n), y = new_2d(m, n), rstd = new_1d(m);
    judo_tensor dy = new_2d(m, n), dx = new_2d(m, n), dw = new_1d(n);
    fill(&x, 1, 2.0f);
    fill(&w, 2, 1.0f);
    fill(&dy, 3, 1.0f);
    fill_with(&dx, 1.0f);
    fill_with(&dw, 2.0f);
    assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&y, &rstd, &x, &w, (float)epsilon));
    assert_ok(JUDO_TEST_OPS->rmsnorm_backward(&dx, &dw, &dy, &x, &w, &rstd));
    double *row = calloc((size_t)n, sizeof *row), *up = calloc((size_t)n, sizeof *up);
    double *down = calloc((size_t)n, sizeof *down), *dw_sum = calloc((size_t)n, sizeof *dw_sum);
    for (int64_t i = 0; i < m * n; i++) {
        int64_t first = i / n * n;
        for (int64_t j = 0; j < n; j++) {
            row[j] = (double)values_of(&x)[first + j];
        }
        reference_rmsnorm(up, row, values_of(&w), n);
        assert_stored((double)values_of(&y)[i], up[i - first], 1e-6, 2, "y", i);
        dw_sum[i - first] +=
            (double)values_of(&dy)[i] * up[i - first] / (double)values_of(&w)[i - first];
        const double step = 1e-5;
        row[i - first] += step;
        reference_rmsnorm(up, row, values_of(&w), n);
        row[i - first] -= 2.0 * step;
        reference_rmsnorm(down, row, values_of(&w), n);
        double slope = 1.0; /* what dx held */
        for (int64_t j = 0; j < n; j++) {
            slope += (double)values_of(&dy)[first + j] * (up[j] - down[j]) / (2.0 * step);
        }
        assert_stored((double)values_of(&dx)[i], slope, 2e-5, 1, "dx", i);
    }
    for (int64_t j = 0; j < n; j++) {
        assert_near((double)values_of(&dw)[j], 2.0 + dw_sum[j], 1e-5, "dw", j);
    }
    free(row);
    free(up);
    free(down);
    free(dw_sum);
    FREE(&x, &w, &y, &rstd, &dy, &dx, &dw);
}

static void test_rmsnorm__matches_loops_and_differences(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SIZES; i++) {
        check_rmsnorm(sizes[i][0], sizes[i][1]);
    }
}

/* torch: w * x / sqrt(mean(x^2) + 1e-6) for x = 1..5 / 3, w = 1, 0.5, 2, -1, 3. */
static void test_rmsnorm__matches_torch(void **state)
{
    (void)state;
    float x[5] = {1.0f / 3, 2.0f / 3, 1.0f, 4.0f / 3, 5.0f / 3};
    float w[5] = {1.0f, 0.5f, 2.0f, -1.0f, 3.0f};
    float y[5];
    const double expected[5] = {0.3015112578868866, 0.3015112578868866, 1.8090674877166748,
                                -1.2060450315475464, 4.522668838500977};
    judo_tensor xt = judo_tensor_2d(x, JUDO_F32, 1, 5), wt = judo_tensor_1d(w, JUDO_F32, 5);
    judo_tensor yt = judo_tensor_2d(y, JUDO_F32, 1, 5);
    assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&yt, NULL, &xt, &wt, 1e-6f));
    for (int i = 0; i < 5; i++) {
        assert_near((double)y[i], expected[i], BF16 ? 1e-2 : 2e-7, "y", i);
    }
}

static void test_layernorm__matches_plain_loops_also_in_place(void **state)
{
    (void)state;
    for (int s = 0; s < NUM_SIZES; s++) {
        int64_t m = sizes[s][0];
        int64_t n = sizes[s][1];
        judo_tensor x = new_2d(m, n), w = new_1d(n), bias = new_1d(n), y = new_2d(m, n);
        fill(&x, 1, 2.0f);
        fill(&w, 2, 1.0f);
        fill(&bias, 3, 1.0f);
        assert_ok(JUDO_TEST_OPS->layernorm_forward(&y, &x, &w, &bias, (float)epsilon));
        for (int64_t i = 0; i < m * n; i++) {
            const float *row = values_of(&x) + i / n * n;
            double mean = 0.0;
            double variance = 0.0;
            for (int64_t j = 0; j < n; j++) {
                mean += (double)row[j] / (double)n;
            }
            for (int64_t j = 0; j < n; j++) {
                variance += ((double)row[j] - mean) * ((double)row[j] - mean) / (double)n;
            }
            double expected = ((double)row[i % n] - mean) / sqrt(variance + epsilon) *
                                  (double)values_of(&w)[i % n] +
                              (double)values_of(&bias)[i % n];
            assert_stored((double)values_of(&y)[i], expected, 2e-5, 1, "y", i);
        }
        assert_ok(JUDO_TEST_OPS->layernorm_forward(&x, &x, &w, &bias, (float)epsilon));
        assert_same_bits(&x, &y, "in place");
        FREE(&x, &w, &bias, &y);
    }
}

static double silu(double x)
{
    return x / (1.0 + exp(-x));
}

static double gelu(double x)
{
    return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
}

static void test_swiglu__matches_plain_loops_also_in_place(void **state)
{
    (void)state;
    for (int s = 0; s < NUM_SIZES; s++) {
        int64_t m = sizes[s][0], n = sizes[s][1];
        judo_tensor gate_up = new_2d(m, 2 * n), y = new_2d(m, n), dy = new_2d(m, n);
        fill(&gate_up, 1, 12.0f);
        fill(&dy, 3, 1.0f);
        assert_ok(JUDO_TEST_OPS->swiglu_forward(&y, &gate_up));
        judo_tensor slopes = new_copy(&gate_up), apart = new_2d(m, 2 * n);
        assert_ok(JUDO_TEST_OPS->swiglu_backward(&slopes, &dy, &slopes));
        assert_ok(JUDO_TEST_OPS->swiglu_backward(&apart, &dy, &gate_up));
        assert_same_bits(&slopes, &apart, "in place");
        for (int64_t i = 0; i < m * n; i++) {
            int64_t left = i / n * 2 * n + i % n;
            double g = (double)values_of(&gate_up)[left];
            double u = (double)values_of(&gate_up)[left + n];
            double d = (double)values_of(&dy)[i];
            double slope = (silu(g + 1e-5) - silu(g - 1e-5)) / 2e-5;
            assert_stored((double)values_of(&y)[i], silu(g) * u, 1e-6, 1, "y", i);
            assert_stored((double)values_of(&slopes)[left], d * u * slope, 2e-6, 1, "dgate", i);
            assert_stored((double)values_of(&slopes)[left + n], d * silu(g), 1e-6, 1, "dup", i);
        }
        FREE(&gate_up, &y, &dy, &slopes, &apart);
    }
}

static void test_swiglu__halves_of_other_widths_are_refused(void **state)
{
    (void)state;
    judo_tensor gate_up = new_2d(3, 8), y = new_2d(3, 4), narrow = new_2d(3, 3);
    judo_tensor one = new_1d(24);
    assert_int_equal(JUDO_TEST_OPS->swiglu_forward(&narrow, &gate_up), JUDO_ERROR_INTERNAL);
    assert_int_equal(JUDO_TEST_OPS->swiglu_forward(&y, &one), JUDO_ERROR_INTERNAL);
    assert_int_equal(JUDO_TEST_OPS->swiglu_backward(&gate_up, &narrow, &gate_up),
                     JUDO_ERROR_INTERNAL);
    assert_int_equal(JUDO_TEST_OPS->swiglu_backward(&one, &y, &gate_up), JUDO_ERROR_INTERNAL);
    FREE(&gate_up, &y, &narrow, &one);
}

static void test_swiglu__extreme_gates_stay_finite(void **state)
{
    (void)state;
    float gate_up[8] = {-1e30f, 1e30f, -200.0f, 200.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    float ones[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    float y[4], slopes[8];
    judo_tensor gt = judo_tensor_2d(gate_up, JUDO_F32, 1, 8);
    judo_tensor ot = judo_tensor_2d(ones, JUDO_F32, 1, 4);
    judo_tensor yt = judo_tensor_2d(y, JUDO_F32, 1, 4);
    judo_tensor st = judo_tensor_2d(slopes, JUDO_F32, 1, 8);
    assert_ok(JUDO_TEST_OPS->swiglu_forward(&yt, &gt));
    assert_ok(JUDO_TEST_OPS->swiglu_backward(&st, &ot, &gt));
    const float expected[4] = {0.0f, 1e30f, 0.0f, 200.0f};
    for (int i = 0; i < 4; i++) {
        assert_true(y[i] == stored(expected[i]));
        assert_true(slopes[i] == (i % 2 ? 1.0f : 0.0f));
        assert_true(slopes[4 + i] == stored(expected[i]));
    }
}

static void test_gelu__matches_plain_loops_also_in_place(void **state)
{
    (void)state;
    for (int s = 0; s < NUM_SIZES; s++) {
        judo_tensor x = new_2d(sizes[s][0], sizes[s][1]);
        judo_tensor dy = new_copy(&x);
        fill(&x, 1, 6.0f);
        fill(&dy, 3, 1.0f);
        judo_tensor y = new_copy(&x), dx = new_copy(&dy);
        assert_ok(JUDO_TEST_OPS->gelu_forward(&y, &y));
        assert_ok(JUDO_TEST_OPS->gelu_backward(&dx, &dx, &x));
        for (int64_t i = 0; i < judo_tensor_count(&x); i++) {
            double v = (double)values_of(&x)[i];
            double slope = (gelu(v + 1e-5) - gelu(v - 1e-5)) / 2e-5;
            assert_stored((double)values_of(&y)[i], gelu(v), 1e-6, 1, "y", i);
            assert_stored((double)values_of(&dx)[i], (double)values_of(&dy)[i] * slope, 2e-6, 1,
                          "dx", i);
        }
        FREE(&x, &dy, &y, &dx);
    }
}

static void test_add__adds_any_shape(void **state)
{
    (void)state;
    judo_tensor y = new_3d(3, 5, 7), x = new_3d(3, 5, 7), other = new_2d(15, 7);
    fill(&y, 1, 1.0f);
    fill(&x, 2, 1.0f);
    judo_tensor sum = new_copy(&y);
    assert_ok(JUDO_TEST_OPS->add(&sum, &x));
    for (int i = 0; i < 105; i++) {
        assert_true(values_of(&sum)[i] == stored(values_of(&y)[i] + values_of(&x)[i]));
    }
    assert_int_equal(JUDO_TEST_OPS->add(&sum, &other), JUDO_ERROR_INTERNAL);
    FREE(&y, &x, &other, &sum);
}

static void test_rows__gather_scatter_and_add_by_index(void **state)
{
    (void)state;

    enum { COUNT = 5, WIDTH = 77 };

    const int32_t index[COUNT] = {3, 0, 3, 3, 1};
    judo_tensor table = new_2d(4, WIDTH), picked = new_2d(COUNT, WIDTH);
    fill(&table, 1, 1.0f);
    assert_ok(JUDO_TEST_OPS->gather_rows(&picked, &table, index, COUNT));
    for (int i = 0; i < COUNT * WIDTH; i++) {
        assert_true(values_of(&picked)[i] ==
                    values_of(&table)[index[i / WIDTH] * WIDTH + i % WIDTH]);
    }
    fill(&picked, 2, 1.0f);
    judo_tensor sum = new_copy(&table);
    assert_ok(JUDO_TEST_OPS->scatter_add_rows(&sum, &picked, index, COUNT));
    for (int row = 0; row < 4; row++) {
        for (int j = 0; j < WIDTH; j++) {
            float expected = values_of(&table)[row * WIDTH + j];
            for (int i = 0; i < COUNT; i++) {
                expected += index[i] == row ? values_of(&picked)[i * WIDTH + j] : 0.0f;
            }
            assert_true(values_of(&sum)[row * WIDTH + j] == expected);
        }
    }
    FREE(&table, &picked, &sum);
}

/* Draws name the rows, places name the draws; what is no row gives zeros. */
static void test_rows__gather_those_that_were_drawn(void **state)
{
    (void)state;

    enum { COUNT = 5, WIDTH = 77, ROWS = 4, DRAWS = 6 };

    const judo_draw draws[DRAWS] = {{.token = 3}, {.token = JUDO_NO_TOKEN},
                                    {.token = 0}, {.token = 99},
                                    {.token = 1}, {.token = ROWS}};
    const int32_t places[COUNT] = {4, 0, 1, 0, 5};
    const int32_t expected[COUNT] = {1, 3, -1, 3, -1};
    judo_tensor table = new_2d(ROWS, WIDTH), picked = new_2d(COUNT, WIDTH);
    fill(&table, 1, 1.0f);
    fill_with(&picked, 7.0f);
    assert_ok(JUDO_TEST_OPS->gather_drawn_rows(&picked, &table, draws, DRAWS, places, COUNT));
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < WIDTH; j++) {
            float wanted = expected[i] < 0 ? 0.0f : values_of(&table)[expected[i] * WIDTH + j];
            assert_true(values_of(&picked)[i * WIDTH + j] == wanted);
        }
    }
    const int32_t bad[2] = {DRAWS, -1};
    judo_tensor one = rows_of(&picked, 0, 1), none = rows_of(&picked, 0, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            JUDO_TEST_OPS->gather_drawn_rows(&one, &table, draws, DRAWS, &bad[i], 1),
            JUDO_ERROR_ARGUMENT);
    }
    assert_int_equal(JUDO_TEST_OPS->gather_drawn_rows(&one, &table, draws, DRAWS, places, 2),
                     JUDO_ERROR_INTERNAL);
    assert_ok(JUDO_TEST_OPS->gather_drawn_rows(&none, &table, draws, DRAWS, NULL, 0));
    FREE(&table, &picked);
}

static void test_rows__scatter_leaves_other_rows(void **state)
{
    (void)state;
    const int32_t index[2] = {3, 1};
    judo_tensor y = new_2d(4, 3), x = new_2d(2, 3);
    fill_with(&y, 9.0f);
    fill(&x, 1, 1.0f);
    assert_ok(JUDO_TEST_OPS->scatter_rows(&y, &x, index, 2));
    for (int j = 0; j < 3; j++) {
        assert_true(values_of(&y)[j] == 9.0f && values_of(&y)[6 + j] == 9.0f);
        assert_true(values_of(&y)[9 + j] == values_of(&x)[j]);
        assert_true(values_of(&y)[3 + j] == values_of(&x)[3 + j]);
    }
    FREE(&y, &x);
}

static void test_rows__an_index_outside_is_an_error(void **state)
{
    (void)state;
    judo_tensor table = new_2d(4, 3), rows = new_2d(2, 3);
    const int32_t bad[2][2] = {{0, 4}, {-1, 0}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(JUDO_TEST_OPS->gather_rows(&rows, &table, bad[i], 2),
                         JUDO_ERROR_ARGUMENT);
        assert_int_equal(JUDO_TEST_OPS->scatter_rows(&table, &rows, bad[i], 2),
                         JUDO_ERROR_ARGUMENT);
        assert_int_equal(JUDO_TEST_OPS->scatter_add_rows(&table, &rows, bad[i], 2),
                         JUDO_ERROR_ARGUMENT);
    }
    assert_int_equal(JUDO_TEST_OPS->gather_rows(&rows, &table, bad[0], 1), JUDO_ERROR_INTERNAL);
    judo_tensor none = rows_of(&rows, 0, 0);
    assert_ok(JUDO_TEST_OPS->gather_rows(&none, &table, NULL, 0));
    assert_ok(JUDO_TEST_OPS->scatter_add_rows(&table, &none, NULL, 0));
    FREE(&table, &rows);
}

static void test_convert__rounds_to_nearest_even_and_widens_exactly(void **state)
{
    (void)state;

    enum { N = 10007 };

    judo_tensor x = new_1d(N), back = new_1d(N), same = new_1d(N);
    judo_tensor half = new_1d(N), other = new_1d(N); /* room to spare */
    half.dtype = other.dtype = JUDO_BF16;
    for (int i = 0; i < N; i++) {
        uint32_t bits = 0x3f800000u + (uint32_t)i * 0x1357u; /* ties among them */
        bits = i % 5 == 0 ? bits & 0xffff8000u : bits;
        memcpy(&values_of(&x)[i], &bits, sizeof bits);
    }
    assert_ok(JUDO_TEST_OPS->convert(&half, &x));
    assert_ok(JUDO_TEST_OPS->convert(&other, &half));
    assert_ok(JUDO_TEST_OPS->convert(&back, &other));
    assert_ok(JUDO_TEST_OPS->convert(&same, &x));
    for (int i = 0; i < N; i++) {
        uint16_t expected = judo_f32_to_bf16(values_of(&x)[i]);
        assert_int_equal(((const uint16_t *)half.data)[i], expected);
        assert_true(values_of(&back)[i] == judo_bf16_to_f32(expected));
    }
    assert_same_bits(&same, &x, "fp32 to fp32");
    judo_tensor shorter = rows_of(&x, 0, N - 1);
    assert_int_equal(JUDO_TEST_OPS->convert(&half, &shorter), JUDO_ERROR_INTERNAL);
    half.dtype = JUDO_F16;
    assert_int_equal(JUDO_TEST_OPS->convert(&half, &x), JUDO_ERROR_UNSUPPORTED);
    FREE(&x, &back, &same, &half, &other);
}

/* Large enough to be split; odd so that pieces are unequal. */
static void test_threads__do_not_change_bits(void **state)
{
    (void)state;

    enum { M = 301, N = 257 };

    judo_tensor x = new_2d(M, N), w = new_1d(N), dy = new_2d(M, N), gate_up = new_2d(M, 2 * N);
    fill(&x, 1, 2.0f);
    fill(&w, 2, 1.0f);
    fill(&dy, 3, 1.0f);
    fill(&gate_up, 4, 3.0f);
    judo_tensor kept[5] = {{0}};
    int before = judo_ops_cpu_threads();
    for (int threads = 1; threads <= thread_counts(3); threads++) {
        judo_tensor y = new_2d(M, N), rstd = new_1d(M), dx = new_2d(M, N), dw = new_1d(N);
        judo_tensor active = new_2d(M, N);
        judo_ops_cpu_set_threads(threads);
        assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&y, &rstd, &x, &w, 1e-6f));
        assert_ok(JUDO_TEST_OPS->rmsnorm_backward(&dx, &dw, &dy, &x, &w, &rstd));
        assert_ok(JUDO_TEST_OPS->linear_backward(NULL, false, NULL, &dw, &dy, NULL, NULL));
        assert_ok(JUDO_TEST_OPS->swiglu_forward(&active, &gate_up));
        judo_tensor results[5] = {y, rstd, dx, dw, active};
        for (int i = 0; i < 5; i++) {
            if (threads == 1) {
                kept[i] = results[i];
            } else {
                assert_same_bits(&results[i], &kept[i], "result");
                free(results[i].data);
            }
        }
    }
    judo_ops_cpu_set_threads(before);
    FREE(&x, &w, &dy, &gate_up, &kept[0], &kept[1], &kept[2], &kept[3], &kept[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm__matches_loops_and_differences),
        cmocka_unit_test(test_rmsnorm__matches_torch),
        cmocka_unit_test(test_layernorm__matches_plain_loops_also_in_place),
        cmocka_unit_test(test_swiglu__matches_plain_loops_also_in_place),
        cmocka_unit_test(test_swiglu__extreme_gates_stay_finite),
        cmocka_unit_test(test_swiglu__halves_of_other_widths_are_refused),
        cmocka_unit_test(test_gelu__matches_plain_loops_also_in_place),
        cmocka_unit_test(test_add__adds_any_shape),
        cmocka_unit_test(test_convert__rounds_to_nearest_even_and_widens_exactly),
        cmocka_unit_test(test_rows__gather_scatter_and_add_by_index),
        cmocka_unit_test(test_rows__gather_those_that_were_drawn),
        cmocka_unit_test(test_rows__scatter_leaves_other_rows),
        cmocka_unit_test(test_rows__an_index_outside_is_an_error),
        cmocka_unit_test(test_threads__do_not_change_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
