/* tests/runtime/test_log.c: who speaks, and plain lines where there is no terminal. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/log.h"

static int kept_stderr = -1;
static int capture = -1;
static char captured[4096];

static void begin_capture(void)
{
    (void)fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    capture = memfd_create("log", MFD_CLOEXEC);
    (void)dup2(capture, STDERR_FILENO);
}

static const char *end_capture(void)
{
    (void)fflush(stderr);
    (void)dup2(kept_stderr, STDERR_FILENO);
    ssize_t length = pread(capture, captured, sizeof captured - 1, 0);
    captured[length > 0 ? length : 0] = '\0';
    (void)close(kept_stderr);
    (void)close(capture);
    return captured;
}

static const char *speak(int rank, int num_ranks, judo_log_level lowest)
{
    begin_capture();
    judo_log_setup(rank, num_ranks, lowest);
    JUDO_DEBUG("d%d", 1);
    JUDO_INFO("i%d", 2);
    JUDO_WARNING("w%d", 3);
    judo_log(JUDO_LOG_ERROR, "e%d", 4);
    return end_capture();
}

static void test_log__levels_and_ranks_decide(void **state)
{
    (void)state;
    assert_string_equal(speak(0, 1, JUDO_LOG_INFO), "i2\nwarning: w3\nerror: e4\n");
    assert_true(judo_log_is_chief());
    assert_string_equal(speak(0, 1, JUDO_LOG_DEBUG), "debug: d1\ni2\nwarning: w3\nerror: e4\n");
    assert_string_equal(speak(0, 2, JUDO_LOG_ERROR), "[rank 0] error: e4\n");
    assert_string_equal(speak(1, 2, JUDO_LOG_INFO),
                        "[rank 1] warning: w3\n[rank 1] error: e4\n");
    assert_false(judo_log_is_chief());
    assert_string_equal(speak(1, 2, JUDO_LOG_DEBUG),
                        "[rank 1] debug: d1\n[rank 1] warning: w3\n[rank 1] error: e4\n");
}

static void test_log__names_its_own_rank_once(void **state)
{
    (void)state;
    begin_capture();
    judo_log_setup(2, 4, JUDO_LOG_INFO);
    JUDO_WARNING("rank 2: a bad file");
    JUDO_WARNING("rank 2 of 4: a late rank");
    JUDO_WARNING("rank 3: another's file");
    JUDO_WARNING("rank 2 is slow");
    assert_string_equal(end_capture(), "[rank 2] warning: a bad file\n"
                                       "[rank 2] warning: a late rank\n"
                                       "[rank 2] warning: rank 3: another's file\n"
                                       "[rank 2] warning: rank 2 is slow\n");
}

static void test_log__a_long_line_is_cut_not_overrun(void **state)
{
    (void)state;
    char text[6000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    begin_capture();
    judo_log_setup(0, 1, JUDO_LOG_INFO);
    JUDO_INFO("%s", text);
    assert_int_equal(strspn(end_capture(), "x"), 4095);
}

static void test_progress__short_work_is_silent(void **state)
{
    (void)state;
    judo_progress progress;
    begin_capture();
    judo_log_setup(0, 1, JUDO_LOG_INFO);
    judo_progress_begin(&progress, "pack", "rows", 10);
    for (int i = 1; i <= 10; i++) {
        judo_progress_update(&progress, i, NULL);
    }
    judo_progress_end(&progress);
    assert_string_equal(end_capture(), "");
}

static void test_progress__long_work_prints_plain_lines(void **state)
{
    (void)state;
    judo_progress progress;
    begin_capture();
    judo_log_setup(0, 1, JUDO_LOG_INFO);
    judo_progress_begin(&progress, "pack", "rows", 10);
    progress.started -= 4.0; /* as if four seconds had passed */
    judo_progress_update(&progress, 5, "loss 1.5");
    judo_progress_update(&progress, 6, NULL); /* within the same ten seconds */
    JUDO_INFO("between");
    judo_progress_update(&progress, 10, NULL);
    judo_progress_end(&progress);
    const char *text = end_capture();
    assert_null(strchr(text, '\r'));
    assert_null(strchr(text, '\033'));
    assert_int_equal(strncmp(text, "pack 5/10 rows  1.25 rows/s  0:04 left  loss 1.5\n", 49),
                     0);
    assert_non_null(strstr(text, "\nbetween\npack: 10 rows in 0:04 (2.5 rows/s)\n"));
}

static void test_progress__other_ranks_are_silent(void **state)
{
    (void)state;
    judo_progress progress;
    begin_capture();
    judo_log_setup(1, 2, JUDO_LOG_INFO);
    judo_progress_begin(&progress, "pack", "rows", 10);
    progress.started -= 100.0;
    judo_progress_update(&progress, 5, NULL);
    judo_progress_end(&progress);
    assert_string_equal(end_capture(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__levels_and_ranks_decide),
        cmocka_unit_test(test_log__names_its_own_rank_once),
        cmocka_unit_test(test_log__a_long_line_is_cut_not_overrun),
        cmocka_unit_test(test_progress__short_work_is_silent),
        cmocka_unit_test(test_progress__long_work_prints_plain_lines),
        cmocka_unit_test(test_progress__other_ranks_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
