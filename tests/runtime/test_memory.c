/* tests/runtime/test_memory.c: how much memory there is to take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "runtime/memory.h"

static void test_memory__available_is_part_of_the_machine(void **state)
{
    int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t available = judo_memory_available();
    (void)state;
    assert_true(available > (int64_t)1 << 20);
    assert_true(available < all);
}

static void test_take__gives_aligned_memory_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, (2 << 20) - 1, 2 << 20, (5 << 20) + 17};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *memory = judo_memory_take(sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        memset(memory, 1, sizes[i]);
        free(memory);
    }
    assert_null(judo_memory_take(SIZE_MAX));
    assert_null(judo_memory_take(SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__available_is_part_of_the_machine),
        cmocka_unit_test(test_take__gives_aligned_memory_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
