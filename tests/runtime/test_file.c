/* tests/runtime/test_file.c: folders, free space and memory of the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/file.h"

static char folder[] = "/tmp/judo-file-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void path_in(char out[256], const char *name)
{
    (void)snprintf(out, 256, "%s/%s", folder, name);
}

static void test_make_folder__makes_parents_and_accepts_what_is_there(void **state)
{
    (void)state;
    char inner[256];
    char outer[256];
    path_in(inner, "a/b");
    path_in(outer, "a");
    assert_int_equal(judo_file_make_folder(inner), JUDO_OK);
    assert_int_equal(judo_file_make_folder(inner), JUDO_OK);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(outer), 0);
}

static void test_make_folder__refuses_to_pass_through_a_file(void **state)
{
    (void)state;
    char file[256];
    char inner[256];
    path_in(file, "file");
    path_in(inner, "file/inner");
    assert_int_equal(judo_file_replace(file, "x", 1), JUDO_OK);
    assert_int_equal(judo_file_make_folder(file), JUDO_ERROR_IO);
    assert_int_equal(judo_file_make_folder(inner), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "file/inner"));
    assert_int_equal(unlink(file), 0);
}

static void test_free_bytes__of_a_path_to_come_are_its_file_systems(void **state)
{
    (void)state;
    int64_t bytes = -1;
    char path[256];
    assert_int_equal(judo_file_free_bytes(folder, &bytes), JUDO_OK);
    assert_true(bytes >= 0);
    bytes = -1;
    path_in(path, "absent/below");
    assert_int_equal(judo_file_free_bytes(path, &bytes), JUDO_OK);
    assert_true(bytes >= 0);
    assert_int_equal(judo_file_free_bytes("absent", &bytes), JUDO_OK);
    assert_int_equal(judo_file_free_bytes("/absent", &bytes), JUDO_OK);
    /* Nothing can come below a file. */
    path_in(path, "file");
    assert_int_equal(judo_file_replace(path, "x", 1), JUDO_OK);
    path_in(path, "file/below");
    assert_int_equal(judo_file_free_bytes(path, &bytes), JUDO_ERROR_IO);
    path_in(path, "file");
    assert_int_equal(unlink(path), 0);
}

static void test_sync__of_no_file_is_an_error_with_its_name(void **state)
{
    (void)state;
    assert_int_equal(judo_file_sync(-1, "some.file"), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "some.file: cannot sync"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_folder__makes_parents_and_accepts_what_is_there),
        cmocka_unit_test(test_make_folder__refuses_to_pass_through_a_file),
        cmocka_unit_test(test_free_bytes__of_a_path_to_come_are_its_file_systems),
        cmocka_unit_test(test_sync__of_no_file_is_an_error_with_its_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
