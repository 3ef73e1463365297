/* tests/runtime/test_safetensors.c: files of the hub, our own files, and hostile ones. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/json.h"
#include "runtime/safetensors.h"

#ifdef __SANITIZE_ADDRESS__
static const bool is_sanitized = true; /* time and memory are not the product's */
#else
static const bool is_sanitized = false;
#endif

static char path[64];

static int make_path(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/judo_safetensors_%ld", (long)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

/* A file with this header length word, header and number of data bytes (a sparse run). */
static void write_file(uint64_t word, const char *header, int64_t data_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    size_t length = strlen(header);
    assert_int_equal(fwrite(&word, sizeof word, 1, file), 1);
    assert_int_equal(fwrite(header, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(truncate(path, (off_t)(8 + (int64_t)length + data_bytes)), 0);
}

static void expect_refused(const char *part)
{
    judo_safetensors *file = NULL;
    clock_t started = clock();
    if (judo_safetensors_open(path, &file) == JUDO_OK) {
        fail_msg("accepted; expected '%s'", part);
    }
    assert_null(file);
    assert_true(is_sanitized || clock() - started < CLOCKS_PER_SEC); /* of processor time */
    assert_non_null(strstr(judo_error_message(), path));
    if (strstr(judo_error_message(), part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, judo_error_message());
    }
}

#define T(name, dtype, shape, begin, end)                                                      \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin       \
    "," end "]}"

static void test_open__hostile_headers_are_refused_by_name(void **state)
{
    (void)state;

    static const struct {
        const char *header;
        int64_t data_bytes;
        const char *part;
    } cases[] = {
        {"[]", 0, "does not begin with '{'"},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "4", "12") "}", 12,
         "overlapping"},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "12", "20") "}", 20,
         "hole"},
        {"{" T("a", "F32", "[2]", "4", "12") "}", 12, "hole"},
        {"{" T("a", "F99", "[2]", "0", "8") "}", 8, "unknown dtype 'F99'"},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("a", "F32", "[2]", "8", "16") "}", 16,
         "duplicate tensor 'a'"},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("\\u0061", "F32", "[0]", "8", "8") "}", 8,
         "duplicate tensor 'a'"},
        {"{" T("a", "F32", "[2]", "0", "8") "}", 9, "1 trailing bytes"},
        {"{" T("a", "F32", "[2]", "0", "8") "}", 7, "cut off"},
        {"{" T("a", "F32", "[4294967296,4294967296]", "0", "0") "}", 0, "overflows"},
        {"{" T("a", "F32", "[4503599627370496,1024]", "0", "0") "}", 0, "overflows"},
        {"{" T("a", "F32", "[9223372036854775808]", "0", "0") "}", 0, "at most 2^53"},
        {"{" T("a", "F32", "[3]", "0", "8") "}", 8, "the shape needs 12 bytes"},
        {"{" T("a", "F32", "[-1]", "0", "8") "}", 8, "negative"},
        {"{" T("a", "F32", "[1.5]", "0", "8") "}", 8, "not an integer"},
        {"{" T("a", "F32", "[2]", "8", "0") "}", 8, "backwards"},
        {"{" T("a", "F32", "[2]", "-8", "0") "}", 8, "backwards"},
        {"{" T("a", "F32", "[1,1,1,1,1,2]", "0", "8") "}", 8, "dimensions"},
        {"{" T("a", "F32", "[[[2]]]", "0", "8") "}", 8, "nested too deeply"},
        {"{\"a\":{\"b\":{\"c\":{\"d\":1}}}}", 0, "nested too deeply"},
        {"{\"a\":7}", 0, "not an object"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "appears twice"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4,
         "unknown key 'x'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,4]}}", 4, "not a list"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "not a pair"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'dtype' is missing"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
        {"{\"__metadata__\":[]}", 0, "not an object"},
        {"{} x", 0, "expected the end"},
        {"{\"a\":", 0, "expected a value"},
        {"{\"\xff\":1}", 0, "UTF-8"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(strlen(cases[i].header), cases[i].header, cases[i].data_bytes);
        expect_refused(cases[i].part);
    }
}

static void test_open__a_header_length_that_lies_is_refused(void **state)
{
    (void)state;
    write_file(UINT64_C(1) << 63, "{}", 0);
    expect_refused("more than the limit");
    write_file(UINT64_MAX, "{}", 0);
    expect_refused("more than the limit");
    write_file(100000001, "{}", 200000000);
    expect_refused("more than the limit");
    write_file(3, "{}", 0);
    expect_refused("cut off");
    assert_int_equal(truncate(path, 7), 0);
    expect_refused("too few");
    write_file(0, "", 0);
    expect_refused("does not begin");
}

static void write_many(int count, const char *offsets)
{
    judo_json_writer w = {0};
    judo_json_begin_object(&w, NULL);
    for (int i = 0; i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "t%d", i);
        judo_json_begin_object(&w, name);
        judo_json_put_string(&w, "dtype", "F32");
        judo_json_begin_array(&w, "shape");
        judo_json_put_int(&w, NULL, 1);
        judo_json_end_array(&w);
        judo_json_begin_array(&w, "data_offsets");
        judo_json_put_int(&w, NULL, offsets ? 0 : 4 * (int64_t)i);
        judo_json_put_int(&w, NULL, offsets ? 4 : 4 * (int64_t)i + 4);
        judo_json_end_array(&w);
        judo_json_end_object(&w);
    }
    judo_json_end_object(&w);
    write_file(w.length, w.text, 4 * (int64_t)count);
    judo_json_writer_free(&w);
}

/* In a fresh process: what the parent used before must not count. */
static void expect_refused_in_64_megabytes(const char *part)
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rusage before;
        struct rusage after;
        (void)getrusage(RUSAGE_SELF, &before);
        expect_refused(part);
        (void)getrusage(RUSAGE_SELF, &after);
        _exit(after.ru_maxrss - before.ru_maxrss < 64 * 1024 ? 0 : 9);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void test_open__too_many_tensors_are_refused_fast_and_small(void **state)
{
    (void)state;
    if (is_sanitized) {
        skip();
    }
    write_many(100002, NULL);
    expect_refused_in_64_megabytes("too many members");
    write_many(100001, NULL);
    expect_refused_in_64_megabytes("more than 100000 tensors");
    write_many(100000, "overlapping");
    expect_refused_in_64_megabytes("overlapping");
}

static void test_open__the_largest_count_is_accepted(void **state)
{
    (void)state;
    const int count = is_sanitized ? 5000 : 100000; /* slow there */
    write_many(count, NULL);
    judo_safetensors *file = NULL;
    assert_int_equal(judo_safetensors_open(path, &file), JUDO_OK);
    assert_int_equal(judo_safetensors_count(file), count);
    assert_int_equal(judo_safetensors_find(file, "t4777")->begin, 4 * 4777);
    judo_safetensors_close(&file);
}

static void test_read__a_hub_file_is_understood(void **state)
{
    (void)state;
    judo_safetensors *file = NULL;
    assert_int_equal(judo_safetensors_open("tests/golden/runtime/hub.safetensors", &file),
                     JUDO_OK);
    assert_int_equal(judo_safetensors_count(file), 5);
    float values[6] = {0};
    const judo_safetensors_entry *a = judo_safetensors_find(file, "a.weight");
    assert_int_equal(a->num_dims, 2);
    assert_int_equal(a->dims[1], 3);
    assert_int_equal(judo_safetensors_read(file, a, 1, 5, values), JUDO_OK);
    assert_true(values[0] == 0.25f && values[4] == 1.25f);
    const judo_safetensors_entry *b = judo_safetensors_find(file, "b.weight");
    assert_int_equal(b->dtype, JUDO_BF16);
    assert_int_equal(judo_safetensors_read(file, b, 1, 2, values), JUDO_OK);
    assert_true(values[0] == -2.5f && values[1] == 3.140625f);
    const judo_safetensors_entry *c = judo_safetensors_find(file, "c.half");
    assert_int_equal(judo_safetensors_read(file, c, 0, 2, values), JUDO_OK);
    assert_true(values[0] == 0.5f && values[1] == 65504.0f);
    const judo_safetensors_entry *empty = judo_safetensors_find(file, "e.empty");
    assert_int_equal(judo_safetensors_read(file, empty, 0, 0, values), JUDO_OK);
    const judo_safetensors_entry *scalar = judo_safetensors_find(file, "f.scalar");
    assert_int_equal(scalar->num_dims, 0);
    assert_int_equal(judo_safetensors_read(file, scalar, 0, 1, values), JUDO_OK);
    assert_true(values[0] == 7.0f);

    const judo_safetensors_entry *d = judo_safetensors_find(file, "d.position_ids");
    assert_int_equal((int)d->dtype, JUDO_SAFETENSORS_OTHER);
    assert_int_equal(judo_safetensors_read(file, d, 0, 1, values), JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(judo_safetensors_read(file, a, 5, 2, values), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_safetensors_read(file, a, -1, 1, values), JUDO_ERROR_ARGUMENT);
    assert_null(judo_safetensors_find(file, "z"));
    assert_null(judo_safetensors_entry_at(file, 5));
    assert_null(judo_safetensors_entry_at(file, -1));
    judo_safetensors_close(&file);
}

static judo_safetensors_plan *make_plan(int index[3])
{
    judo_safetensors_plan *plan = NULL;
    assert_int_equal(judo_safetensors_plan_create(path, &plan), JUDO_OK);
    assert_int_equal(
        judo_safetensors_plan_add(plan, "half", JUDO_BF16, (int64_t[]){40001}, 1, &index[0]),
        JUDO_OK);
    assert_int_equal(
        judo_safetensors_plan_add(plan, "full", JUDO_F32, (int64_t[]){3, 2}, 2, &index[1]),
        JUDO_OK);
    assert_int_equal(
        judo_safetensors_plan_add(plan, "none", JUDO_F16, (int64_t[]){0}, 1, &index[2]),
        JUDO_OK);
    return plan;
}

static void test_write__two_writers_fill_one_file(void **state)
{
    (void)state;
    int index[3];
    judo_safetensors_plan *one = make_plan(index);
    judo_safetensors_plan *two = make_plan(index);
    float full[6] = {1, 2, 3, 4, 5, 6};
    float *half = malloc(40001 * sizeof *half);
    for (int i = 0; i < 40001; i++) {
        half[i] = (float)(i % 100);
    }
    assert_int_equal(judo_safetensors_create_file(one), JUDO_OK);
    assert_int_equal(judo_safetensors_write(two, index[0], 35000, 5001, half + 35000), JUDO_OK);
    assert_int_equal(judo_safetensors_write(one, index[0], 0, 35000, half), JUDO_OK);
    assert_int_equal(judo_safetensors_write(two, index[1], 0, 6, full), JUDO_OK);
    assert_int_equal(judo_safetensors_write(two, index[1], 5, 2, full), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_safetensors_sync(one), JUDO_OK);
    assert_int_equal(judo_safetensors_sync(two), JUDO_OK);
    int64_t planned = judo_safetensors_plan_bytes(two);
    judo_safetensors_plan_destroy(&one);
    judo_safetensors_plan_destroy(&two);

    int descriptor = open(path, O_RDONLY);
    assert_int_equal(lseek(descriptor, 0, SEEK_END), planned);
    uint64_t header = 0;
    assert_int_equal(pread(descriptor, &header, 8, 0), 8);
    assert_int_equal(header % 8, 0);
    (void)close(descriptor);

    judo_safetensors *file = NULL;
    assert_int_equal(judo_safetensors_open(path, &file), JUDO_OK);
    assert_string_equal(judo_safetensors_entry_at(file, 0)->name, "full");
    float *back = malloc(40001 * sizeof *back);
    assert_int_equal(
        judo_safetensors_read(file, judo_safetensors_find(file, "half"), 0, 40001, back),
        JUDO_OK);
    assert_memory_equal(back, half, 40001 * sizeof *back);
    assert_int_equal(
        judo_safetensors_read(file, judo_safetensors_find(file, "full"), 0, 6, back), JUDO_OK);
    assert_memory_equal(back, full, sizeof full);
    judo_safetensors_close(&file);
    free(half);
    free(back);
}

static void test_write__meaningless_plans_are_refused(void **state)
{
    (void)state;
    int index[3];
    int more = -1;
    judo_safetensors_plan *plan = make_plan(index);
    int64_t one[] = {1};
    int64_t huge[] = {INT64_MAX / 2};
    assert_int_equal(judo_safetensors_plan_add(plan, "half", JUDO_F32, one, 1, &more),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_safetensors_plan_add(plan, "x", JUDO_U8, one, 1, &more),
                     JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(judo_safetensors_plan_add(plan, "x", JUDO_F32, huge, 1, &more),
                     JUDO_ERROR_ARGUMENT);
    assert_true(judo_safetensors_plan_bytes(plan) > 0);
    assert_int_equal(judo_safetensors_plan_add(plan, "x", JUDO_F32, one, 1, &more),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(more, -1);
    (void)unlink(path);
    float value = 0;
    assert_int_equal(judo_safetensors_write(plan, 1, 0, 1, &value), JUDO_ERROR_IO);
    judo_safetensors_plan_destroy(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__hostile_headers_are_refused_by_name),
        cmocka_unit_test(test_open__a_header_length_that_lies_is_refused),
        cmocka_unit_test(test_open__too_many_tensors_are_refused_fast_and_small),
        cmocka_unit_test(test_open__the_largest_count_is_accepted),
        cmocka_unit_test(test_read__a_hub_file_is_understood),
        cmocka_unit_test(test_write__two_writers_fill_one_file),
        cmocka_unit_test(test_write__meaningless_plans_are_refused),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
