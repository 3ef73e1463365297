/* tests/runtime/test_median.c: the middle of measurements. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/median.h"

static void test_median__is_the_middle_or_the_mean_of_two(void **state)
{
    (void)state;
    double one[] = {7};
    double odd[] = {5, -1, 3};
    double even[] = {4, 1, 10, 2};
    assert_true(judo_median(one, 1) == 7);
    assert_true(judo_median(odd, 3) == 3);
    assert_true(judo_median(even, 4) == 3);
}

static void test_median__of_what_is_no_number_is_none(void **state)
{
    (void)state;
    double values[] = {1, NAN, 3};
    assert_true(isnan(judo_median(values, 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median__is_the_middle_or_the_mean_of_two),
        cmocka_unit_test(test_median__of_what_is_no_number_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
