/* tests/parallel/test_shard.c: every element has exactly one owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "parallel/shard.h"

static judo_param_layout three_units(judo_unit *units, judo_param *params)
{
    static const int64_t counts[] = {1, 50, 7, 129, 3};
    static const int unit_of[] = {0, 1, 1, 1, 2};
    memset(units, 0, 3 * sizeof *units);
    memset(params, 0, 5 * sizeof *params);
    for (int p = 0; p < 5; p++) {
        judo_unit *unit = &units[unit_of[p]];
        unit->first_param = unit->num_params ? unit->first_param : p;
        params[p].count = counts[p];
        params[p].offset = unit->count;
        unit->count += counts[p];
        unit->num_params++;
    }
    units[2].frozen = params[4].frozen = true;
    params[2].frozen = true;
    return (judo_param_layout){
        .num_units = 3, .units = units, .num_params = 5, .params = params};
}

static void test_shard__gives_each_element_one_owner(void **state)
{
    judo_unit units[3];
    judo_param params[5];
    judo_param_layout layout = three_units(units, params);
    (void)state;
    for (int size = 1; size <= 9; size++) {
        int64_t next[5] = {0};
        for (int rank = 0; rank < size; rank++) {
            judo_shard_map map;
            assert_int_equal(judo_shard_map_create(&map, &layout, rank, size), JUDO_OK);
            for (int p = 0; p < 5; p++) {
                judo_shard_range range = judo_shard_range_of(&map, p);
                if (range.count == 0) {
                    continue;
                }
                int unit = map.unit_of_param[p];
                assert_int_equal(range.first, next[p]);
                next[p] += range.count;
                assert_int_equal(range.position - map.position[unit] + rank * map.slice[unit],
                                 params[p].offset + range.first);
                assert_true(range.position + range.count <= map.total);
                assert_int_equal(range.trainable_position >= 0, !params[p].frozen);
                assert_true(range.trainable_position + range.count <= map.trainable_total);
            }
            judo_shard_map_destroy(&map);
        }
        for (int p = 0; p < 5; p++) {
            assert_int_equal(next[p], params[p].count);
        }
    }
}

static void test_shard__slices_are_equal_and_aligned(void **state)
{
    (void)state;
    assert_int_equal(judo_shard_slice(0, 4), 0);
    assert_int_equal(judo_shard_slice(1, 4), 32);
    assert_int_equal(judo_shard_slice(128, 4), 32);
    assert_int_equal(judo_shard_slice(129, 4), 64);
    assert_int_equal(judo_shard_slice((int64_t)1 << 40, 1), (int64_t)1 << 40);
}

static void test_shard__refuses_a_layout_with_holes(void **state)
{
    judo_unit units[3];
    judo_param params[5];
    judo_param_layout layout = three_units(units, params);
    judo_shard_map map;
    (void)state;
    params[2].offset++;
    assert_int_equal(judo_shard_map_create(&map, &layout, 0, 2), JUDO_ERROR_ARGUMENT);
    params[2].offset--;
    units[1].count++;
    assert_int_equal(judo_shard_map_create(&map, &layout, 0, 2), JUDO_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard__gives_each_element_one_owner),
        cmocka_unit_test(test_shard__slices_are_equal_and_aligned),
        cmocka_unit_test(test_shard__refuses_a_layout_with_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
