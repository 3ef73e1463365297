/* tests/runtime/test_json.c: strict reading, typed access, lines, and writing that reads back.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/json.h"

static judo_json *parse(const char *text)
{
    judo_json *document = NULL;
    judo_status status = judo_json_parse(text, strlen(text), "doc", &document);
    if (status != JUDO_OK) {
        fail_msg("%s: %s", text, judo_error_message());
    }
    return document;
}

static void expect_refused(const char *text, size_t length, const char *part)
{
    judo_json *document = NULL;
    if (judo_json_parse(text, length, "doc", &document) != JUDO_ERROR_FORMAT) {
        fail_msg("accepted: %s", text);
    }
    assert_null(document);
    assert_int_equal(strncmp(judo_error_message(), "doc: ", 5), 0);
    if (strstr(judo_error_message(), part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, judo_error_message());
    }
}

static void test_parse__malformed_text_is_refused_by_name(void **state)
{
    (void)state;

    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "expected a value, found the end"},
        {"{} x", "expected the end of the document, found 'x'"},
        {"{\"a\":1,}", "expected a key in quotes"},
        {"[1,]", "expected a value"},
        {"[1 2]", "expected ',' or ']'"},
        {"{\"a\" 1}", "expected ':'"},
        {"{\"a\":1", "expected ',' or '}'"},
        {"01", "must not start with 0"},
        {"1.", "digits after the decimal point"},
        {"1e", "digits in the exponent"},
        {"+1", "expected a value"},
        {".5", "expected a value"},
        {"NaN", "expected a value"},
        {"-Infinity", "expected a value"},
        {"tru", "expected a value"},
        {"1e999", "too large"},
        {"\"\\x\"", "unknown escape"},
        {"\"abc", "unterminated"},
        {"\"a\nb\"", "control character"},
        {"\"\\u0000\"", "\\u0000"},
        {"\"\\ud800\"", "lone surrogate"},
        {"\"\\udc00\"", "lone surrogate"},
        {"\"\\u12g4\"", "hexadecimal"},
        {"\"\xff\"", "invalid UTF-8"},
        {"\"\xc0\x80\"", "invalid UTF-8"},
        {"\"\xed\xa0\x80\"", "invalid UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "invalid UTF-8"},
        {"\"\xe2\x82\"", "invalid UTF-8"},
        {"\xef\xbb\xbf{}", "expected a value"},
        {"{\"a\":1,\"b\":{\"c\":1,\"\\u0063\":2}}", "key 'c' appears twice"},
        {"\n\n [1, ?]", "line 3, byte 7"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_refused(cases[i].text, strlen(cases[i].text), cases[i].part);
    }
    expect_refused("[1\0]", 4, "byte 0x00");
    expect_refused("\"a\0b\"", 5, "control character");
}

static void test_parse__depth_is_limited(void **state)
{
    (void)state;
    char text[140];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    expect_refused(text, 130, "nested too deeply");
    judo_json *document = NULL;
    assert_int_equal(judo_json_parse(text + 1, 128, "doc", &document), JUDO_OK);
    judo_json_free(&document);
    assert_null(document);
}

static void test_parse__a_long_number_is_refused(void **state)
{
    (void)state;
    char text[80];
    memset(text, '1', sizeof text);
    expect_refused(text, 64, "63 characters");
}

static void test_parse__text_needs_no_terminator(void **state)
{
    (void)state;
    judo_json *document = NULL;
    char *text = malloc(2);
    memcpy(text, "12", 2);
    assert_int_equal(judo_json_parse(text, 2, "doc", &document), JUDO_OK);
    int64_t value = 0;
    assert_int_equal(judo_json_as_int(document, "doc", &value), JUDO_OK);
    assert_int_equal(value, 12);
    judo_json_free(&document);
    free(text);
}

static void test_parse__a_vocabulary_is_checked_in_reasonable_time(void **state)
{
    (void)state;
    judo_json_writer w = {0};
    judo_json_begin_object(&w, NULL);
    for (int i = 0; i < 150000; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "token%d", i);
        judo_json_put_int(&w, key, i);
    }
    judo_json_end_object(&w);
    judo_json *document = NULL;
    assert_int_equal(judo_json_parse(w.text, w.length, "vocab", &document), JUDO_OK);
    assert_int_equal(judo_json_size(document), 150000);
    judo_json_free(&document);
    judo_json_writer_free(&w);
}

static void test_get__types_are_checked_and_explained(void **state)
{
    (void)state;
    judo_json *d = parse("{\"s\":\"x\",\"i\":3,\"f\":1.5,\"b\":true,\"n\":null,\"big\":1e300}");
    const char *text = "kept";
    int64_t integer = -1;
    double number = 0;
    bool flag = false;
    assert_int_equal(judo_json_get_string(d, "s", "doc", &text), JUDO_OK);
    assert_string_equal(text, "x");
    assert_int_equal(judo_json_get_int(d, "i", "doc", &integer), JUDO_OK);
    assert_int_equal(integer, 3);
    assert_int_equal(judo_json_get_double(d, "f", "doc", &number), JUDO_OK);
    assert_true(number == 1.5);
    assert_int_equal(judo_json_get_bool(d, "b", "doc", &flag), JUDO_OK);
    assert_true(flag);

    assert_int_equal(judo_json_get_int(d, "f", "doc", &integer), JUDO_ERROR_FORMAT);
    assert_string_equal(judo_error_message(),
                        "doc: key 'f': 1.5 is not an integer of at most 2^53");
    assert_int_equal(judo_json_get_int(d, "big", "doc", &integer), JUDO_ERROR_FORMAT);
    assert_int_equal(integer, 3);
    assert_int_equal(judo_json_get_string(d, "i", "doc", &text), JUDO_ERROR_FORMAT);
    assert_string_equal(judo_error_message(),
                        "doc: key 'i': expected a string, found a number");
    assert_int_equal(judo_json_get_bool(d, "zz", "doc", &flag), JUDO_ERROR_FORMAT);
    assert_string_equal(judo_error_message(),
                        "doc: key 'zz' is missing; expected true or false");

    assert_int_equal(judo_json_get_int_or(d, "n", "doc", 7, &integer), JUDO_OK);
    assert_int_equal(integer, 7);
    assert_int_equal(judo_json_get_string_or(d, "zz", "doc", "d", &text), JUDO_OK);
    assert_string_equal(text, "d");
    assert_int_equal(judo_json_get_double_or(d, "s", "doc", 1, &number), JUDO_ERROR_FORMAT);
    assert_int_equal(judo_json_get_bool_or(d, "zz", "doc", false, &flag), JUDO_OK);
    assert_false(flag);
    judo_json_free(&d);
}

static void test_structure__absent_things_are_null(void **state)
{
    (void)state;
    judo_json *d = parse(" {\"a\":[10,{\"k\":[]},\"\\u00e9\\ud83d\\ude00\"]} ");
    const judo_json *a = judo_json_get(d, "a");
    assert_int_equal(judo_json_size(a), 3);
    assert_true(judo_json_is_array(a));
    assert_null(judo_json_get(d, "A"));
    assert_null(judo_json_get(a, "a"));
    assert_null(judo_json_get(NULL, "a"));
    assert_null(judo_json_at(a, 3));
    assert_null(judo_json_at(d, 0));
    assert_int_equal(judo_json_size(judo_json_at(a, 0)), 0);
    assert_true(judo_json_is_null(NULL));
    assert_string_equal(judo_json_key(judo_json_first(d)), "a");
    const judo_json *last = judo_json_next(judo_json_next(judo_json_first(a)));
    const char *text = NULL;
    assert_int_equal(judo_json_as_string(last, "doc", &text), JUDO_OK);
    assert_string_equal(text, "\xc3\xa9\xf0\x9f\x98\x80");
    assert_null(judo_json_next(last));
    judo_json_free(&d);
}

static judo_status add_row(void *context, const judo_json *row, int64_t line)
{
    int64_t value = 0;
    JUDO_TRY(judo_json_get_int(row, "v", "row", &value));
    *(int64_t *)context += value * line;
    return JUDO_OK;
}

static judo_status each_line(const char *text, int64_t *sum)
{
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "rb");
    assert_non_null(stream);
    judo_status status = judo_json_each_line_of(stream, "in.jsonl", add_row, sum);
    (void)fclose(stream);
    return status;
}

static void test_lines__are_numbered_and_blank_ones_skipped(void **state)
{
    (void)state;
    int64_t sum = 0;
    assert_int_equal(each_line("{\"v\":1}\r\n\n  \n{\"v\":10}", &sum), JUDO_OK);
    assert_int_equal(sum, 41);
    assert_int_equal(each_line("{\"v\":1}\n\n{\"v\":1,}\n", &sum), JUDO_ERROR_FORMAT);
    assert_int_equal(strncmp(judo_error_message(), "in.jsonl:3: ", 12), 0);
    assert_int_equal(each_line("{\"v\":1}\n{\"w\":1}\n{", &sum), JUDO_ERROR_FORMAT);
    assert_string_equal(judo_error_message(), "row: key 'v' is missing; expected an integer");
}

static void test_load__a_missing_file_is_named(void **state)
{
    (void)state;
    judo_json *document = NULL;
    assert_int_equal(judo_json_load("no/such.json", &document), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "no/such.json: cannot open: No such file"));
    assert_int_equal(judo_json_each_line("no/such.jsonl", add_row, NULL), JUDO_ERROR_IO);
}

/* As Python's bytes.decode(errors="replace") puts them. */
static void test_write__each_broken_character_becomes_one_replacement(void **state)
{
    (void)state;

    static const struct {
        const char *bytes;
        int replacements;
    } rows[] = {
        {"\xE4\xB8", 1},         {"\xE4\xB8\xE4\xB8", 2},
        {"\xF0\x9F\x98", 1},     {"\xF0\x9F\x98\xF0", 2},
        {"\xE0\x80\x80", 3},     {"\xED\xA0\x80", 3},
        {"\xF4\x90\x80\x80", 4}, {"\xC0\xAF", 2},
        {"\x80\x80", 2},         {"\xF1\x80\xE1\x80\xC2", 3},
        {"\xF0\x8F\xBF\xBF", 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        judo_json_writer w = {0};
        judo_json_put_string(&w, NULL, rows[i].bytes);
        assert_int_equal(judo_json_writer_check(&w), JUDO_OK);
        assert_int_equal(w.length, 2 + 3 * rows[i].replacements);
        judo_json_writer_free(&w);
    }
}

static void test_write__text_is_compact_and_escaped(void **state)
{
    (void)state;
    judo_json_writer w = {0};
    judo_json_begin_object(&w, NULL);
    judo_json_put_string(&w, "s\"", "a\"\\\n\x01\xff\xc3\xa9");
    judo_json_begin_array(&w, "a");
    judo_json_put_int(&w, NULL, INT64_MIN);
    judo_json_put_bool(&w, NULL, true);
    judo_json_put_null(&w, NULL);
    judo_json_begin_object(&w, NULL);
    judo_json_end_object(&w);
    judo_json_end_array(&w);
    judo_json_put_string(&w, "n", NULL);
    judo_json_put_bytes(&w, "z", "a\0b", 3);
    judo_json_end_object(&w);
    assert_int_equal(judo_json_writer_check(&w), JUDO_OK);
    assert_string_equal(w.text, "{\"s\\\"\":\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\","
                                "\"a\":[-9223372036854775808,true,null,{}],\"n\":null,"
                                "\"z\":\"a\xef\xbf\xbd"
                                "b\"}");
    judo_json_writer_clear(&w);
    assert_int_equal(w.length, 0);
    judo_json_writer_free(&w);
}

static void test_write__numbers_are_shortest_and_read_back(void **state)
{
    (void)state;

    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1.0 / 3.0, "0.3333333333333333"},
                 {1e22, "1e+22"},
                 {5e-324, "5e-324"},
                 {DBL_MAX, "1.7976931348623157e+308"},
                 {-0.0, "-0"},
                 {NAN, "null"},
                 {INFINITY, "null"}};

    judo_json_writer w = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judo_json_writer_clear(&w);
        judo_json_put_double(&w, NULL, cases[i].value);
        assert_string_equal(w.text, cases[i].text);
    }
    judo_json_writer_clear(&w);
    judo_json_put_float(&w, NULL, 0.1f);
    judo_json_put_float(&w, NULL, FLT_MAX);
    judo_json_put_float(&w, NULL, 1e-45f);
    assert_string_equal(w.text, "0.1,3.4028235e+38,1e-45");
    judo_json_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__malformed_text_is_refused_by_name),
        cmocka_unit_test(test_parse__depth_is_limited),
        cmocka_unit_test(test_parse__a_long_number_is_refused),
        cmocka_unit_test(test_parse__text_needs_no_terminator),
        cmocka_unit_test(test_parse__a_vocabulary_is_checked_in_reasonable_time),
        cmocka_unit_test(test_get__types_are_checked_and_explained),
        cmocka_unit_test(test_structure__absent_things_are_null),
        cmocka_unit_test(test_lines__are_numbered_and_blank_ones_skipped),
        cmocka_unit_test(test_load__a_missing_file_is_named),
        cmocka_unit_test(test_write__text_is_compact_and_escaped),
        cmocka_unit_test(test_write__each_broken_character_becomes_one_replacement),
        cmocka_unit_test(test_write__numbers_are_shortest_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
