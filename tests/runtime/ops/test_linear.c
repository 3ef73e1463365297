/* tests/runtime/ops/test_linear.c: the linear layer against plain double loops; its bits. */
#include "tests/runtime/ops/support.h"

static const int64_t sizes[][3] = {{1, 1, 1},     {3, 5, 7}, {17, 33, 9}, {64, 96, 48},
                                   {130, 40, 77}, {0, 8, 4}, {5, 6, 1},   {200, 300, 150}};

enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

static void check_forward(int64_t m, int64_t n, int64_t k, bool with_bias)
{
    judo_tensor x = new_2d(m, k), w = new_2d(n, k), bias = new_1d(n), y = new_2d(m, n);
    fill(&x, 1, 1.0f);
    fill(&w, 2, 1.0f);
    fill(&bias, 3, 1.0f);
    fill_with(&y, 5.0f);
    assert_ok(JUDO_TEST_OPS->linear_forward(&y, &x, &w, with_bias ? &bias : NULL));
    for (int64_t i = 0; i < m * n; i++) {
        double sum = with_bias ? (double)values_of(&bias)[i % n] : 0.0;
        for (int64_t p = 0; p < k; p++) {
            sum += (double)values_of(&x)[i / n * k + p] * (double)values_of(&w)[i % n * k + p];
        }
        assert_stored((double)values_of(&y)[i], sum, 1e-5, 1, "y", i);
    }
    FREE(&x, &w, &bias, &y);
}

static void test_forward__matches_plain_loops(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SIZES; i++) {
        check_forward(sizes[i][0], sizes[i][1], sizes[i][2], false);
        check_forward(sizes[i][0], sizes[i][1], sizes[i][2], true);
    }
}

static void check_backward(int64_t m, int64_t n, int64_t k, bool accumulate)
{
    judo_tensor x = new_2d(m, k), w = new_2d(n, k), dy = new_2d(m, n);
    judo_tensor dx = new_2d(m, k), dw = new_2d(n, k), dbias = new_1d(n);
    fill(&x, 1, 1.0f);
    fill(&w, 2, 1.0f);
    fill(&dy, 3, 1.0f);
    fill_with(&dx, 2.0f);
    fill_with(&dw, 3.0f);
    fill_with(&dbias, 4.0f);
    assert_ok(JUDO_TEST_OPS->linear_backward(&dx, accumulate, &dw, &dbias, &dy, &x, &w));
    for (int64_t i = 0; i < m * k; i++) {
        double sum = accumulate ? 2.0 : 0.0;
        for (int64_t j = 0; j < n; j++) {
            sum += (double)values_of(&dy)[i / k * n + j] * (double)values_of(&w)[j * k + i % k];
        }
        assert_stored((double)values_of(&dx)[i], sum, 1e-5, 1, "dx", i);
    }
    for (int64_t i = 0; i < n * k; i++) {
        double sum = 3.0;
        for (int64_t r = 0; r < m; r++) {
            sum += (double)values_of(&dy)[r * n + i / k] * (double)values_of(&x)[r * k + i % k];
        }
        assert_near((double)values_of(&dw)[i], sum, 1e-5, "dw", i);
    }
    for (int64_t j = 0; j < n; j++) {
        double sum = 4.0;
        for (int64_t r = 0; r < m; r++) {
            sum += (double)values_of(&dy)[r * n + j];
        }
        assert_near((double)values_of(&dbias)[j], sum, 1e-5, "dbias", j);
    }
    FREE(&x, &w, &dy, &dx, &dw, &dbias);
}

static void test_backward__matches_plain_loops(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SIZES; i++) {
        check_backward(sizes[i][0], sizes[i][1], sizes[i][2], false);
        check_backward(sizes[i][0], sizes[i][1], sizes[i][2], true);
    }
}

static void test_backward__each_output_may_be_left_out(void **state)
{
    (void)state;
    judo_tensor x = new_2d(4, 3), w = new_2d(5, 3), dy = new_2d(4, 5);
    judo_tensor dx = new_2d(4, 3), dw = new_2d(5, 3);
    assert_ok(JUDO_TEST_OPS->linear_backward(&dx, false, NULL, NULL, &dy, NULL, &w));
    assert_ok(JUDO_TEST_OPS->linear_backward(NULL, false, &dw, NULL, &dy, &x, NULL));
    assert_ok(JUDO_TEST_OPS->linear_backward(NULL, false, NULL, NULL, &dy, NULL, NULL));
    assert_int_equal(JUDO_TEST_OPS->linear_backward(&dx, false, NULL, NULL, &dy, NULL, NULL),
                     JUDO_ERROR_INTERNAL);
    FREE(&x, &w, &dy, &dx, &dw);
}

/* The bits of all rows at once; or, where products of few rows may be summed in another order,
 * numbers that are each rounded when stored. Sums of up to 2000 products of numbers up to 1 are
 * below 100, and each of their fp32 additions is off by 2^-24 of that: 1e-4 of it is far away.
 */
static void assert_same_rows(const judo_tensor *got, const judo_tensor *expected,
                             const char *what)
{
    if (rows_are_invariant()) {
        assert_same_bits(got, expected, what);
        return;
    }
    for (int64_t i = 0; i < judo_tensor_count(got); i++) {
        assert_stored((double)values_of(got)[i], (double)values_of(expected)[i], 1e-4, 2, what,
                      i);
    }
}

/* Rows of x, taken `count` at a time, are as in all rows at once. */
static void check_rows(int64_t n, int64_t k, int threads)
{
    enum { ROWS = 300 };

    judo_ops_cpu_set_threads(threads);
    judo_tensor x = new_2d(ROWS, k), w = new_2d(n, k), bias = new_1d(n);
    judo_tensor all = new_2d(ROWS, n), part = new_2d(ROWS, n);
    judo_tensor dx = new_2d(ROWS, k), part_dx = new_2d(ROWS, k);
    fill(&x, 1, 1.0f);
    fill(&w, 2, 1.0f);
    fill(&bias, 3, 1.0f);
    assert_ok(JUDO_TEST_OPS->linear_forward(&all, &x, &w, &bias));
    assert_ok(JUDO_TEST_OPS->linear_backward(&dx, false, NULL, NULL, &all, NULL, &w));
    const int64_t counts[] = {1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 61, 64, 100, 128, 255, 256};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int64_t first = ROWS - counts[c];
        judo_tensor x_rows = rows_of(&x, first, counts[c]);
        judo_tensor y_rows = rows_of(&part, first, counts[c]);
        judo_tensor dx_rows = rows_of(&part_dx, first, counts[c]);
        judo_tensor expected = rows_of(&all, first, counts[c]);
        judo_tensor expected_dx = rows_of(&dx, first, counts[c]);
        assert_ok(JUDO_TEST_OPS->linear_forward(&y_rows, &x_rows, &w, &bias));
        assert_same_rows(&y_rows, &expected, "y");
        assert_ok(
            JUDO_TEST_OPS->linear_backward(&dx_rows, false, NULL, NULL, &expected, NULL, &w));
        assert_same_rows(&dx_rows, &expected_dx, "dx");
    }
    FREE(&x, &w, &bias, &all, &part, &dx, &part_dx);
}

static void test_rows__do_not_depend_on_their_number(void **state)
{
    (void)state;
    const int64_t shapes[][2] = {{256, 256},  {704, 256},  {256, 704}, {64, 48},  {77, 33},
                                 {1100, 256}, {128, 896},  {896, 128}, {3, 1200}, {2000, 17},
                                 {512, 1088}, {1040, 544}, {1312, 416}};
    int before = judo_ops_cpu_threads();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int threads = 1; threads <= thread_counts(4); threads++) {
            check_rows(shapes[i][0], shapes[i][1], threads);
        }
    }
    judo_ops_cpu_set_threads(before);
}

static void test_threads__do_not_change_forward(void **state)
{
    (void)state;
    const int64_t shapes[][3] = {{1, 256, 256},   {7, 704, 256}, {16, 64, 2048},
                                 {300, 256, 704}, {8, 16, 4096}, {64, 1100, 256}};
    int before = judo_ops_cpu_threads();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        judo_tensor x = new_2d(shapes[i][0], shapes[i][2]);
        judo_tensor w = new_2d(shapes[i][1], shapes[i][2]);
        judo_tensor one = new_2d(shapes[i][0], shapes[i][1]);
        judo_tensor more = new_2d(shapes[i][0], shapes[i][1]);
        fill(&x, 1, 1.0f);
        fill(&w, 2, 1.0f);
        judo_ops_cpu_set_threads(1);
        assert_ok(JUDO_TEST_OPS->linear_forward(&one, &x, &w, NULL));
        for (int threads = 2; threads <= thread_counts(5); threads++) {
            judo_ops_cpu_set_threads(threads);
            assert_ok(JUDO_TEST_OPS->linear_forward(&more, &x, &w, NULL));
            assert_same_bits(&one, &more, "y");
        }
        FREE(&x, &w, &one, &more);
    }
    judo_ops_cpu_set_threads(before);
}

static void test_arguments__wrong_shapes_and_types_are_named(void **state)
{
    (void)state;
    judo_tensor x = new_2d(4, 3), w = new_2d(5, 2), y = new_2d(4, 5);
    assert_int_equal(JUDO_TEST_OPS->linear_forward(&y, &x, &w, NULL), JUDO_ERROR_INTERNAL);
    assert_non_null(strstr(judo_error_message(), "linear_forward: w has shape [5,2]"));
    x.dtype = JUDO_F16;
    assert_int_equal(JUDO_TEST_OPS->linear_forward(&y, &x, &w, NULL), JUDO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(judo_error_message(), "dtype F16"));
    FREE(&x, &w, &y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward__matches_plain_loops),
        cmocka_unit_test(test_backward__matches_plain_loops),
        cmocka_unit_test(test_backward__each_output_may_be_left_out),
        cmocka_unit_test(test_rows__do_not_depend_on_their_number),
        cmocka_unit_test(test_threads__do_not_change_forward),
        cmocka_unit_test(test_arguments__wrong_shapes_and_types_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
