/* tests/runtime/ops/test_packed.c: a packed matrix gives the bits of a plain one. */
#include "tests/runtime/ops/support.h"

/* Values of either dtype. */
static judo_tensor random_2d(int64_t rows, int64_t columns, judo_dtype dtype, uint32_t seed)
{
    judo_tensor values = new_2d(rows, columns);
    judo_tensor out = values;
    fill(&values, seed, 1.0f);
    if (dtype == JUDO_BF16) {
        out = new_2d(rows, columns);
        out.dtype = JUDO_BF16;
        judo_convert_from_f32(out.data, JUDO_BF16, values.data, rows * columns);
        FREE(&values);
    }
    return out;
}

static void check_shape(int64_t n, int64_t k, judo_dtype dtype, judo_dtype y_dtype,
                        bool with_bias)
{
    const judo_ops *ops = JUDO_TEST_OPS;
    judo_tensor w = random_2d(n, k, dtype, 1);
    judo_tensor bias = random_2d(1, n, dtype, 2);
    judo_tensor bias_row = judo_tensor_1d(bias.data, dtype, n);
    int64_t bytes = ops->linear_packed_bytes(&w);
    void *packed = calloc((size_t)bytes + 64, 1);
    assert_non_null(packed);
    if (bytes > 0) {
        assert_ok(ops->linear_pack(packed, &w));
    }
    judo_tensor packed_w = w;
    packed_w.packed = bytes > 0 ? packed : NULL;
    /* The first product of a shape may be done both ways. */
    static const int64_t rows[] = {3, 1, 2, 5, 6, 7, 16, 33, 127, 128, 129, 200};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        judo_tensor x = random_2d(rows[i], k, dtype, 3 + (uint32_t)i);
        judo_tensor plain = new_2d(rows[i], n);
        judo_tensor fast = new_2d(rows[i], n);
        plain.dtype = fast.dtype = y_dtype;
        judo_tensor *b = with_bias ? &bias_row : NULL;
        assert_ok(ops->linear_forward(&plain, &x, &w, b));
        assert_ok(ops->linear_forward(&fast, &x, &packed_w, b));
        assert_memory_equal(plain.data, fast.data,
                            (size_t)(rows[i] * n * judo_dtype_bytes(y_dtype)));
        FREE(&x, &plain, &fast);
    }
    free(packed);
    FREE(&w, &bias);
}

static void test_packed__matrices_give_the_bits_of_plain_ones(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{16, 16},   {64, 64},    {65, 100},  {77, 64},
                                        {256, 704}, {1100, 256}, {40, 1536}, {128, 2048}};
    int before = judo_ops_cpu_threads();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        judo_ops_cpu_set_threads(1 + (int)i % 3);
        check_shape(shapes[i][0], shapes[i][1], JUDO_F32, JUDO_F32, false);
        check_shape(shapes[i][0], shapes[i][1], JUDO_F32, JUDO_F32, true);
        check_shape(shapes[i][0], shapes[i][1], JUDO_BF16, JUDO_BF16, true);
        check_shape(shapes[i][0], shapes[i][1], JUDO_BF16, JUDO_F32, false);
    }
    judo_ops_cpu_set_threads(before);
}

static void test_packed__odd_bf16_rows_are_left_alone(void **state)
{
    (void)state;
    judo_tensor w = random_2d(64, 33, JUDO_BF16, 1);
    uint8_t room[64];
    assert_int_equal(JUDO_TEST_OPS->linear_packed_bytes(&w), 0);
    assert_int_equal(JUDO_TEST_OPS->linear_pack(room, &w), JUDO_ERROR_UNSUPPORTED);
    FREE(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed__matrices_give_the_bits_of_plain_ones),
        cmocka_unit_test(test_packed__odd_bf16_rows_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
