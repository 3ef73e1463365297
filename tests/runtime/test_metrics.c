/* tests/runtime/test_metrics.c: rows on disk, cutting on resume, event frames, console lines.
 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/crc32c.h"
#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/log.h"
#include "runtime/metrics.h"

static char folder[64];
static char log_path[128];
static char board[128];

/* A fresh folder for each test. */
static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/judo_metrics_XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(log_path, sizeof log_path, "%s/metrics.jsonl", folder);
    (void)snprintf(board, sizeof board, "%s/tensorboard", folder);
    judo_log_setup(0, 1, JUDO_LOG_WARNING);
    return 0;
}

static int count_events(char *newest, size_t bytes)
{
    DIR *dir = opendir(board);
    int count = 0;
    char best[256] = "";
    for (struct dirent *e = dir ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, "events.out.tfevents.", 20) == 0) {
            count++;
            if (strcmp(e->d_name, best) > 0) {
                (void)snprintf(best, sizeof best, "%s", e->d_name);
            }
        }
    }
    (void)closedir(dir);
    (void)snprintf(newest, bytes, "%s/%s", board, best);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    char name[512];
    while (access(board, F_OK) == 0 && count_events(name, sizeof name) > 0) {
        (void)unlink(name);
    }
    (void)rmdir(board);
    (void)unlink(log_path);
    return rmdir(folder);
}

static void write_rows(int64_t resume, int64_t first, int64_t last, bool tensorboard)
{
    judo_metrics *m = NULL;
    assert_int_equal(judo_metrics_open(folder, resume, tensorboard, &m), JUDO_OK);
    for (int64_t step = first; step <= last; step++) {
        judo_metrics_begin(m, step);
        judo_metrics_put(m, "loss", 1.0 / (double)step);
        judo_metrics_put(m, "step", -1);
        judo_metrics_put(m, "norm", 0);
        judo_metrics_put(m, "norm", step == 2 ? NAN : (double)step);
        assert_int_equal(judo_metrics_end(m), JUDO_OK);
    }
    judo_metrics_close(&m);
    assert_null(m);
}

typedef struct seen_rows {
    int64_t count, steps[16];
    double loss[16];
} seen_rows;

static judo_status see_row(void *context, const judo_json *row, int64_t line)
{
    seen_rows *seen = context;
    double time = 0;
    assert_true(line <= 16);
    JUDO_TRY(judo_json_get_int(row, "step", "row", &seen->steps[seen->count]));
    JUDO_TRY(judo_json_get_double(row, "loss", "row", &seen->loss[seen->count]));
    JUDO_TRY(judo_json_get_double(row, "time", "row", &time));
    assert_true(time > 1e9);
    assert_int_equal(judo_json_is_null(judo_json_get(row, "norm")),
                     seen->steps[seen->count] == 2);
    seen->count++;
    return JUDO_OK;
}

static seen_rows read_rows(void)
{
    seen_rows seen = {0};
    assert_int_equal(judo_json_each_line(log_path, see_row, &seen), JUDO_OK);
    return seen;
}

static void test_rows__are_json_lines_that_append(void **state)
{
    (void)state;
    write_rows(-1, 1, 3, false);
    write_rows(-1, 4, 5, false);
    seen_rows seen = read_rows();
    assert_int_equal(seen.count, 5);
    assert_int_equal(seen.steps[4], 5);
    assert_true(seen.loss[2] == 1.0 / 3.0);
    assert_int_not_equal(access(board, F_OK), 0);
}

static void test_resume__later_rows_are_cut_off(void **state)
{
    (void)state;
    write_rows(-1, 1, 5, false);
    write_rows(3, 4, 4, false);
    seen_rows seen = read_rows();
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.steps[3], 4);
    write_rows(0, 1, 1, false);
    assert_int_equal(read_rows().count, 1);
}

static void test_resume__a_torn_or_damaged_row_is_dropped(void **state)
{
    (void)state;
    write_rows(-1, 1, 2, false);
    FILE *file = fopen(log_path, "ab");
    (void)fputs("{\"step\":3,\"loss\n{\"loss\":1}\n{\"step\":3,\"lo", file);
    (void)fclose(file);
    judo_log_setup(0, 1, JUDO_LOG_ERROR);
    write_rows(2, 3, 3, false);
    seen_rows seen = read_rows();
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.steps[2], 3);
}

static void test_crc32c__known_answers(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(judo_crc32c(0, "123456789", 9), 0xE3069283u);
    assert_int_equal(judo_crc32c(0, bytes, 32), 0x8A9136AAu);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(judo_crc32c(0, bytes, 32), 0x62A8AB43u);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(judo_crc32c(0, bytes, 32), 0x46DD794Eu);
    assert_int_equal(judo_crc32c(judo_crc32c(0, bytes, 13), bytes + 13, 19), 0x46DD794Eu);
    assert_int_equal(judo_crc32c(0, "", 0), 0);
}

static uint32_t masked(const void *data, size_t bytes)
{
    uint32_t crc = judo_crc32c(0, data, bytes);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

/* Checks the frame at `at` and sets its payload; returns the position behind it. */
static size_t read_frame(const char *text, size_t length, size_t at, const char **payload,
                         size_t *bytes)
{
    uint64_t size = 0;
    uint32_t crc = 0;
    assert_true(at + 12 <= length);
    memcpy(&size, text + at, 8);
    memcpy(&crc, text + at + 8, 4);
    assert_int_equal(crc, masked(text + at, 8));
    assert_true(size <= length - at - 16);
    memcpy(&crc, text + at + 12 + size, 4);
    assert_int_equal(crc, masked(text + at + 12, size));
    *payload = text + at + 12;
    *bytes = size;
    return at + 16 + size;
}

static void test_events__frames_hold_version_restart_and_scalars(void **state)
{
    (void)state;
    char name[512];
    write_rows(-1, 1, 1, true);
    write_rows(299, 300, 300, true);
    assert_int_equal(count_events(name, sizeof name), 2);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(judo_file_read_all(name, 10000, &text, &length), JUDO_OK);
    const char *payload = NULL;
    size_t bytes = 0;
    size_t at = read_frame(text, length, 0, &payload, &bytes);
    assert_int_equal(bytes, 9 + 2 + 15);
    assert_memory_equal(payload + 9,
                        "\x10\x00\x1a\x0d"
                        "brain.Event:2",
                        17);
    at = read_frame(text, length, at, &payload, &bytes);
    assert_int_equal(bytes, 9 + 3 + 4);
    assert_memory_equal(payload + 9, "\x10\xac\x02\x3a\x02\x08\x01", 7);
    at = read_frame(text, length, at, &payload, &bytes);
    assert_int_equal(payload[0], 0x09);
    /* step 300, summary of 26 bytes: loss = float(1/300), norm = 300 */
    assert_memory_equal(payload + 9,
                        "\x10\xac\x02\x2a\x1a"
                        "\x0a\x0b\x0a\x04loss\x15\x0e\x74\x5a\x3b"
                        "\x0a\x0b\x0a\x04norm\x15\x00\x00\x96\x43",
                        bytes - 9);
    assert_int_equal(at, length);
    free(text);
}

static void test_console__prints_every_nth_row_on_one_line(void **state)
{
    (void)state;
    char name[128];
    (void)snprintf(name, sizeof name, "%s/stderr", folder);
    (void)fflush(stderr);
    int kept = dup(STDERR_FILENO);
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    judo_log_setup(0, 1, JUDO_LOG_INFO);
    judo_metrics *m = NULL;
    judo_status status = judo_metrics_open(folder, -1, false, &m);
    judo_metrics_set_console_every(m, 2);
    for (int64_t step = 1; status == JUDO_OK && step <= 3; step++) {
        judo_metrics_begin(m, step);
        judo_metrics_put(m, "loss", 1.23456789);
        judo_metrics_put(m, "rate", 1e-5);
        status = judo_metrics_end(m);
    }
    judo_metrics_close(&m);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    (void)close(file);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(status, JUDO_OK);
    assert_int_equal(judo_file_read_all(name, 10000, &text, &length), JUDO_OK);
    (void)unlink(name);
    assert_string_equal(text, "step      1  loss 1.235      rate 1e-05\n"
                              "step      3  loss 1.235      rate 1e-05\n");
    free(text);
}

static void test_null__is_accepted_everywhere(void **state)
{
    (void)state;
    judo_metrics *none = NULL;
    judo_metrics_set_console_every(none, 3);
    judo_metrics_begin(none, 1);
    judo_metrics_put(none, "loss", 1);
    assert_int_equal(judo_metrics_end(none), JUDO_OK);
    judo_metrics_close(&none);
}

static void test_open__an_impossible_folder_is_named(void **state)
{
    (void)state;
    judo_metrics *m = NULL;
    assert_int_equal(judo_metrics_open("/dev/null/x", -1, true, &m), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "/dev/null"));
    assert_null(m);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_rows__are_json_lines_that_append),
        WITH_FOLDER(test_resume__later_rows_are_cut_off),
        WITH_FOLDER(test_resume__a_torn_or_damaged_row_is_dropped),
        WITH_FOLDER(test_events__frames_hold_version_restart_and_scalars),
        WITH_FOLDER(test_console__prints_every_nth_row_on_one_line),
        cmocka_unit_test(test_crc32c__known_answers),
        cmocka_unit_test(test_null__is_accepted_everywhere),
        cmocka_unit_test(test_open__an_impossible_folder_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
