/* tests/stages/test_advantage.c: group-relative advantages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stages/advantage.h"

static void assert_near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-6);
}

static void test_group__unbiased_deviation_and_epsilon(void **state)
{
    (void)state;
    const double rewards[] = {1, 2, 3, 4, /* */ 0, 0, 0, 3};
    float a[8];
    judo_advantage_stats stats;
    assert_int_equal(
        judo_group_advantages(rewards, 2, 4, JUDO_ADVANTAGE_GROUP, 1e-4, NAN, a, &stats),
        JUDO_OK);
    double deviation = sqrt(5.0 / 3.0);
    assert_near(a[0], -1.5 / (deviation + 1e-4));
    assert_near(a[3], 1.5 / (deviation + 1e-4));
    assert_near(a[7], 2.25 / (1.5 + 1e-4));
    assert_int_equal(stats.num_valid, 8);
    assert_int_equal(stats.num_zero_deviation, 0);
    assert_near(stats.reward_sum, 13);
    assert_near(stats.group_deviation_sum, deviation + 1.5);
}

static void test_equal_rewards__give_exactly_zero(void **state)
{
    (void)state;
    const double rewards[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    float a[6];
    judo_advantage_stats stats;
    for (int scale = JUDO_ADVANTAGE_GROUP; scale <= JUDO_ADVANTAGE_NONE; scale++) {
        assert_int_equal(judo_group_advantages(rewards, 2, 3, (judo_advantage_scale)scale, 1e-4,
                                               NAN, a, &stats),
                         JUDO_OK);
        for (int i = 0; i < 6; i++) {
            assert_true(a[i] == 0.0f);
        }
        assert_int_equal(stats.num_zero_deviation, 2);
    }
}

static void test_nan_rewards__are_left_out_and_get_zero(void **state)
{
    (void)state;
    const double rewards[] = {1, NAN, 3, /* */ NAN, NAN, 5, /* */ NAN, NAN, NAN};
    float a[9];
    judo_advantage_stats stats;
    assert_int_equal(
        judo_group_advantages(rewards, 3, 3, JUDO_ADVANTAGE_GROUP, 1e-4, NAN, a, &stats),
        JUDO_OK);
    assert_near(a[0], -1.0 / (sqrt(2.0) + 1e-4));
    assert_near(a[2], 1.0 / (sqrt(2.0) + 1e-4));
    assert_true(a[1] == 0 && a[3] == 0 && a[4] == 0 && a[5] == 0 && a[6] == 0 && a[8] == 0);
    assert_int_equal(stats.num_valid, 3);
    assert_int_equal(stats.num_zero_deviation, 2);
    assert_int_equal(stats.num_deviations, 1);
}

static void test_batch_and_none__scale_by_the_batch_or_not_at_all(void **state)
{
    (void)state;
    const double rewards[] = {0, 2, /* */ 10, 14};
    float a[4];
    assert_int_equal(
        judo_group_advantages(rewards, 2, 2, JUDO_ADVANTAGE_BATCH, 0, NAN, a, NULL), JUDO_OK);
    double deviation = sqrt((6.5 * 6.5 + 4.5 * 4.5 + 3.5 * 3.5 + 7.5 * 7.5) / 3.0);
    assert_near(a[3], 2.0 / deviation);
    assert_int_equal(
        judo_group_advantages(rewards, 2, 2, JUDO_ADVANTAGE_BATCH, 0, 4.0, a, NULL), JUDO_OK);
    assert_near(a[3], 0.5);
    assert_int_equal(judo_group_advantages(rewards, 2, 2, JUDO_ADVANTAGE_NONE, 0, NAN, a, NULL),
                     JUDO_OK);
    assert_near(a[0], -1);
    assert_near(a[3], 2);
}

static void test_infinite_reward__is_refused(void **state)
{
    (void)state;
    const double rewards[] = {0, INFINITY};
    float a[2];
    assert_int_equal(
        judo_group_advantages(rewards, 1, 2, JUDO_ADVANTAGE_GROUP, 1e-4, NAN, a, NULL),
        JUDO_ERROR_NUMERIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group__unbiased_deviation_and_epsilon),
        cmocka_unit_test(test_equal_rewards__give_exactly_zero),
        cmocka_unit_test(test_nan_rewards__are_left_out_and_get_zero),
        cmocka_unit_test(test_batch_and_none__scale_by_the_batch_or_not_at_all),
        cmocka_unit_test(test_infinite_reward__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
