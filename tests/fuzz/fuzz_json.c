/* tests/fuzz/fuzz_json.c: what parses must be written and read back to the same text. */
#include <string.h>

#include "runtime/json.h"
#include "runtime/json_scan.h"
#include "tests/fuzz/fuzz.h"

const fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"a\":[1,-2.5e-3,true,false,null],\"b\":{\"c\":\"\\u00e9\\ud83d\\ude00\\n\"}}"),
    FUZZ_SEED("[[[[]]],{},\"\",0,-0,1e22,0.1]"),
    FUZZ_SEED(" {\"dtype\" : \"F32\", \"shape\":[2,3], \"data_offsets\":[0,24] } \n"),
    FUZZ_SEED("\"\xc3\xa9\\\\\\\"\\/\""),
    FUZZ_SEED("{\"model\":{\"vocab\":{\"\xc4\xa0the\":279},\"merges\":[\"a b\",\"c d\"]}}"),
    {NULL, 0},
};

static void write_value(judo_json_writer *w, const judo_json *item, const char *key)
{
    const char *text = NULL;
    double number = 0;
    bool flag = false;
    if (judo_json_is_object(item) || judo_json_is_array(item)) {
        bool is_object = judo_json_is_object(item);
        is_object ? judo_json_begin_object(w, key) : judo_json_begin_array(w, key);
        for (const judo_json *c = judo_json_first(item); c != NULL; c = judo_json_next(c)) {
            write_value(w, c, is_object ? judo_json_key(c) : NULL);
        }
        is_object ? judo_json_end_object(w) : judo_json_end_array(w);
    } else if (judo_json_is_null(item)) {
        judo_json_put_null(w, key);
    } else if (judo_json_is_string(item)) {
        FUZZ_CHECK(judo_json_as_string(item, "fuzz", &text) == JUDO_OK);
        judo_json_put_string(w, key, text);
    } else if (judo_json_is_number(item)) {
        FUZZ_CHECK(judo_json_as_double(item, "fuzz", &number) == JUDO_OK);
        judo_json_put_double(w, key, number);
    } else {
        FUZZ_CHECK(judo_json_as_bool(item, "fuzz", &flag) == JUDO_OK);
        judo_json_put_bool(w, key, flag);
    }
}

static void check_members(const char *text, size_t size, const judo_json *document)
{
    size_t cursor = 0;
    int count = 0;
    judo_json_slice key;
    judo_json_slice value;
    while (judo_json_next_member(text, size, &cursor, &key, &value)) {
        judo_json *part = NULL;
        FUZZ_CHECK(judo_json_parse(key.text, key.length, "key", &part) == JUDO_OK);
        judo_json_free(&part);
        FUZZ_CHECK(judo_json_parse(value.text, value.length, "value", &part) == JUDO_OK);
        judo_json_free(&part);
        count++;
    }
    FUZZ_CHECK(count == (judo_json_is_object(document) ? judo_json_size(document) : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    judo_json *document = NULL;
    judo_json *again = NULL;
    if (judo_json_parse((const char *)data, size, "fuzz", &document) != JUDO_OK) {
        FUZZ_CHECK(document == NULL);
        return 0;
    }
    check_members((const char *)data, size, document);
    judo_json_writer first = {0};
    judo_json_writer second = {0};
    write_value(&first, document, NULL);
    FUZZ_CHECK(judo_json_writer_check(&first) == JUDO_OK);
    FUZZ_CHECK(judo_json_parse(first.text, first.length, "again", &again) == JUDO_OK);
    write_value(&second, again, NULL);
    FUZZ_CHECK(strcmp(first.text, second.text) == 0);
    judo_json_writer_free(&first);
    judo_json_writer_free(&second);
    judo_json_free(&document);
    judo_json_free(&again);
    return 0;
}
