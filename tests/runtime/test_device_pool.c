/* tests/runtime/test_device_pool.c: a pool over a device that counts what it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/device_pool.h"

enum { UNIT = JUDO_POOL_ALIGNMENT };

/* The CPU, with what a device of its own memory has beside. */
static struct {
    judo_device table;
    int64_t allocations, blocks, stagings; /* asked for; there now */
    int64_t parts;                         /* of the block, taken now */
    bool fails;
} fake;

static judo_status fake_allocate(void **out, int64_t bytes)
{
    fake.allocations++;
    if (fake.fails) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "fake: full");
    }
    JUDO_TRY(judo_device_cpu()->allocate(out, bytes));
    fake.blocks++;
    return JUDO_OK;
}

static void fake_release(void *memory)
{
    fake.blocks -= memory != NULL;
    free(memory);
}

static judo_status fake_allocate_staging(void **out, int64_t bytes)
{
    JUDO_TRY(fake_allocate(out, bytes));
    fake.blocks--;
    fake.stagings++;
    return JUDO_OK;
}

static void fake_release_staging(void *memory)
{
    fake.stagings -= memory != NULL;
    free(memory);
}

static void fake_watch(void *part, int64_t bytes, bool taken)
{
    (void)bytes;
    assert_non_null(part);
    fake.parts += taken ? 1 : -1;
}

static int64_t fake_allocations(void)
{
    return fake.allocations;
}

static const judo_device *open_pool(void)
{
    const judo_device *pool = NULL;
    memset(&fake, 0, sizeof fake);
    fake.table = *judo_device_cpu();
    fake.table.allocate = fake_allocate;
    fake.table.release = fake_release;
    fake.table.allocate_staging = fake_allocate_staging;
    fake.table.release_staging = fake_release_staging;
    fake.table.watch = fake_watch;
    fake.table.allocations = fake_allocations;
    assert_int_equal(judo_device_pool_open(&fake.table, &pool), JUDO_OK);
    assert_int_equal(judo_device_check(pool), JUDO_OK);
    return pool;
}

static void close_pool(const judo_device *pool)
{
    judo_device_pool_close(&pool);
    assert_ptr_equal(pool, &fake.table);
    assert_int_equal(fake.stagings, 0);
}

static void one_block_serves_all_and_is_given_back(void **state)
{
    const judo_device *pool = open_pool();
    void *parts[4];
    int64_t available = 0;
    int64_t total = 0;
    (void)state;
    assert_int_equal(judo_device_pool_reserve(4 * UNIT, ""), JUDO_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pool->allocate(&parts[i], UNIT - i), JUDO_OK);
            memset(parts[i], i, (size_t)(UNIT - i));
        }
        assert_int_equal(pool->memory(&available, &total), JUDO_OK);
        assert_int_equal(available, 0);
        assert_int_equal(total, 4 * UNIT);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(((char *)parts[i])[UNIT - i - 1], i);
            pool->release(parts[i]);
        }
        pool->release(NULL);
    }
    assert_int_equal(fake.allocations, 1);
    assert_int_equal(fake.parts, 0);
    assert_int_equal(judo_device_pool_facts().peak, 4 * UNIT);
    close_pool(pool);
    assert_int_equal(fake.blocks, 0);
}

static void nothing_is_taken_before_the_plan(void **state)
{
    const judo_device *pool = open_pool();
    const judo_device *second = NULL;
    void *memory = NULL;
    (void)state;
    assert_int_equal(pool->allocate(&memory, 1), JUDO_ERROR_INTERNAL);
    assert_int_equal(judo_device_pool_open(&fake.table, &second), JUDO_ERROR_INTERNAL);
    assert_int_equal(judo_device_pool_reserve(UNIT, ""), JUDO_OK);
    assert_int_equal(judo_device_pool_reserve(UNIT, ""), JUDO_ERROR_INTERNAL);
    close_pool(pool);
    assert_int_equal(fake.blocks, 0);
    assert_int_equal(judo_device_pool_reserve(UNIT, ""), JUDO_ERROR_INTERNAL);
}

static void an_exhausted_pool_refuses_and_asks_nobody(void **state)
{
    const judo_device *pool = open_pool();
    void *memory = NULL;
    void *more = NULL;
    (void)state;
    assert_int_equal(judo_device_pool_reserve(2 * UNIT, "weights 1\nactivations 2\n"), JUDO_OK);
    assert_int_equal(pool->allocate(&memory, UNIT), JUDO_OK);
    assert_int_equal(pool->allocate(&more, UNIT + 1), JUDO_ERROR_MEMORY);
    assert_non_null(strstr(judo_error_message(), "257 bytes wanted"));
    assert_int_equal(pool->allocate(&more, -1), JUDO_ERROR_ARGUMENT);
    assert_null(more);
    assert_int_equal(fake.allocations, 1);
    pool->release(memory);
    close_pool(pool);
}

static void a_device_without_room_for_the_block_refuses(void **state)
{
    const judo_device *pool = open_pool();
    (void)state;
    fake.fails = true;
    assert_int_equal(judo_device_pool_reserve(UNIT, ""), JUDO_ERROR_MEMORY);
    fake.fails = false;
    assert_int_equal(judo_device_pool_reserve(UNIT, ""), JUDO_OK);
    close_pool(pool);
    assert_int_equal(fake.blocks, 0);
}

/* Work that could not be ended may still use it. */
static void a_block_that_is_in_use_is_left(void **state)
{
    const judo_device *pool = open_pool();
    void *memory = NULL;
    (void)state;
    assert_int_equal(judo_device_pool_reserve(UNIT, ""), JUDO_OK);
    assert_int_equal(pool->allocate(&memory, 1), JUDO_OK);
    close_pool(pool);
    assert_int_equal(fake.blocks, 1);
    fake_release(memory); /* the block begins there */
}

static void staging_memory_is_asked_for_once(void **state)
{
    const judo_device *pool = open_pool();
    void *memory[2];
    (void)state;
    assert_int_equal(judo_device_pool_keep_staging(1 << 20), JUDO_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(pool->allocate_staging(&memory[0], (1 << 20) - round), JUDO_OK);
        assert_int_equal(pool->allocate_staging(&memory[1], 100), JUDO_OK);
        assert_ptr_not_equal(memory[0], memory[1]);
        memset(memory[0], 1, (size_t)(1 << 20) - (size_t)round);
        pool->release_staging(memory[0]);
        pool->release_staging(memory[1]);
    }
    pool->release_staging(NULL);
    assert_int_equal(fake.allocations, 2);
    fake.fails = true;
    assert_int_equal(pool->allocate_staging(&memory[0], 1 << 22), JUDO_ERROR_MEMORY);
    close_pool(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_block_serves_all_and_is_given_back),
        cmocka_unit_test(nothing_is_taken_before_the_plan),
        cmocka_unit_test(an_exhausted_pool_refuses_and_asks_nobody),
        cmocka_unit_test(a_device_without_room_for_the_block_refuses),
        cmocka_unit_test(a_block_that_is_in_use_is_left),
        cmocka_unit_test(staging_memory_is_asked_for_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
