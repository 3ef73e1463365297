/* tests/runtime/test_tensor.c: floating-point formats and tensor views. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/tensor.h"

static void test_f16__every_value_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000u; bits++) {
        float value = judo_f16_to_f32((uint16_t)bits);
        if (isnan(value)) {
            assert_true(isnan(judo_f16_to_f32(judo_f32_to_f16(value))));
        } else {
            assert_int_equal(judo_f32_to_f16(value), bits);
        }
    }
}

static void test_bf16__rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(judo_f32_to_bf16(1.0f + 0x1p-8f), 0x3f80); /* tie, down to even */
    assert_int_equal(judo_f32_to_bf16(1.0f + 0x3p-8f), 0x3f82); /* tie, up to even */
    assert_int_equal(judo_f32_to_bf16(1.0f + 0x1.02p-8f), 0x3f81);
    assert_true(isnan(judo_bf16_to_f32(judo_f32_to_bf16(NAN))));
    assert_true(isinf(judo_bf16_to_f32(judo_f32_to_bf16(INFINITY))));
}

static void test_f16__rounds_ties_to_even_and_overflows_to_infinity(void **state)
{
    (void)state;
    assert_int_equal(judo_f32_to_f16(1.0f + 0x1p-11f), 0x3c00);
    assert_int_equal(judo_f32_to_f16(1.0f + 0x3p-11f), 0x3c02);
    assert_int_equal(judo_f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(judo_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(judo_f32_to_f16(-0x1p-25f), 0x8000);
    assert_int_equal(judo_f32_to_f16(0x1.8p-25f), 0x0001);
}

static void test_dims__overflow_is_refused(void **state)
{
    (void)state;
    int64_t count = -1;
    int64_t dims[] = {INT64_C(1) << 40, INT64_C(1) << 40};
    assert_int_equal(judo_dims_count(dims, 2, &count), JUDO_ERROR_FORMAT);
    assert_int_equal(count, -1);
    dims[1] = 3;
    assert_int_equal(judo_dims_count(dims, 2, &count), JUDO_OK);
    assert_int_equal(count, INT64_C(3) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f16__every_value_survives_a_round_trip),
        cmocka_unit_test(test_bf16__rounds_to_nearest_even),
        cmocka_unit_test(test_f16__rounds_ties_to_even_and_overflows_to_infinity),
        cmocka_unit_test(test_dims__overflow_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
