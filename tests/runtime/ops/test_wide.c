/* tests/runtime/ops/test_wide.c: norms and SwiGLU on rows as wide as a model's, where a backend
 * may read many elements at once, against plain double loops. */
#include "tests/runtime/ops/support.h"

static const double epsilon = 1e-5;

/* Rows shared by blocks in other ways: few and many, whole packs and one element more. */
static const int64_t sizes[][2] = {{3, 8},     {20, 64},  {9, 1280},  {33, 3584},
                                   {2, 3585},  {3, 6144}, {2, 8200},  {4099, 16},
                                   {17, 2048}, {1, 4096}, {2, 16392}, {70, 260}};

enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

static double rstd_of(const float *x, int64_t n)
{
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++) {
        sum += (double)x[j] * (double)x[j];
    }
    return 1.0 / sqrt(sum / (double)n + epsilon);
}

typedef struct norm_case {
    judo_tensor x, w, y, rstd, dy, dx, before;
} norm_case;

/* One row of y, rstd and dx; what it adds to the gradient of w goes to `dw`. */
static void check_row(const norm_case *c, double *dw, int64_t i, int64_t n)
{
    const float *x = values_of(&c->x) + i * n;
    const float *dy = values_of(&c->dy) + i * n;
    const float *w = values_of(&c->w);
    double scale = rstd_of(x, n);
    double along = 0.0;
    for (int64_t j = 0; j < n; j++) {
        along += (double)w[j] * (double)dy[j] * (double)x[j];
        dw[j] += (double)dy[j] * (double)x[j] * scale;
    }
    along *= scale * scale / (double)n;
    assert_near((double)values_of(&c->rstd)[i], scale, 1e-6, "rstd", i);
    for (int64_t j = 0; j < n; j++) {
        double slope = scale * ((double)w[j] * (double)dy[j] - (double)x[j] * along);
        assert_stored((double)values_of(&c->y)[i * n + j], (double)x[j] * scale * (double)w[j],
                      1e-6, 2, "y", i * n + j);
        assert_stored((double)values_of(&c->dx)[i * n + j],
                      (double)values_of(&c->before)[i * n + j] + slope, 1e-6, 1, "dx",
                      i * n + j);
    }
}

static void check_norm(int64_t m, int64_t n, bool want_dw)
{
    norm_case c = {new_2d(m, n), new_1d(n),    new_2d(m, n),  new_1d(m),
                   new_2d(m, n), new_2d(m, n), {.data = NULL}};
    judo_tensor dw = new_1d(n);
    fill(&c.x, 1, 2.0f);
    fill(&c.w, 2, 1.0f);
    fill(&c.dy, 3, 1.0f);
    fill(&c.dx, 4, 1.0f);
    fill_with(&dw, 2.0f);
    c.before = new_copy(&c.dx);
    assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&c.y, &c.rstd, &c.x, &c.w, (float)epsilon));
    assert_ok(JUDO_TEST_OPS->rmsnorm_backward(&c.dx, want_dw ? &dw : NULL, &c.dy, &c.x, &c.w,
                                              &c.rstd));
    double *sums = calloc((size_t)n, sizeof *sums);
    for (int64_t i = 0; i < m; i++) {
        check_row(&c, sums, i, n);
    }
    for (int64_t j = 0; j < n; j++) {
        assert_near((double)values_of(&dw)[j], 2.0 + (want_dw ? sums[j] : 0.0), 2e-5, "dw", j);
    }
    free(sums);
    FREE(&c.x, &c.w, &c.y, &c.rstd, &c.dy, &c.dx, &c.before, &dw);
}

static void test_rmsnorm__of_wide_rows_matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SIZES; i++) {
        check_norm(sizes[i][0], sizes[i][1], true);
        check_norm(sizes[i][0], sizes[i][1], false);
    }
}

/* The bits of a row do not depend on the others. */
static void test_rmsnorm__gives_a_row_the_same_bits_alone(void **state)
{
    (void)state;

    enum { M = 21, N = 3584 };

    judo_tensor x = new_2d(M, N), w = new_1d(N), y = new_2d(M, N), dy = new_2d(M, N);
    judo_tensor dx = new_2d(M, N), rstd = new_1d(M);
    fill(&x, 1, 2.0f);
    fill(&w, 2, 1.0f);
    fill(&dy, 3, 1.0f);
    assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&y, &rstd, &x, &w, (float)epsilon));
    assert_ok(JUDO_TEST_OPS->rmsnorm_backward(&dx, NULL, &dy, &x, &w, &rstd));
    for (int64_t i = 0; i < M; i += 5) {
        judo_tensor one = rows_of(&x, i, 1), scale = rows_of(&rstd, i, 1);
        judo_tensor slope = rows_of(&dy, i, 1), whole = rows_of(&y, i, 1);
        judo_tensor whole_slope = rows_of(&dx, i, 1), again = new_2d(1, N), back = new_2d(1, N);
        assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&again, NULL, &one, &w, (float)epsilon));
        assert_ok(JUDO_TEST_OPS->rmsnorm_backward(&back, NULL, &slope, &one, &w, &scale));
        assert_same_bits(&again, &whole, "y");
        assert_same_bits(&back, &whole_slope, "dx");
        FREE(&again, &back);
    }
    FREE(&x, &w, &y, &dy, &dx, &rstd);
}

static void test_add_rmsnorm__has_the_bits_of_add_and_rmsnorm(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SIZES; i++) {
        int64_t m = sizes[i][0], n = sizes[i][1];
        judo_tensor sum = new_2d(m, n), x = new_2d(m, n), w = new_1d(n);
        judo_tensor y = new_2d(m, n), rstd = new_1d(m), y2 = new_2d(m, n), rstd2 = new_1d(m);
        fill(&sum, 1, 2.0f);
        fill(&x, 2, 1.0f);
        fill(&w, 3, 1.0f);
        judo_tensor sum2 = new_copy(&sum);
        assert_ok(JUDO_TEST_OPS->add(&sum, &x));
        assert_ok(JUDO_TEST_OPS->rmsnorm_forward(&y, &rstd, &sum, &w, (float)epsilon));
        assert_ok(
            JUDO_TEST_OPS->add_rmsnorm_forward(&y2, &rstd2, &sum2, &x, &w, (float)epsilon));
        assert_same_bits(&sum, &sum2, "sum");
        assert_same_bits(&y, &y2, "y");
        assert_same_bits(&rstd, &rstd2, "rstd");
        FREE(&sum, &x, &w, &y, &rstd, &y2, &rstd2, &sum2);
    }
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static void test_swiglu__of_wide_rows_matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SIZES; i++) {
        int64_t m = sizes[i][0], n = sizes[i][1];
        judo_tensor gate_up = new_2d(m, 2 * n), y = new_2d(m, n), dy = new_2d(m, n);
        judo_tensor slopes = new_2d(m, 2 * n);
        fill(&gate_up, 1, 8.0f);
        fill(&dy, 2, 1.0f);
        assert_ok(JUDO_TEST_OPS->swiglu_forward(&y, &gate_up));
        assert_ok(JUDO_TEST_OPS->swiglu_backward(&slopes, &dy, &gate_up));
        for (int64_t j = 0; j < m * n; j++) {
            int64_t left = j / n * 2 * n + j % n;
            double g = (double)values_of(&gate_up)[left];
            double u = (double)values_of(&gate_up)[left + n];
            double d = (double)values_of(&dy)[j], s = sigmoid(g);
            assert_stored((double)values_of(&y)[j], g * s * u, 1e-6, 1, "y", j);
            assert_stored((double)values_of(&slopes)[left], d * u * (s + g * s * (1.0 - s)),
                          2e-6, 1, "dgate", j);
            assert_stored((double)values_of(&slopes)[left + n], d * g * s, 1e-6, 1, "dup", j);
        }
        FREE(&gate_up, &y, &dy, &slopes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm__of_wide_rows_matches_loops),
        cmocka_unit_test(test_rmsnorm__gives_a_row_the_same_bits_alone),
        cmocka_unit_test(test_add_rmsnorm__has_the_bits_of_add_and_rmsnorm),
        cmocka_unit_test(test_swiglu__of_wide_rows_matches_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
