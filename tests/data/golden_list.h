/* tests/data/golden_list.h: lists of integers in golden files. Needs cmocka.h before. */
#ifndef JUDO_TESTS_DATA_GOLDEN_LIST_H
#define JUDO_TESTS_DATA_GOLDEN_LIST_H

#include "data/buffers.h"
#include "runtime/json.h"

/* The integers of the list `key`, lists inside it flattened; the caller frees them. */
static inline void golden_append(const judo_json *list, judo_ids *out)
{
    for (const judo_json *item = judo_json_first(list); item; item = judo_json_next(item)) {
        int64_t value = 0;
        if (judo_json_is_array(item)) {
            for (const judo_json *inner = judo_json_first(item); inner;
                 inner = judo_json_next(inner)) {
                assert_int_equal(judo_json_as_int(inner, "golden", &value), JUDO_OK);
                assert_int_equal(judo_ids_append(out, (int32_t)value), JUDO_OK);
            }
            continue;
        }
        assert_int_equal(judo_json_as_int(item, "golden", &value), JUDO_OK);
        assert_int_equal(judo_ids_append(out, (int32_t)value), JUDO_OK);
    }
}

static inline judo_ids golden_list(const judo_json *row, const char *key)
{
    judo_ids ids = {0};
    assert_true(judo_json_is_array(judo_json_get(row, key)));
    golden_append(judo_json_get(row, key), &ids);
    return ids;
}

#endif
