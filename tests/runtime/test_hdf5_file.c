/* tests/runtime/test_hdf5_file.c: files of our own, of h5py, damaged ones, and positioned
 * reads. */
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
#include "runtime/hdf5_file.h"

static const char *const golden = "tests/golden/runtime/h5py.h5";
static char path[64];
static char partial[128];

static int make_path(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/judo_hdf5_%ld.h5", (long)getpid());
    (void)snprintf(partial, sizeof partial, "%s.partial.%ld", path, (long)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void expect_message(judo_status status, judo_status expected, const char *part)
{
    if (status != expected || strstr(judo_error_message(), part) == NULL) {
        fail_msg("expected %d '%s', got %d '%s'", expected, part, status, judo_error_message());
    }
}

static const float floats[6] = {0, 1, 2, 3, 4.5f, -6};

static void write_sample(void)
{
    judo_hdf5_file *file = NULL;
    const uint64_t words[2] = {UINT64_MAX, 1};
    const char *const texts[] = {"one", "", "thr\0e", "\xc3\xa4"};
    const size_t lengths[] = {3, 0, 5, 2};
    (void)unlink(path);
    assert_int_equal(judo_hdf5_create(path, &file), JUDO_OK);
    assert_int_equal(
        judo_hdf5_write(file, "/a/b/grid", JUDO_HDF5_F32, (int64_t[]){2, 3}, 2, floats),
        JUDO_OK);
    assert_int_equal(judo_hdf5_write(file, "words", JUDO_HDF5_U64, (int64_t[]){2}, 1, words),
                     JUDO_OK);
    assert_int_equal(judo_hdf5_write(file, "empty", JUDO_HDF5_I64, (int64_t[]){0, 3}, 2, NULL),
                     JUDO_OK);
    assert_int_equal(judo_hdf5_write_strings(file, "/texts", texts, lengths, 4), JUDO_OK);
    assert_int_equal(judo_hdf5_write_strings(file, "/plain", texts, NULL, 2), JUDO_OK);
    assert_int_equal(judo_hdf5_write_strings(file, "/nothing", NULL, NULL, 0), JUDO_OK);
    assert_int_equal(judo_hdf5_write_begin(file, "/images/pixels", 10), JUDO_OK);
    assert_int_equal(judo_hdf5_write_append(file, "01234", 5), JUDO_OK);
    assert_int_equal(judo_hdf5_write_append(file, "", 0), JUDO_OK);
    assert_int_equal(judo_hdf5_write_append(file, "56789", 5), JUDO_OK);
    assert_int_equal(judo_hdf5_write_end(file), JUDO_OK);
    assert_int_equal(judo_hdf5_set_attribute_string(file, "made", "by \xc3\xa4"), JUDO_OK);
    assert_int_equal(judo_hdf5_set_attribute_string(file, "void", ""), JUDO_OK);
    assert_int_equal(judo_hdf5_set_attribute_int(file, "version", INT64_MIN), JUDO_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(judo_hdf5_commit(&file), JUDO_OK);
    assert_null(file);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(partial, F_OK), 0);
}

static judo_hdf5_file *open_file(const char *name)
{
    judo_hdf5_file *file = NULL;
    if (judo_hdf5_open(name, &file) != JUDO_OK) {
        fail_msg("%s", judo_error_message());
    }
    return file;
}

static void test_round_trip__arrays_come_back(void **state)
{
    (void)state;
    write_sample();
    judo_hdf5_file *file = open_file(path);
    void *values = NULL;
    int64_t dims[JUDO_HDF5_MAX_DIMS];
    int num_dims = 0;
    assert_int_equal(
        judo_hdf5_read(file, "a/b/grid", JUDO_HDF5_F32, 6, &values, dims, &num_dims), JUDO_OK);
    assert_int_equal(num_dims, 2);
    assert_int_equal(dims[0], 2);
    assert_int_equal(dims[1], 3);
    assert_memory_equal(values, floats, sizeof floats);
    free(values);
    assert_int_equal(judo_hdf5_read(file, "words", JUDO_HDF5_U64, 2, &values, NULL, NULL),
                     JUDO_OK);
    assert_true(*(uint64_t *)values == UINT64_MAX);
    free(values);
    assert_int_equal(judo_hdf5_read(file, "empty", JUDO_HDF5_I64, 0, &values, dims, NULL),
                     JUDO_OK);
    assert_int_equal(dims[0], 0);
    free(values);
    assert_true(judo_hdf5_has(file, "/a/b/grid") && judo_hdf5_has(file, "a/b"));
    assert_false(judo_hdf5_has(file, "/a/c/grid") || judo_hdf5_has(file, "words/x"));
    judo_hdf5_close(&file);
    assert_null(file);
}

static void test_round_trip__strings_and_attributes_come_back(void **state)
{
    (void)state;
    write_sample();
    judo_hdf5_file *file = open_file(path);
    judo_hdf5_strings texts = {0};
    assert_int_equal(judo_hdf5_read_strings(file, "/texts", 50, &texts), JUDO_OK);
    assert_int_equal(texts.count, 4);
    assert_int_equal(texts.offsets[2], 3);
    assert_memory_equal(texts.bytes + texts.offsets[2], "thr\0e\xc3\xa4", 7);
    judo_hdf5_strings_free(&texts);
    expect_message(judo_hdf5_read_strings(file, "/texts", 49, &texts), JUDO_ERROR_FORMAT,
                   "more than the limit");
    assert_int_equal(judo_hdf5_read_strings(file, "/plain", 50, &texts), JUDO_OK);
    assert_int_equal(texts.offsets[2], 3);
    judo_hdf5_strings_free(&texts);
    assert_int_equal(judo_hdf5_read_strings(file, "/nothing", 50, &texts), JUDO_OK);
    assert_int_equal(texts.count, 0);
    judo_hdf5_strings_free(&texts);

    char *text = NULL;
    int64_t number = 0;
    assert_int_equal(judo_hdf5_get_attribute_string(file, "made", &text), JUDO_OK);
    assert_string_equal(text, "by \xc3\xa4");
    free(text);
    assert_int_equal(judo_hdf5_get_attribute_string(file, "void", &text), JUDO_OK);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(judo_hdf5_get_attribute_int(file, "version", &number), JUDO_OK);
    assert_true(number == INT64_MIN);
    expect_message(judo_hdf5_get_attribute_int(file, "made", &number), JUDO_ERROR_FORMAT,
                   "attribute 'made': is missing or not one integer");
    expect_message(judo_hdf5_get_attribute_string(file, "zz", &text), JUDO_ERROR_FORMAT,
                   "attribute 'zz'");
    judo_hdf5_close(&file);
}

static void test_extent__bytes_are_read_without_the_library(void **state)
{
    (void)state;
    write_sample();
    judo_hdf5_file *file = open_file(path);
    judo_hdf5_extent extent;
    char text[5] = "";
    assert_int_equal(judo_hdf5_dataset_extent(file, "/images/pixels", &extent), JUDO_OK);
    assert_int_equal(extent.type, JUDO_HDF5_U8);
    assert_int_equal(extent.bytes, 10);
    assert_int_equal(judo_hdf5_pread(file, &extent, 4, 4, text), JUDO_OK);
    assert_string_equal(text, "4567");
    assert_int_equal(judo_hdf5_pread(file, &extent, 10, 0, text), JUDO_OK);
    assert_int_equal(judo_hdf5_pread(file, &extent, 7, 4, text), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_hdf5_pread(file, &extent, -1, 1, text), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_hdf5_dataset_extent(file, "empty", &extent), JUDO_OK);
    assert_int_equal(extent.bytes, 0);
    assert_int_equal(extent.num_dims, 2);
    judo_hdf5_close(&file);
}

static void test_write__mistakes_are_named_and_leave_nothing(void **state)
{
    (void)state;
    (void)unlink(path);
    judo_hdf5_file *file = NULL;
    int64_t two = 2;
    int64_t bad[] = {INT64_MAX, 2};
    assert_int_equal(judo_hdf5_create(path, &file), JUDO_OK);
    assert_int_equal(judo_hdf5_write(file, "x", JUDO_HDF5_U8, &two, 1, "ab"), JUDO_OK);
    expect_message(judo_hdf5_write(file, "x", JUDO_HDF5_U8, &two, 1, "ab"), JUDO_ERROR_IO,
                   "dataset 'x': cannot be written");
    expect_message(judo_hdf5_write(file, "y", JUDO_HDF5_U8, bad, 2, "ab"), JUDO_ERROR_ARGUMENT,
                   "overflow");
    expect_message(judo_hdf5_write(file, "y", JUDO_HDF5_U8, bad, 0, "ab"), JUDO_ERROR_ARGUMENT,
                   "1 to 4 dimensions");
    expect_message(judo_hdf5_write_append(file, "a", 1), JUDO_ERROR_ARGUMENT, "no dataset");
    expect_message(judo_hdf5_write_end(file), JUDO_ERROR_ARGUMENT, "no dataset");
    expect_message(judo_hdf5_write_begin(file, "x", 3), JUDO_ERROR_IO, "cannot be created");
    assert_int_equal(judo_hdf5_write_begin(file, "z", 3), JUDO_OK);
    expect_message(judo_hdf5_write_begin(file, "w", 3), JUDO_ERROR_ARGUMENT, "not ended");
    expect_message(judo_hdf5_write_append(file, "abcd", 4), JUDO_ERROR_ARGUMENT,
                   "4 more bytes do not fit behind 0 of 3");
    assert_int_equal(judo_hdf5_write_append(file, "ab", 2), JUDO_OK);
    expect_message(judo_hdf5_write_end(file), JUDO_ERROR_ARGUMENT, "only 2 of 3");
    assert_int_equal(access(partial, F_OK), 0);
    expect_message(judo_hdf5_commit(&file), JUDO_ERROR_ARGUMENT, "dataset 'z': is not ended");
    assert_null(file);
    assert_int_not_equal(access(partial, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);

    assert_int_equal(judo_hdf5_create(path, &file), JUDO_OK);
    assert_int_equal(judo_hdf5_set_attribute_int(file, "n", 1), JUDO_OK);
    expect_message(judo_hdf5_set_attribute_int(file, "n", 2), JUDO_ERROR_IO, "attribute 'n'");
    judo_hdf5_close(&file);
    assert_int_not_equal(access(partial, F_OK), 0);
    expect_message(judo_hdf5_create("/no/such/folder/x.h5", &file), JUDO_ERROR_IO,
                   "/no/such/folder/x.h5");
}

static void test_read__files_of_h5py_are_understood(void **state)
{
    (void)state;
    judo_hdf5_file *file = open_file(golden);
    void *values = NULL;
    char *text = NULL;
    int64_t number = 0;
    assert_int_equal(judo_hdf5_read(file, "grid", JUDO_HDF5_I32, 6, &values, NULL, NULL),
                     JUDO_OK);
    assert_int_equal(((int32_t *)values)[5], 5);
    free(values);
    assert_int_equal(judo_hdf5_read(file, "chunked", JUDO_HDF5_U64, 4, &values, NULL, NULL),
                     JUDO_OK);
    assert_int_equal(((uint64_t *)values)[3], 3);
    free(values);
    assert_int_equal(judo_hdf5_get_attribute_string(file, "text", &text), JUDO_OK);
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f"
                              "e");
    free(text);
    assert_int_equal(judo_hdf5_get_attribute_string(file, "fixed", &text), JUDO_OK);
    assert_string_equal(text, "fixed");
    free(text);
    assert_int_equal(judo_hdf5_get_attribute_int(file, "number", &number), JUDO_OK);
    assert_int_equal(number, 42);
    judo_hdf5_strings good = {0};
    assert_int_equal(judo_hdf5_read_strings(file, "good", 100, &good), JUDO_OK);
    assert_int_equal(good.count, 3);
    judo_hdf5_strings_free(&good);
    judo_hdf5_close(&file);
}

static void test_read__what_does_not_fit_is_refused_by_name(void **state)
{
    (void)state;
    judo_hdf5_file *file = open_file(golden);
    void *v = NULL;
    int64_t number = 0;
    judo_hdf5_extent extent;
    judo_hdf5_strings strings = {0};

    const struct {
        const char *name;
        judo_hdf5_type type;
        const char *part;
    } cases[] = {
        {"zz", JUDO_HDF5_U8, "dataset 'zz': is missing or not a dataset"},
        {"good", JUDO_HDF5_U8, "is missing or not a dataset"},
        {"grid", JUDO_HDF5_F32, "holds i32, expected f32"},
        {"grid", JUDO_HDF5_I32, "6 elements are more than the limit of 5"},
        {"big_endian", JUDO_HDF5_I32, "element type"},
        {"double", JUDO_HDF5_F32, "element type"},
        {"scalar", JUDO_HDF5_I64, "1 to 4 dimensions"},
        {"huge", JUDO_HDF5_U64, "more than the limit"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_message(judo_hdf5_read(file, cases[i].name, cases[i].type, 5, &v, NULL, NULL),
                       JUDO_ERROR_FORMAT, cases[i].part);
        assert_non_null(strstr(judo_error_message(), golden));
    }
    expect_message(judo_hdf5_dataset_extent(file, "chunked", &extent), JUDO_ERROR_FORMAT,
                   "not stored contiguously");
    expect_message(judo_hdf5_get_attribute_int(file, "pair", &number), JUDO_ERROR_FORMAT,
                   "attribute 'pair'");
    expect_message(judo_hdf5_read_strings(file, "falling", 100, &strings), JUDO_ERROR_FORMAT,
                   "'falling/offsets': falls at entry 2");
    expect_message(judo_hdf5_read_strings(file, "short", 100, &strings), JUDO_ERROR_FORMAT,
                   "does not run from 0 to 3");
    expect_message(judo_hdf5_read_strings(file, "late", 100, &strings), JUDO_ERROR_FORMAT,
                   "does not run from 0 to 3");
    expect_message(judo_hdf5_read_strings(file, "none", 100, &strings), JUDO_ERROR_FORMAT,
                   "does not run from 0 to 0");
    expect_message(judo_hdf5_write(file, "x", JUDO_HDF5_U8, &number, 1, "a"),
                   JUDO_ERROR_ARGUMENT, "reading only");
    expect_message(judo_hdf5_commit(&file), JUDO_ERROR_ARGUMENT, "open for reading");
    assert_null(file);
    assert_int_equal(access(golden, F_OK), 0);
}

static void test_open__damaged_files_are_refused(void **state)
{
    (void)state;
    judo_hdf5_file *file = NULL;
    expect_message(judo_hdf5_open("no/such.h5", &file), JUDO_ERROR_IO,
                   "no/such.h5: cannot open");
    write_sample();
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(judo_file_read_all(path, 1 << 20, &text, &length), JUDO_OK);
    free(text);
    assert_int_equal(truncate(path, (off_t)length - 1), 0);
    expect_message(judo_hdf5_open(path, &file), JUDO_ERROR_FORMAT,
                   "not an HDF5 file, or cut off");
    assert_int_equal(truncate(path, 0), 0);
    expect_message(judo_hdf5_open(path, &file), JUDO_ERROR_FORMAT, "not an HDF5 file");
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip__arrays_come_back),
        cmocka_unit_test(test_round_trip__strings_and_attributes_come_back),
        cmocka_unit_test(test_extent__bytes_are_read_without_the_library),
        cmocka_unit_test(test_write__mistakes_are_named_and_leave_nothing),
        cmocka_unit_test(test_read__files_of_h5py_are_understood),
        cmocka_unit_test(test_read__what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(test_open__damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
