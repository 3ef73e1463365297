/* tests/runtime/test_params.c: parameters in one process, in both types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/params.h"

enum { COUNT = 9001 }; /* odd, and several blocks of a conversion */

static judo_param params[3] = {
    {.name = "a", .num_dims = 1, .dims = {COUNT}, .count = COUNT},
    {.name = "b", .num_dims = 1, .dims = {3}, .count = 3, .offset = COUNT},
    {.name = "c", .num_dims = 2, .dims = {1, 5}, .count = 5},
};
static judo_unit units[2] = {
    {.name = "first", .first_param = 0, .num_params = 2, .count = COUNT + 3},
    {.name = "second", .first_param = 2, .num_params = 1, .count = 5},
};
static const judo_param_layout layout = {
    .num_units = 2, .units = units, .num_params = 3, .params = params};

static float value_of(const judo_param *param, int64_t i)
{
    return (float)(param->name[0] - 'a' + 1) + (float)i / 7.0f;
}

static judo_status read_values(void *context, const judo_param *param, int64_t first,
                               int64_t count, float *out)
{
    int *calls = context;
    for (int64_t i = 0; i < count; i++) {
        out[i] = value_of(param, first + i);
    }
    *calls += 1;
    return JUDO_OK;
}

static void check_loaded(judo_dtype dtype)
{
    int calls = 0;
    judo_weight_source source = {.context = &calls, .read = read_values};
    judo_local_params *local = NULL;
    assert_int_equal(judo_local_params_create(&layout, judo_device_cpu(), dtype, true, &local),
                     JUDO_OK);
    assert_int_equal(judo_local_params_load(local, &source), JUDO_OK);
    judo_params *base = judo_local_params_base(local);
    assert_int_equal(base->compute_dtype, dtype);
    for (int u = 0; u < 2; u++) {
        judo_tensor weights;
        judo_tensor gradient;
        assert_int_equal(base->ops->acquire(base, u, -1, &weights), JUDO_OK);
        assert_int_equal(base->ops->gradient_begin(base, u, &gradient), JUDO_OK);
        assert_int_equal(weights.dtype, dtype);
        assert_int_equal(gradient.dtype, JUDO_F32);
        assert_int_equal(weights.dims[0], units[u].count);
        assert_ptr_equal(judo_local_params_weights(local, u),
                         dtype == JUDO_F32 ? weights.data : NULL);
        for (int p = units[u].first_param; p < units[u].first_param + units[u].num_params;
             p++) {
            judo_tensor view = judo_param_view(&params[p], &weights);
            for (int64_t i = 0; i < params[p].count; i++) {
                float expected = value_of(&params[p], i);
                float found = dtype == JUDO_F32 ? ((float *)view.data)[i]
                                                : judo_bf16_to_f32(((uint16_t *)view.data)[i]);
                expected =
                    dtype == JUDO_F32 ? expected : judo_bf16_to_f32(judo_f32_to_bf16(expected));
                assert_true(found == expected);
            }
        }
        assert_int_equal(base->ops->release(base, u), JUDO_OK);
    }
    judo_local_params_destroy(&local);
    assert_null(local);
}

static void test_params__hold_weights_in_fp32_or_rounded_to_bf16(void **state)
{
    (void)state;
    check_loaded(JUDO_F32);
    check_loaded(JUDO_BF16);
}

static void test_params__say_what_they_take(void **state)
{
    /* Whole cache lines: 9004 elements and 5. */
    const int64_t wide = 36032 + 64;
    const int64_t narrow = 18048 + 64;
    (void)state;
    assert_int_equal(judo_local_params_bytes(&layout, JUDO_F32, false), wide);
    assert_int_equal(judo_local_params_bytes(&layout, JUDO_BF16, false), narrow);
    assert_int_equal(judo_local_params_bytes(&layout, JUDO_BF16, true), narrow + wide);
}

static void test_params__refuse_other_types(void **state)
{
    judo_local_params *local = NULL;
    (void)state;
    assert_int_equal(
        judo_local_params_create(&layout, judo_device_cpu(), JUDO_F16, false, &local),
        JUDO_ERROR_UNSUPPORTED);
    assert_null(local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params__hold_weights_in_fp32_or_rounded_to_bf16),
        cmocka_unit_test(test_params__say_what_they_take),
        cmocka_unit_test(test_params__refuse_other_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
