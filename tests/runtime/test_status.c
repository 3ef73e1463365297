/* tests/runtime/test_status.c: the record of the first cause. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/status.h"

static judo_status fail_with(int number)
{
    return JUDO_FAIL(JUDO_ERROR_FORMAT, "file:%d: wrong", number);
}

static judo_status pass_on(int *reached)
{
    JUDO_TRY(JUDO_OK);
    JUDO_TRY(fail_with(3));
    *reached = 1;
    return JUDO_OK;
}

static judo_status clean_up(int *cleaned)
{
    judo_status status = JUDO_OK;
    JUDO_TRY_GOTO(status, done, fail_with(4));
    *cleaned = -1;
done:
    *cleaned += 1;
    return status;
}

static void test_try__returns_early_with_the_first_cause(void **state)
{
    (void)state;
    int reached = 0;
    int cleaned = 0;
    assert_int_equal(pass_on(&reached), JUDO_ERROR_FORMAT);
    assert_int_equal(reached, 0);
    assert_string_equal(judo_error_message(), "file:3: wrong");
    assert_non_null(strstr(judo_error_place(), "test_status.c:"));
    assert_int_equal(clean_up(&cleaned), JUDO_ERROR_FORMAT);
    assert_int_equal(cleaned, 1);
}

static void test_fail__may_quote_the_message_before(void **state)
{
    (void)state;
    (void)fail_with(5);
    assert_int_equal(JUDO_FAIL(JUDO_ERROR_IO, "rank 1: %s", judo_error_message()),
                     JUDO_ERROR_IO);
    assert_string_equal(judo_error_message(), "rank 1: file:5: wrong");
}

static void test_fail__a_long_message_is_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)JUDO_FAIL(JUDO_ERROR_IO, "%s", text);
    assert_int_equal(strlen(judo_error_message()), 2047);
}

static void test_set_and_clear__replace_and_forget(void **state)
{
    (void)state;
    assert_int_equal(judo_error_set(JUDO_ERROR_COMM, "from elsewhere"), JUDO_ERROR_COMM);
    assert_string_equal(judo_error_message(), "from elsewhere");
    assert_int_equal(judo_error_set(JUDO_ERROR_IO, judo_error_message()), JUDO_ERROR_IO);
    assert_string_equal(judo_error_message(), "from elsewhere");
    judo_error_clear();
    assert_string_equal(judo_error_message(), "");
    assert_string_equal(judo_error_place(), "");
}

static void *fail_elsewhere(void *unused)
{
    (void)unused;
    (void)fail_with(99);
    return NULL;
}

static void test_record__belongs_to_its_thread(void **state)
{
    (void)state;
    pthread_t thread;
    (void)fail_with(6);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(judo_error_message(), "file:6: wrong");
}

static void test_name__every_status_has_its_own(void **state)
{
    (void)state;
    for (int a = JUDO_ERROR_ARGUMENT; a <= JUDO_ERROR_INTERNAL; a++) {
        assert_string_not_equal(judo_status_name((judo_status)a), "unknown status");
        for (int b = JUDO_ERROR_ARGUMENT; b < a; b++) {
            assert_string_not_equal(judo_status_name((judo_status)a),
                                    judo_status_name((judo_status)b));
        }
    }
    assert_string_equal(judo_status_name(JUDO_OK), "ok");
    assert_string_equal(judo_status_name((judo_status)3), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_try__returns_early_with_the_first_cause),
        cmocka_unit_test(test_fail__may_quote_the_message_before),
        cmocka_unit_test(test_fail__a_long_message_is_cut),
        cmocka_unit_test(test_set_and_clear__replace_and_forget),
        cmocka_unit_test(test_record__belongs_to_its_thread),
        cmocka_unit_test(test_name__every_status_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
