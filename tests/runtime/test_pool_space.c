/* tests/runtime/test_pool_space.c: parts of a run of memory, against a list of its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/pool_space.h"
#include "runtime/random.h"

enum { UNIT = JUDO_POOL_ALIGNMENT };

static judo_pool_space *space_of(int64_t units)
{
    judo_pool_space *space = NULL;
    assert_int_equal(judo_pool_space_create(units * UNIT, &space), JUDO_OK);
    return space;
}

static int64_t take(judo_pool_space *space, int64_t bytes)
{
    int64_t offset = -1;
    assert_int_equal(judo_pool_space_take(space, bytes, &offset), JUDO_OK);
    assert_int_equal(offset % UNIT, 0);
    return offset;
}

static void give_back(judo_pool_space *space, int64_t offset)
{
    assert_int_equal(judo_pool_space_give_back(space, offset), JUDO_OK);
}

static void parts_are_whole_multiples_of_the_alignment(void **state)
{
    (void)state;
    judo_pool_space *space = space_of(4);
    assert_int_equal(take(space, 0), 0);
    assert_int_equal(take(space, 1), UNIT);
    assert_int_equal(take(space, UNIT + 1), 2 * UNIT);
    judo_pool_facts facts = judo_pool_space_facts(space);
    assert_int_equal(facts.used, 4 * UNIT);
    assert_int_equal(facts.largest_hole, 0);
    judo_pool_space_destroy(&space);
    assert_null(space);
    judo_pool_space_destroy(&space);
}

static void the_smallest_hole_that_fits_is_taken(void **state)
{
    (void)state;
    judo_pool_space *space = space_of(16);
    const int64_t sizes[] = {3, 1, 2, 1, 3, 1};
    int64_t parts[6];
    for (int i = 0; i < 6; i++) {
        parts[i] = take(space, sizes[i] * UNIT);
    }
    give_back(space, parts[0]);
    give_back(space, parts[2]);
    give_back(space, parts[4]);
    assert_int_equal(take(space, 2 * UNIT), parts[2]);
    assert_int_equal(take(space, 2 * UNIT), parts[0]); /* of two alike the first */
    assert_int_equal(take(space, 1), parts[0] + 2 * UNIT);
    assert_int_equal(take(space, 4 * UNIT), 11 * UNIT);
    judo_pool_space_destroy(&space);
}

static void neighbours_that_are_free_become_one_in_any_order(void **state)
{
    (void)state;
    const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        judo_pool_space *space = space_of(3);
        for (int i = 0; i < 3; i++) {
            (void)take(space, UNIT);
        }
        for (int i = 0; i < 3; i++) {
            give_back(space, orders[o][i] * UNIT);
        }
        assert_int_equal(judo_pool_space_facts(space).largest_hole, 3 * UNIT);
        assert_int_equal(take(space, 3 * UNIT), 0);
        judo_pool_space_destroy(&space);
    }
}

static void what_does_not_fit_is_refused_with_the_numbers(void **state)
{
    (void)state;
    judo_pool_space *space = space_of(8);
    int64_t offset = -1;
    for (int i = 0; i < 8; i++) {
        (void)take(space, UNIT);
    }
    for (int i = 0; i < 8; i += 2) {
        give_back(space, i * UNIT);
    }
    assert_int_equal(judo_pool_space_take(space, UNIT + 1, &offset), JUDO_ERROR_MEMORY);
    assert_non_null(strstr(judo_error_message(),
                           "257 bytes wanted, 1024 of 2048 are left, 256 of them together"));
    assert_int_equal(judo_pool_space_take(space, -1, &offset), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_pool_space_take(space, INT64_MAX, &offset), JUDO_ERROR_MEMORY);
    assert_int_equal(offset, -1);
    assert_int_equal(judo_pool_space_facts(space).used, 4 * UNIT);
    judo_pool_space_destroy(&space);
}

static void only_what_is_taken_can_be_given_back(void **state)
{
    (void)state;
    judo_pool_space *space = space_of(4);
    const int64_t wrong[] = {-1, 1, UNIT, 3 * UNIT, 4 * UNIT, INT64_MAX};
    assert_int_equal(take(space, 2 * UNIT), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(judo_pool_space_give_back(space, wrong[i]), JUDO_ERROR_INTERNAL);
    }
    give_back(space, 0);
    assert_int_equal(judo_pool_space_give_back(space, 0), JUDO_ERROR_INTERNAL);
    assert_int_equal(judo_pool_space_facts(space).used, 0);
    judo_pool_space_destroy(&space);
}

static void an_empty_space_gives_nothing(void **state)
{
    (void)state;
    int64_t offset = -1;
    judo_pool_space *space = NULL;
    assert_int_equal(judo_pool_space_create(-1, &space), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_pool_space_create(UNIT - 1, &space), JUDO_OK);
    assert_int_equal(judo_pool_space_take(space, 0, &offset), JUDO_ERROR_MEMORY);
    assert_int_equal(judo_pool_space_give_back(space, 0), JUDO_ERROR_INTERNAL);
    judo_pool_space_destroy(&space);
}

/* The same, a byte per unit: who has it. */
typedef struct model {
    unsigned char owner[512];
    int64_t used, peak;
} model;

static int64_t longest_free_run(const model *m)
{
    int64_t longest = 0;
    int64_t length = 0;
    for (size_t i = 0; i < sizeof m->owner; i++) {
        length = m->owner[i] ? 0 : length + 1;
        longest = length > longest ? length : longest;
    }
    return longest;
}

static int64_t model_take(model *m, judo_pool_space *space, int64_t bytes)
{
    int64_t units = (bytes + UNIT - 1) / UNIT + (bytes == 0);
    int64_t offset = -1;
    judo_status status = judo_pool_space_take(space, bytes, &offset);
    assert_int_equal(status == JUDO_OK, units <= longest_free_run(m));
    for (int64_t i = 0; status == JUDO_OK && i < units; i++) {
        assert_int_equal(m->owner[offset / UNIT + i], 0);
        m->owner[offset / UNIT + i] = i == 0 ? 2 : 1;
    }
    m->used += status == JUDO_OK ? units : 0;
    m->peak = m->used > m->peak ? m->used : m->peak;
    return status == JUDO_OK ? offset : -1;
}

static void model_give_back(model *m, judo_pool_space *space, int64_t offset)
{
    give_back(space, offset);
    int64_t at = offset / UNIT;
    do {
        m->owner[at++] = 0;
        m->used--;
    } while (at < (int64_t)sizeof m->owner && m->owner[at] == 1);
}

static uint32_t draw(int step, uint32_t what)
{
    return (uint32_t)(judo_random_uniform(7, JUDO_STREAM_SAMPLE, (uint64_t)step, what, 0) *
                      65536.0f);
}

/* One run of random calls; the sum of offsets tells two runs apart. */
static int64_t run_at_random(void)
{
    enum { STEPS = 20000, HELD = 96 };

    model m = {.used = 0};
    int64_t held[HELD];
    int64_t trace = 0;
    judo_pool_space *space = space_of(sizeof m.owner);
    for (int i = 0; i < HELD; i++) {
        held[i] = -1;
    }
    for (int step = 0; step < STEPS; step++) {
        int64_t *slot = &held[draw(step, 0) % HELD];
        if (*slot >= 0) {
            model_give_back(&m, space, *slot);
            *slot = -1;
        } else {
            int64_t most = draw(step, 1) % 8 == 0 ? 100 * UNIT : 9 * UNIT;
            *slot = model_take(&m, space, draw(step, 2) % most);
            trace = trace * 31 % 1000003 + *slot;
        }
        judo_pool_facts facts = judo_pool_space_facts(space);
        assert_int_equal(facts.used, m.used * UNIT);
        assert_int_equal(facts.peak, m.peak * UNIT);
        assert_int_equal(facts.largest_hole, longest_free_run(&m) * UNIT);
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i] >= 0) {
            model_give_back(&m, space, held[i]);
        }
    }
    assert_int_equal(judo_pool_space_facts(space).largest_hole, sizeof m.owner * UNIT);
    judo_pool_space_destroy(&space);
    return trace;
}

static void random_calls_agree_with_a_list_of_units_and_with_themselves(void **state)
{
    (void)state;
    assert_int_equal(run_at_random(), run_at_random());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_whole_multiples_of_the_alignment),
        cmocka_unit_test(the_smallest_hole_that_fits_is_taken),
        cmocka_unit_test(neighbours_that_are_free_become_one_in_any_order),
        cmocka_unit_test(what_does_not_fit_is_refused_with_the_numbers),
        cmocka_unit_test(only_what_is_taken_can_be_given_back),
        cmocka_unit_test(an_empty_space_gives_nothing),
        cmocka_unit_test(random_calls_agree_with_a_list_of_units_and_with_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
