/* tests/runtime/ops/test_product_rows.c: which numbers of rows share a product's algorithm. */
#include "tests/runtime/ops/support.h"

#include "runtime/ops/cuda/product_rows.h"

static void test_rows__are_rounded_up_to_powers_of_two(void **state)
{
    (void)state;
    const int64_t wanted[][2] = {{1, 16},      {16, 16},     {17, 32},       {32, 32},
                                 {33, 64},     {256, 256},   {257, 512},     {2049, 4096},
                                 {4096, 4096}, {4097, 4096}, {1 << 30, 4096}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        judo_product_rows got = judo_product_rows_of(wanted[i][0], false);
        assert_int_equal(got.rows, wanted[i][1]);
        assert_int_equal(got.split, wanted[i][1] <= 256);
    }
}

static void test_rows__that_must_not_matter_do_not(void **state)
{
    (void)state;
    for (int64_t rows = 1; rows < 10000; rows = rows * 3 + 1) {
        judo_product_rows got = judo_product_rows_of(rows, true);
        assert_int_equal(got.rows, 4096);
        assert_false(got.split);
    }
}

static void test_mode__has_one_name(void **state)
{
    (void)state;
    bool invariant = true;
    assert_ok(judo_product_rows_mode(NULL, &invariant));
    assert_false(invariant);
    assert_ok(judo_product_rows_mode("invariant", &invariant));
    assert_true(invariant);
    assert_ok(judo_product_rows_mode("", &invariant));
    assert_false(invariant);
    assert_int_equal(judo_product_rows_mode("Invariant", &invariant), JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "JUDO_CUDA_ROWS is \"Invariant\""));
    assert_false(invariant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows__are_rounded_up_to_powers_of_two),
        cmocka_unit_test(test_rows__that_must_not_matter_do_not),
        cmocka_unit_test(test_mode__has_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
