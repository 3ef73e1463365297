/* tests/launch/test_doctor_parts.c: findings on their way and on the page, probes that hang or
 * crash, and the probe of folders. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "launch/doctor/watch.h"
#include "runtime/log.h"

static judo_watched result;

/* What a probe says, as a report. */
static judo_doctor_report heard(void (*probe)(FILE *out, const judo_doctor_request *request),
                                const judo_doctor_request *request)
{
    char *text = NULL;
    size_t length = 0;
    judo_doctor_report report = {0};
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    probe(out, request);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(judo_doctor_read(&report, text, length), JUDO_OK);
    free(text);
    return report;
}

static void say_three(FILE *out, const judo_doctor_request *request)
{
    (void)request;
    (void)fputs("a library's greeting\n", out);
    judo_doctor_say(out, JUDO_FINDING_OK, "one", NULL, "all %s", "well");
    judo_doctor_say(out, JUDO_FINDING_BAD, "one", "mend\nit\037",
                    "line\nbreaks and \037 marks");
    (void)fputs("\0377\037one\037no such level\037\n\0370\037no fields\n\n", out);
    judo_doctor_say(out, JUDO_FINDING_WARN, "two", "look", "%0*d", 1000, 7);
    (void)fputs("\0370\037two\037cut off", out);
}

static void test_findings__arrive_whole_and_nothing_else_does(void **state)
{
    (void)state;
    judo_doctor_report report = heard(say_three, NULL);
    assert_int_equal(report.count, 3);
    assert_string_equal(report.findings[0].text, "all well");
    assert_string_equal(report.findings[0].remedy, "");
    assert_int_equal(report.findings[1].level, JUDO_FINDING_BAD);
    assert_string_equal(report.findings[1].text, "line breaks and   marks");
    assert_string_equal(report.findings[1].remedy, "mend it ");
    assert_string_equal(report.findings[2].area, "two");
    assert_int_equal(strlen(report.findings[2].text), JUDO_FINDING_TEXT - 1);
    for (int level = 0; level < JUDO_FINDING_LEVELS; level++) {
        assert_int_equal(report.of_level[level], 1);
    }
    judo_doctor_free(&report);
}

static void test_findings__are_printed_by_area_with_remedies_and_counts(void **state)
{
    (void)state;
    char *page = NULL;
    size_t length = 0;
    judo_doctor_report report = {0};
    const judo_finding findings[] = {
        {JUDO_FINDING_OK, "build", "judo 1", ""},
        {JUDO_FINDING_WARN, "build", "slow", "optimise"},
        {JUDO_FINDING_BAD, "MPI", "gone", "install"},
    };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judo_doctor_add(&report, &findings[i]), JUDO_OK);
    }
    FILE *out = open_memstream(&page, &length);
    assert_non_null(out);
    judo_doctor_print(out, &report);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(page, "build\n  ok    judo 1\n  warn  slow\n        -> optimise\n"
                              "\nMPI\n  BAD   gone\n        -> install\n"
                              "\n1 ok, 1 to look at, 1 bad\n");
    free(page);
    judo_doctor_free(&report);
}

static int hang(void *context, int output)
{
    (void)context;
    (void)signal(SIGTERM, SIG_IGN); // NOLINT: a child that does not want to end
    (void)!write(output, "here", 4);
    while (true) {
        (void)pause();
    }
    return 0;
}

static int crash(void *context, int output)
{
    (void)context;
    (void)output;
    (void)signal(SIGSEGV, SIG_DFL); // NOLINT: sanitizers have a handler of their own
    (void)raise(SIGSEGV);
    return 0;
}

static int chatter(void *context, int output)
{
    char line[1000];
    (void)context;
    memset(line, 'x', sizeof line);
    for (int i = 0; i < 200; i++) {
        (void)!write(output, line, sizeof line);
    }
    return 5;
}

static void test_watch__ends_what_hangs_and_keeps_what_it_said(void **state)
{
    (void)state;
    double begin = judo_clock();
    assert_int_equal(judo_watch(hang, NULL, 0.2, &result), JUDO_OK);
    assert_true(result.expired);
    assert_int_equal(result.signal, SIGKILL);
    assert_string_equal(result.text, "here");
    assert_true(judo_clock() - begin < 30); /* a bound, no measurement */
}

static void test_watch__tells_of_a_crash(void **state)
{
    (void)state;
    assert_int_equal(judo_watch(crash, NULL, 60, &result), JUDO_OK);
    assert_false(result.expired);
    assert_int_equal(result.signal, SIGSEGV);
}

static void test_watch__lets_a_child_say_more_than_there_is_room_for(void **state)
{
    (void)state;
    assert_int_equal(judo_watch(chatter, NULL, 60, &result), JUDO_OK);
    assert_false(result.expired);
    assert_int_equal(result.exit_code, 5);
    assert_int_equal(result.length, JUDO_WATCH_BYTES);
}

static void test_watch__runs_commands(void **state)
{
    (void)state;
    const char *const talk[] = {"sh", "-c", "echo out; echo err >&2; cat; exit 3", NULL};
    assert_int_equal(judo_watch_command(talk, 60, &result), JUDO_OK);
    assert_int_equal(result.exit_code, 3);
    assert_string_equal(result.text, "out\nerr\n");
    const char *const missing[] = {"judo-no-such-command", NULL};
    assert_int_equal(judo_watch_command(missing, 60, &result), JUDO_OK);
    assert_int_equal(result.exit_code, 127);
}

/* The command leaves a child behind that keeps its output open. */
static void test_watch__ends_what_a_command_leaves_behind(void **state)
{
    (void)state;
    const char *const leave[] = {"sh", "-c", "sleep 1000 & echo $!", NULL};
    assert_int_equal(judo_watch_command(leave, 0.5, &result), JUDO_OK);
    assert_true(result.expired);
    pid_t left = (pid_t)atol(result.text);
    assert_true(left > 0);
    for (int tries = 0; tries < 500 && kill(left, 0) == 0; tries++) {
        (void)usleep(10000);
        char path[64];
        char text[256];
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)left);
        judo_doctor_read_line(path, text, sizeof text);
        if (strstr(text, ") Z ") != NULL) {
            return; /* ended; whoever inherits it has not asked yet */
        }
    }
    assert_int_not_equal(kill(left, 0), 0);
}

static void test_folder__that_can_hold_runs_is_ok_and_stays_as_it_was(void **state)
{
    (void)state;
    char folder[] = "/tmp/judo_doctor_XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *const folders[] = {folder};
    const judo_doctor_request request = {.folders = folders, .num_folders = 1};
    judo_doctor_report report = heard(judo_doctor_folder, &request);
    assert_int_equal(report.of_level[JUDO_FINDING_BAD], 0);
    assert_int_equal(report.count, 3);
    assert_non_null(strstr(report.findings[2].text, "locks and renames work"));
    judo_doctor_free(&report);
    assert_int_equal(rmdir(folder), 0);
}

static void test_folder__that_is_none_is_bad(void **state)
{
    (void)state;
    const char *const folders[] = {"/nonexistent/folder", "/dev/null", "/proc"};
    for (int i = 0; i < 3; i++) {
        const judo_doctor_request request = {.folders = folders, .num_folders = 3, .index = i};
        judo_doctor_report report = heard(judo_doctor_folder, &request);
        assert_int_equal(report.of_level[JUDO_FINDING_BAD], 1);
        judo_doctor_free(&report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings__arrive_whole_and_nothing_else_does),
        cmocka_unit_test(test_findings__are_printed_by_area_with_remedies_and_counts),
        cmocka_unit_test(test_watch__ends_what_hangs_and_keeps_what_it_said),
        cmocka_unit_test(test_watch__tells_of_a_crash),
        cmocka_unit_test(test_watch__lets_a_child_say_more_than_there_is_room_for),
        cmocka_unit_test(test_watch__runs_commands),
        cmocka_unit_test(test_watch__ends_what_a_command_leaves_behind),
        cmocka_unit_test(test_folder__that_can_hold_runs_is_ok_and_stays_as_it_was),
        cmocka_unit_test(test_folder__that_is_none_is_bad),
    };
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
