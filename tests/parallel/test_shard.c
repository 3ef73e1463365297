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

/* Ranks in the order of what they own: members of the groups, and of those the groups. */
static void check_owners(const judo_param_layout *layout, int size, int num_replicas)
{
    int64_t next[5] = {0};
    for (int i = 0; i < size * num_replicas; i++) {
        judo_shard_map map;
        assert_int_equal(judo_shard_map_create(&map, layout, i / num_replicas, size,
                                               i % num_replicas, num_replicas),
                         JUDO_OK);
        for (int p = 0; p < 5; p++) {
            judo_shard_range owned = judo_shard_owned(&map, p);
            judo_shard_range stored = judo_shard_stored(&map, p);
            assert_int_equal(owned.frozen, layout->params[p].frozen);
            assert_true(stored.at + stored.count <= map.slice[stored.unit]);
            if (owned.count == 0) {
                continue;
            }
            assert_int_equal(owned.first, next[p]);
            next[p] += owned.count;
            assert_int_equal(owned.at + map.rank * map.slice[owned.unit],
                             layout->params[p].offset + owned.first);
            assert_true(owned.first >= stored.first &&
                        owned.first + owned.count <= stored.first + stored.count);
            assert_int_equal(owned.at - stored.at, owned.first - stored.first);
        }
        judo_shard_map_destroy(&map);
    }
    for (int p = 0; p < 5; p++) {
        assert_int_equal(next[p], layout->params[p].count);
    }
}

static void test_shard__gives_each_element_one_owner(void **state)
{
    judo_unit units[3];
    judo_param params[5];
    judo_param_layout layout = three_units(units, params);
    (void)state;
    for (int size = 1; size <= 9; size++) {
        for (int num_replicas = 1; num_replicas <= 3; num_replicas++) {
            check_owners(&layout, size, num_replicas);
        }
    }
}

static void test_shard__slices_are_equal_and_aligned(void **state)
{
    (void)state;
    assert_int_equal(judo_shard_slice(0, 4, 1), 0);
    assert_int_equal(judo_shard_slice(1, 4, 1), 32);
    assert_int_equal(judo_shard_slice(128, 4, 1), 32);
    assert_int_equal(judo_shard_slice(129, 4, 1), 64);
    assert_int_equal(judo_shard_slice(1, 2, 3), 96);
    assert_int_equal(judo_shard_slice((int64_t)1 << 40, 1, 1), (int64_t)1 << 40);
}

static void test_shard__refuses_a_layout_with_holes(void **state)
{
    judo_unit units[3];
    judo_param params[5];
    judo_param_layout layout = three_units(units, params);
    judo_shard_map map;
    (void)state;
    params[2].offset++;
    assert_int_equal(judo_shard_map_create(&map, &layout, 0, 2, 0, 1), JUDO_ERROR_ARGUMENT);
    params[2].offset--;
    units[1].count++;
    assert_int_equal(judo_shard_map_create(&map, &layout, 0, 2, 0, 1), JUDO_ERROR_ARGUMENT);
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
