/* tests/runtime/test_memory.c: how much memory there is to take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__available_is_part_of_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
