/* tests/stages/test_schedule.c: learning-rate factors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stages/schedule.h"

enum { COUNT = 9, WARMUP = 4, TOTAL = 20 };

static const int64_t steps[COUNT] = {0, 1, 3, 4, 5, 9, 12, 19, 20};

static void assert_factors(judo_schedule_kind kind, double minimum,
                           const double expected[COUNT])
{
    for (int i = 0; i < COUNT; i++) {
        double factor = judo_schedule_factor(kind, steps[i], WARMUP, TOTAL, minimum);
        assert_true(fabs(factor - expected[i]) < 1e-15);
    }
}

/* Expected: transformers.get_scheduler with 4 steps of warm-up of 20. */
static void test_schedules__equal_those_of_transformers(void **state)
{
    (void)state;
    const double linear[COUNT] = {0, 0.25, 0.75, 1, 0.9375, 0.6875, 0.5, 0.0625, 0};
    const double cosine[COUNT] = {
        0, 0.25, 0.75, 1, 0.9903926402016152, 0.7777851165098011, 0.5, 0.009607359798384785, 0};
    const double constant[COUNT] = {0, 0.25, 0.75, 1, 1, 1, 1, 1, 1};
    assert_factors(JUDO_SCHEDULE_LINEAR, 0, linear);
    assert_factors(JUDO_SCHEDULE_COSINE, 0, cosine);
    assert_factors(JUDO_SCHEDULE_CONSTANT, 0, constant);
}

/* Expected: transformers' cosine_with_min_lr, min_lr_rate 0.1. */
static void test_cosine__falls_to_its_minimum(void **state)
{
    (void)state;
    const double cosine[COUNT] = {
        0,  0.25, 0.75, 1, 0.9913533761814537, 0.800006604858821, 0.55, 0.10864662381854631,
        0.1};
    assert_factors(JUDO_SCHEDULE_COSINE, 0.1, cosine);
}

static void test_factor__stays_at_the_minimum_behind_the_end(void **state)
{
    (void)state;
    for (int kind = JUDO_SCHEDULE_LINEAR; kind <= JUDO_SCHEDULE_COSINE; kind++) {
        double factor = judo_schedule_factor((judo_schedule_kind)kind, 35, WARMUP, TOTAL, 0.25);
        assert_true(fabs(factor - 0.25) < 1e-15);
    }
}

static void test_warmup__may_be_absent_or_fill_the_run(void **state)
{
    (void)state;
    assert_true(judo_schedule_factor(JUDO_SCHEDULE_LINEAR, 0, 0, 10, 0) == 1.0);
    assert_true(judo_schedule_factor(JUDO_SCHEDULE_LINEAR, 9, 10, 10, 0) == 0.9);
    assert_true(judo_schedule_factor(JUDO_SCHEDULE_COSINE, 10, 10, 10, 0) == 1.0);
    assert_true(judo_schedule_factor(JUDO_SCHEDULE_LINEAR, 0, 0, 1, 0) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules__equal_those_of_transformers),
        cmocka_unit_test(test_cosine__falls_to_its_minimum),
        cmocka_unit_test(test_factor__stays_at_the_minimum_behind_the_end),
        cmocka_unit_test(test_warmup__may_be_absent_or_fill_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
