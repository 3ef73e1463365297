/* tests/data/test_sampler.c: orders are permutations and depend on nothing but seed and epoch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "data/sampler.h"

enum { COUNT = 101 };

static judo_sampler *make(uint64_t seed)
{
    judo_sampler *sampler = NULL;
    assert_int_equal(judo_sampler_create(seed, COUNT, true, &sampler), JUDO_OK);
    return sampler;
}

static int64_t at(judo_sampler *sampler, int64_t cursor)
{
    int64_t index = -1;
    assert_int_equal(judo_sampler_index(sampler, cursor, &index), JUDO_OK);
    return index;
}

static void test_epoch__visits_every_sample_once_in_an_order_of_its_own(void **state)
{
    (void)state;
    judo_sampler *sampler = make(42);
    int moved = 0;
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int seen[COUNT] = {0};
        for (int64_t i = 0; i < COUNT; i++) {
            int64_t index = at(sampler, epoch * COUNT + i);
            assert_true(index >= 0 && index < COUNT);
            seen[index]++;
            moved += epoch > 0 && index != at(sampler, i);
        }
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(seen[i], 1);
        }
    }
    assert_true(moved > COUNT);
    judo_sampler_destroy(&sampler);
}

static void test_cursor__gives_the_same_sample_from_any_starting_point(void **state)
{
    (void)state;
    judo_sampler *walked = make(7);
    judo_sampler *jumped = make(7);
    judo_sampler *other = make(8);
    int different = 0;
    for (int64_t cursor = 0; cursor < 3 * COUNT; cursor++) {
        (void)at(walked, cursor);
    }
    for (int64_t cursor = 3 * COUNT; cursor < 4 * COUNT; cursor++) {
        assert_int_equal(at(walked, cursor), at(jumped, cursor));
        different += at(walked, cursor) != at(other, cursor);
    }
    assert_true(different > COUNT / 2);
    judo_sampler_destroy(&walked);
    judo_sampler_destroy(&jumped);
    judo_sampler_destroy(&other);
}

static void test_order__is_plain_without_shuffling_and_limits_are_checked(void **state)
{
    (void)state;
    judo_sampler *sampler = NULL;
    assert_int_equal(judo_sampler_create(1, 0, true, &sampler), JUDO_ERROR_ARGUMENT);
    assert_null(sampler);
    assert_int_equal(judo_sampler_create(1, 3, false, &sampler), JUDO_OK);
    for (int64_t cursor = 0; cursor < 9; cursor++) {
        assert_int_equal(at(sampler, cursor), cursor % 3);
    }
    int64_t index = 77;
    assert_int_equal(judo_sampler_index(sampler, -1, &index), JUDO_ERROR_ARGUMENT);
    assert_int_equal(index, 77);
    judo_sampler_destroy(&sampler);
    assert_int_equal(judo_sampler_create(1, 1, true, &sampler), JUDO_OK);
    assert_int_equal(at(sampler, 5), 0);
    judo_sampler_destroy(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epoch__visits_every_sample_once_in_an_order_of_its_own),
        cmocka_unit_test(test_cursor__gives_the_same_sample_from_any_starting_point),
        cmocka_unit_test(test_order__is_plain_without_shuffling_and_limits_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
