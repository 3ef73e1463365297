/* tests/parallel/test_coverage.c: ranges in any order are told from missing and repeated ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parallel/coverage.h"

static bool add(judo_coverage *coverage, int64_t first, int64_t end)
{
    bool again = true;
    assert_int_equal(judo_coverage_add(coverage, first, end, &again), JUDO_OK);
    return !again;
}

static void test_coverage__grows_in_any_order(void **state)
{
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}};
    (void)state;
    for (int o = 0; o < 4; o++) {
        judo_coverage coverage = {.next = 100};
        for (int i = 0; i < 4; i++) {
            assert_true(coverage.next < 140);
            assert_true(add(&coverage, 100 + 10 * orders[o][i], 110 + 10 * orders[o][i]));
        }
        assert_int_equal(coverage.next, 140);
        assert_null(coverage.ahead);
    }
}

static void test_coverage__stops_at_a_hole(void **state)
{
    judo_coverage coverage = {.next = 0};
    (void)state;
    assert_true(add(&coverage, 0, 5));
    assert_true(add(&coverage, 6, 9));
    assert_int_equal(coverage.next, 5);
    judo_coverage_free(&coverage);
    assert_null(coverage.ahead);
}

static void test_coverage__refuses_what_has_come(void **state)
{
    judo_coverage coverage = {.next = 0};
    (void)state;
    assert_true(add(&coverage, 0, 5));
    assert_true(add(&coverage, 10, 15));
    assert_false(add(&coverage, 4, 6));
    assert_false(add(&coverage, 8, 11));
    assert_false(add(&coverage, 10, 15));
    assert_false(add(&coverage, 12, 13));
    assert_false(add(&coverage, 14, 20));
    assert_false(add(&coverage, 5, 20));
    assert_true(add(&coverage, 5, 10));
    assert_int_equal(coverage.next, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage__grows_in_any_order),
        cmocka_unit_test(test_coverage__stops_at_a_hole),
        cmocka_unit_test(test_coverage__refuses_what_has_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
