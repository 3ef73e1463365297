/* tests/runtime/ops/test_vector_math.c: functions over the whole range of floats. */
#include "tests/runtime/ops/support.h"

#include "runtime/ops/vector_math.h"

/* Distance from the true value in units of the last place of the nearest float. */
static double ulps_off(float got, double expected)
{
    float nearest = (float)expected;
    float next = nextafterf(nearest, INFINITY);
    double ulp = isinf(next) ? 0x1p104 : (double)next - (double)nearest;
    return fabs((double)got - expected) / ulp;
}

/* Every 1021st bit pattern: four million floats of both signs. */
static void test_exp__stays_within_two_units_in_the_last_place(void **state)
{
    (void)state;
    double worst = 0.0;
    float worst_x = 0.0f;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 1021) {
        uint32_t word = (uint32_t)bits;
        float x;
        memcpy(&x, &word, sizeof x);
        float got = judo_exp(x);
        if (isnan(x)) {
            assert_true(isnan(got));
        } else if (x > 88.7228394f) {
            assert_true(isinf(got));
        } else {
            double off = ulps_off(got, exp((double)x));
            worst_x = off > worst ? x : worst_x;
            worst = off > worst ? off : worst;
        }
    }
    if (worst > 2.0) {
        fail_msg("exp(%.9g) is off by %.3f units", (double)worst_x, worst);
    }
    print_message("worst error %.3f units at %.9g\n", worst, (double)worst_x);
}

static void test_erf__stays_within_two_units_in_the_last_place(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 1021) {
        uint32_t word = (uint32_t)bits;
        float x;
        memcpy(&x, &word, sizeof x);
        float got = judo_vector_erf(judo_vector_all(x))[0];
        if (isnan(x)) {
            assert_true(isnan(got));
        } else if (fabs(erf((double)x)) > 0x1p-126 && ulps_off(got, erf((double)x)) > 2.0) {
            fail_msg("erf(%.9g) is %.9g", (double)x, (double)got);
        }
    }
}

static void test_exp__ends_of_the_range(void **state)
{
    (void)state;
    assert_true(judo_exp(0.0f) == 1.0f);
    assert_true(judo_exp(-0.0f) == 1.0f);
    assert_true(judo_exp(-INFINITY) == 0.0f);
    assert_true(judo_exp(-1000.0f) == 0.0f);
    assert_true(isinf(judo_exp(INFINITY)));
    assert_true(isfinite(judo_exp(88.7228317f)));
    assert_true(judo_exp(-103.0f) > 0.0f); /* subnormal */
}

static void test_sum__folds_all_lanes(void **state)
{
    (void)state;
    float x[JUDO_LANES];
    for (int i = 0; i < JUDO_LANES; i++) {
        x[i] = (float)(1 << i);
    }
    assert_true(judo_vector_sum(judo_vector_load(x, JUDO_LANES)) == 65535.0f);
    assert_true(judo_vector_sum(judo_vector_load(x, 3)) == 7.0f);
    assert_true(judo_vector_sum(judo_vector_load(x, 0)) == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp__stays_within_two_units_in_the_last_place),
        cmocka_unit_test(test_erf__stays_within_two_units_in_the_last_place),
        cmocka_unit_test(test_exp__ends_of_the_range),
        cmocka_unit_test(test_sum__folds_all_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
