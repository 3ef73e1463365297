/* tests/data/test_python_dict.c: answer options in Python's spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data/python_dict.h"

static void test_parse__reads_both_quotes_and_escapes(void **state)
{
    (void)state;
    judo_python_dict dict;
    assert_int_equal(
        judo_python_dict_parse(" \n {'A': 'Yes, {it} is: \"so\".', \"B\": \"No, it "
                               "isn't\" , 'C':'a\\'b\\\\\\n\\xe9\\u4e2d\\U0001f600',} ",
                               "test", &dict),
        JUDO_ERROR_FORMAT); /* repr() writes no comma at the end */
    assert_int_equal(
        judo_python_dict_parse(" \n {'A': 'Yes, {it} is: \"so\".', \"B\": \"No, it "
                               "isn't\" , 'C':'a\\'b\\\\\\n\\xe9\\u4e2d\\U0001f600'} ",
                               "test", &dict),
        JUDO_OK);
    assert_int_equal(dict.count, 3);
    assert_string_equal(dict.keys[1], "B");
    assert_string_equal(dict.values[0], "Yes, {it} is: \"so\".");
    assert_string_equal(dict.values[1], "No, it isn't");
    assert_string_equal(dict.values[2], "a'b\\\n\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
    judo_python_dict_free(&dict);
    assert_int_equal(judo_python_dict_parse("{}", "test", &dict), JUDO_OK);
    assert_int_equal(dict.count, 0);
    judo_python_dict_free(&dict);
}

static void test_parse__refuses_every_truncation(void **state)
{
    (void)state;
    const char *whole = "{'A': 'x\\u00e9\\'y', \"B\": \"z\"}";
    for (size_t cut = 0; cut < strlen(whole); cut++) {
        char *part = strndup(whole, cut);
        assert_non_null(part);
        judo_python_dict dict;
        assert_int_equal(judo_python_dict_parse(part, "cut", &dict), JUDO_ERROR_FORMAT);
        free(part);
    }
}

static void test_parse__refuses_what_is_not_a_dictionary_of_texts(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{'A': 1}",         "{'A' 'x'}",           "['A']",
        "{'A': 'x'} rest",  "{'A': 'x' 'B': 'y'}", "{'A': '\\x00'}",
        "{'A': '\\ud800'}", "{'A': '\\q'}",        "{'A': 'x', , 'B': 'y'}",
        "{'A': u'x'}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        judo_python_dict dict;
        assert_int_equal(judo_python_dict_parse(wrong[i], "wrong", &dict), JUDO_ERROR_FORMAT);
    }
    char many[400] = "{'A': ''";
    for (int i = 0; i < 16; i++) {
        strcat(many, ", 'B': ''");
    }
    strcat(many, "}");
    judo_python_dict dict;
    assert_int_equal(judo_python_dict_parse(many, "many", &dict), JUDO_ERROR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__reads_both_quotes_and_escapes),
        cmocka_unit_test(test_parse__refuses_every_truncation),
        cmocka_unit_test(test_parse__refuses_what_is_not_a_dictionary_of_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
