/* tests/data/test_mrope_positions.c: positions of tokens against Transformers'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "data/mrope_positions.h"
#include "tests/data/golden_list.h"

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    (void)line;
    if (judo_json_get(row, "num_tokens") == NULL) {
        return JUDO_OK; /* an order of patches: tests/models/test_positions.c */
    }
    judo_mrope_image images[8];
    judo_ids lists = golden_list(row, "images");
    judo_ids wanted = golden_list(row, "positions");
    int64_t after = 0;
    int32_t next = 0;
    int32_t n = (int32_t)(wanted.count / 3);
    int32_t count = (int32_t)(lists.count / 3);
    assert_true(count <= 8);
    for (int32_t i = 0; i < count; i++) {
        images[i] =
            (judo_mrope_image){lists.ids[3 * i], lists.ids[3 * i + 1], lists.ids[3 * i + 2]};
    }
    int32_t *got = calloc((size_t)wanted.count, sizeof *got);
    assert_non_null(got);
    JUDO_TRY(judo_json_get_int(row, "next", "golden", &after));
    JUDO_TRY(
        judo_mrope_positions(n, images, count, 0, got, got + n, got + (ptrdiff_t)2 * n, &next));
    assert_int_equal(next, after);
    assert_memory_equal(got, wanted.ids, (size_t)wanted.count * sizeof *got);
    free(got);
    judo_ids_free(&lists);
    judo_ids_free(&wanted);
    ++*(int *)context;
    return JUDO_OK;
}

static void test_positions__equal_those_of_transformers(void **state)
{
    (void)state;
    int rows = 0;
    assert_int_equal(judo_json_each_line("tests/golden/positions.jsonl", check_row, &rows),
                     JUDO_OK);
    assert_int_equal(rows, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions__equal_those_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
