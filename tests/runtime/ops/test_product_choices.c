/* tests/runtime/ops/test_product_choices.c: algorithms of matrix products kept in a file. */
#include "tests/runtime/ops/support.h"

#include <stdio.h>
#include <unistd.h>

#include "runtime/ops/cuda/product_choices.h"

static const char *const identity = "judo products 1, library 7, a GPU, 132 SMs";

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/judo-choices-XXXXXX");
    assert_non_null(mkdtemp(folder));
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/choices", (char *)*state);
    (void)unlink(path);
    (void)rmdir(*state);
    free(*state);
    return 0;
}

static judo_product_choice choice_at(int i)
{
    judo_product_choice choice = {.key = {i, -i, INT64_MAX - i}, .value = {(uint64_t)i}};
    choice.value[JUDO_CHOICE_VALUE - 1] = UINT64_MAX - (uint64_t)i;
    return choice;
}

static void record(const char *path, int count)
{
    judo_product_choices choices;
    assert_ok(judo_product_choices_open(&choices, path, identity));
    assert_true(choices.recording);
    for (int i = 0; i < count; i++) {
        judo_product_choice choice = choice_at(i);
        assert_null(judo_product_choices_find(&choices, choice.key));
        assert_ok(judo_product_choices_add(&choices, &choice));
        assert_non_null(judo_product_choices_find(&choices, choice.key));
    }
    judo_product_choices_close(&choices);
}

static void test_choices__that_were_recorded_are_found_again(void **state)
{
    char path[128];
    judo_product_choices choices;
    (void)snprintf(path, sizeof path, "%s/choices", (char *)*state);
    record(path, 50);
    assert_ok(judo_product_choices_open(&choices, path, identity));
    assert_false(choices.recording);
    assert_int_equal(choices.count, 50);
    for (int i = 0; i < 50; i++) {
        judo_product_choice choice = choice_at(i);
        const uint64_t *value = judo_product_choices_find(&choices, choice.key);
        assert_non_null(value);
        assert_memory_equal(value, choice.value, sizeof choice.value);
    }
    judo_product_choice other = choice_at(50);
    assert_null(judo_product_choices_find(&choices, other.key));
    judo_product_choices_close(&choices);
}

static void test_choices__of_another_gpu_or_library_are_refused(void **state)
{
    char path[128];
    judo_product_choices choices;
    (void)snprintf(path, sizeof path, "%s/choices", (char *)*state);
    record(path, 1);
    assert_int_equal(judo_product_choices_open(&choices, path, "judo products 1, library 8"),
                     JUDO_ERROR_MISMATCH);
    assert_int_equal(judo_product_choices_open(&choices, path, "judo products 1"),
                     JUDO_ERROR_MISMATCH);
    assert_null(choices.list);
}

static void test_choices__with_a_broken_line_are_refused(void **state)
{
    static const char *const lines[] = {
        "1 2 3\n",
        "1 2 3 4 5 6 7 1 2 3 4 5 6 7 8\n",
        "1 2 3 4 5 6 7 : 1 2 3 4 5 6 7\n",
        "1 2 3 4 5 6 7 : 1 2 3 4 5 6 7 8 9\n",
        "1 2 3 4 5 6 7 : 1 2 3 4 5 6 7 x\n",
        "1 2 3 4 5 6 7 : 1 2 3 4 5 6 7 8",
        "1 2 3 4 5 6 99999999999999999999 : 1 2 3 4 5 6 7 8\n",
        "\n",
    };
    char path[128];
    judo_product_choices choices;
    (void)snprintf(path, sizeof path, "%s/choices", (char *)*state);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fprintf(file, "%s\n%s", identity, lines[i]);
        (void)fclose(file);
        assert_int_equal(judo_product_choices_open(&choices, path, identity),
                         JUDO_ERROR_FORMAT);
        assert_non_null(strstr(judo_error_message(), "choices:2: "));
    }
}

static void test_choices__without_a_path_are_none(void **state)
{
    (void)state;
    judo_product_choices choices;
    judo_product_choice choice = choice_at(1);
    assert_ok(judo_product_choices_open(&choices, NULL, identity));
    assert_ok(judo_product_choices_open(&choices, "", identity));
    assert_false(choices.recording);
    assert_null(judo_product_choices_find(&choices, choice.key));
    judo_product_choices_close(&choices);
    assert_int_equal(judo_product_choices_open(&choices, "/nowhere/choices", identity),
                     JUDO_ERROR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_choices__that_were_recorded_are_found_again,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_choices__of_another_gpu_or_library_are_refused,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_choices__with_a_broken_line_are_refused,
                                        make_folder, remove_folder),
        cmocka_unit_test(test_choices__without_a_path_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
