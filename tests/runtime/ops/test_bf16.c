/* tests/runtime/ops/test_bf16.c: where dtypes meet. What bf16 and fp32 have in common is tested
 * by the other files, built for both. */
#include "tests/runtime/ops/support.h"

static judo_tensor new_rounded(const judo_tensor *t)
{
    judo_tensor rounded = *t;
    rounded.dtype = JUDO_BF16;
    rounded.data = malloc((size_t)judo_tensor_count(t) * sizeof(uint16_t) + 1);
    judo_convert_from_f32(rounded.data, JUDO_BF16, t->data, judo_tensor_count(t));
    return rounded;
}

/* x[m,k] and w[n,k] of bf16 numbers in both dtypes, and an fp32 y. */
typedef struct layer {
    judo_tensor x, w, y, x16, w16, y16;
} layer;

static layer new_layer(int64_t m, int64_t n, int64_t k)
{
    layer l = {.x = new_2d(m, k), .w = new_2d(n, k), .y = new_2d(m, n)};
    fill(&l.x, 1, 1.0f);
    fill(&l.w, 2, 1.0f);
    l.x16 = new_rounded(&l.x);
    l.w16 = new_rounded(&l.w);
    l.y16 = new_rounded(&l.y);
    judo_convert_to_f32(l.x.data, l.x16.data, JUDO_BF16, m * k);
    judo_convert_to_f32(l.w.data, l.w16.data, JUDO_BF16, n * k);
    return l;
}

static void free_layer(layer *l)
{
    FREE(&l->x, &l->w, &l->y, &l->x16, &l->w16, &l->y16);
}

static void test_linear__fp32_logits_of_bf16_are_not_rounded(void **state)
{
    (void)state;
    const int64_t sizes[][3] = {{1, 701, 64}, {5, 33, 129}, {70, 40, 31}, {0, 5, 3}, {3, 5, 0}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        layer l = new_layer(sizes[s][0], sizes[s][1], sizes[s][2]);
        int64_t n = sizes[s][1], k = sizes[s][2];
        assert_ok(JUDO_TEST_OPS->linear_forward(&l.y, &l.x16, &l.w16, NULL));
        assert_ok(JUDO_TEST_OPS->linear_forward(&l.y16, &l.x16, &l.w16, NULL));
        for (int64_t i = 0; i < judo_tensor_count(&l.y); i++) {
            double sum = 0.0;
            for (int64_t p = 0; p < k; p++) {
                sum += (double)values_of(&l.x)[i / n * k + p] *
                       (double)values_of(&l.w)[i % n * k + p];
            }
            assert_near((double)values_of(&l.y)[i], sum, 1e-5, "y", i);
            /* A GPU's library may take the sums of the two in another order. */
            uint16_t rounded = judo_f32_to_bf16(values_of(&l.y)[i]);
            assert_true(!ON_CPU || ((uint16_t *)l.y16.data)[i] == rounded);
        }
        free_layer(&l);
    }
}

static void test_linear__fp32_logits_of_a_row_do_not_depend_on_other_rows(void **state)
{
    (void)state;

    enum { ROWS = 140 };

    layer l = new_layer(ROWS, 1100, 256);
    judo_tensor part = new_2d(ROWS, 1100);
    assert_ok(JUDO_TEST_OPS->linear_forward(&l.y, &l.x16, &l.w16, NULL));
    for (int64_t count = 1; count < ROWS; count += 9) {
        judo_tensor x = l.x16, y = rows_of(&part, ROWS - count, count);
        judo_tensor expected = rows_of(&l.y, ROWS - count, count);
        x.data = (uint16_t *)l.x16.data + (ROWS - count) * 256;
        x.dims[0] = count;
        assert_ok(JUDO_TEST_OPS->linear_forward(&y, &x, &l.w16, NULL));
        assert_same_bits(&y, &expected, "logits");
    }
    FREE(&part);
    free_layer(&l);
}

static void test_dtypes__mixtures_without_meaning_are_refused(void **state)
{
    (void)state;
    layer l = new_layer(4, 4, 4);
    const judo_ops *ops = JUDO_TEST_OPS;
    judo_tensor bias = new_1d(4);
    const int32_t index[4] = {0, 1, 2, 3};
    const judo_draw_row rows[4] = {{.place = 0}, {.place = 1}, {.place = 2}, {.place = 3}};
    judo_draw draws[4] = {{0}};
    const judo_draw_memory memory = {.draws = draws, .num_draws = 4};
    judo_sampling greedy = {.top_p = 1.0f, .repetition_penalty = 1.0f};
    judo_status got[] = {
        ops->linear_forward(&l.y, &l.x16, &l.w, NULL),
        ops->linear_forward(&l.y, &l.x, &l.w16, NULL),
        ops->linear_forward(&l.y16, &l.x, &l.w, NULL),
        ops->linear_forward(&l.y16, &l.x16, &l.w16, &bias),
        ops->linear_backward(NULL, false, &l.w16, NULL, &l.y16, &l.x16, NULL),
        ops->linear_backward(&l.x, false, NULL, NULL, &l.y16, NULL, &l.w16),
        ops->add(&l.y, &l.x16),
        ops->swiglu_forward(&l.y16, &l.x),
        ops->gelu_forward(&l.y, &l.x16),
        ops->gather_rows(&l.y, &l.x16, index, 4),
        ops->scatter_rows(&l.y16, &l.x, index, 4),
        ops->scatter_add_rows(&l.y16, &l.x16, index, 4),
        ops->sample(&memory, &l.y16, rows, &greedy, 1.0f),
        ops->gather_drawn_rows(&l.y, &l.x16, draws, 4, index, 4),
    };
    for (size_t i = 0; i < sizeof got / sizeof *got; i++) {
        if (got[i] != JUDO_ERROR_UNSUPPORTED) {
            fail_msg("case %zu: %s", i, judo_status_name(got[i]));
        }
    }
    FREE(&bias);
    free_layer(&l);
}

static void test_gradients__of_an_embedding_are_fp32_sums(void **state)
{
    (void)state;
    layer l = new_layer(300, 3, 5);
    judo_tensor sum = new_2d(2, 5);
    int32_t index[300];
    for (int i = 0; i < 300; i++) {
        index[i] = i % 2;
    }
    assert_ok(JUDO_TEST_OPS->scatter_add_rows(&sum, &l.x16, index, 300));
    for (int j = 0; j < 10; j++) {
        float expected = 0.0f;
        for (int i = j / 5; i < 300; i += 2) {
            expected += values_of(&l.x)[i * 5 + j % 5];
        }
        assert_true(values_of(&sum)[j] == expected);
    }
    FREE(&sum);
    free_layer(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear__fp32_logits_of_bf16_are_not_rounded),
        cmocka_unit_test(test_linear__fp32_logits_of_a_row_do_not_depend_on_other_rows),
        cmocka_unit_test(test_dtypes__mixtures_without_meaning_are_refused),
        cmocka_unit_test(test_gradients__of_an_embedding_are_fp32_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
