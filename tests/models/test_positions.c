/* tests/models/test_positions.c: the window order on worked examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "models/positions.h"
#include "runtime/json.h"

enum { MOST_VISUAL = 400 };

typedef struct order_arrays {
    int32_t index[MOST_VISUAL], rows[4 * MOST_VISUAL], columns[4 * MOST_VISUAL];
    judo_attention_span windows[MOST_VISUAL], frames[MOST_VISUAL];
} order_arrays;

static const judo_qwen_vision_config tower = {
    .in_channels = 3, .patch_size = 14, .spatial_merge_size = 2, .window_size = 112};

static judo_vision_order order_of(order_arrays *a, const judo_image_grid *images, int count)
{
    judo_vision_order order = {.window_index = a->index,
                               .rows = a->rows,
                               .columns = a->columns,
                               .windows = a->windows,
                               .frames = a->frames};
    judo_vision_order_fill(&tower, images, count, &order);
    return order;
}

static void test_windows__of_a_judo_image(void **state)
{
    (void)state;
    static order_arrays a;
    judo_image_grid image = {.t = 1, .h = 36, .w = 36};
    judo_vision_order order = order_of(&a, &image, 1);
    const int32_t first[] = {0, 1, 2, 3, 18, 19, 20, 21, 36};
    assert_int_equal(order.num_windows, 25);
    assert_int_equal(order.num_frames, 1);
    assert_memory_equal(a.index, first, sizeof first);
    for (int w = 0; w < 25; w++) {
        int32_t expected = (w % 5 == 4 ? 2 : 4) * (w / 5 == 4 ? 2 : 4) * 4;
        assert_int_equal(a.windows[w].end - a.windows[w].begin, expected);
        assert_false(a.windows[w].causal);
    }
    assert_int_equal(a.windows[24].end, 1296);
    assert_int_equal(a.frames[0].end, 1296);
    /* Window position 4 is merged token (row 1, column 0): patches (2,0) (2,1) (3,0) (3,1). */
    const int32_t rows[] = {2, 2, 3, 3};
    const int32_t columns[] = {0, 1, 0, 1};
    assert_memory_equal(a.rows + 16, rows, sizeof rows);
    assert_memory_equal(a.columns + 16, columns, sizeof columns);
}

static void test_windows__of_a_rectangle_and_the_image_after_it(void **state)
{
    (void)state;
    static order_arrays a;
    judo_image_grid images[2] = {{.t = 1, .h = 8, .w = 12}, {.t = 1, .h = 2, .w = 2}};
    judo_vision_order order = order_of(&a, images, 2);
    const int32_t expected[] = {0,  1,  2,  3, 6, 7,  8,  9,  12, 13, 14, 15, 18,
                                19, 20, 21, 4, 5, 10, 11, 16, 17, 22, 23, 24};
    assert_memory_equal(a.index, expected, sizeof expected);
    assert_int_equal(order.num_windows, 3);
    assert_int_equal(a.windows[0].end, 64);
    assert_int_equal(a.windows[1].end, 96);
    assert_int_equal(a.windows[2].end, 100);
    assert_int_equal(order.num_frames, 2);
    assert_int_equal(a.frames[1].begin, 96);
}

static void test_squares__follow_the_windows(void **state)
{
    (void)state;
    static order_arrays a;
    static judo_patch_square squares[25];
    judo_image_grid images[2] = {
        {.t = 1, .h = 8, .w = 12},
        {.t = 1, .h = 2, .w = 2, .first_patch = 96, .first_visual = 24}};
    judo_vision_order order = order_of(&a, images, 2);
    judo_vision_squares_fill(&tower, images, 2, &order, squares);
    const int64_t row = 12 * 14 * 3;
    for (int v = 0; v < 24; v++) {
        int64_t top = a.index[v] / 6;
        int64_t left = a.index[v] % 6;
        assert_int_equal(squares[v].first_byte, top * 28 * row + left * 28 * 3);
        assert_int_equal(squares[v].row_bytes, row);
    }
    assert_int_equal(squares[24].first_byte, 8 * 14 * row);
    assert_int_equal(squares[24].row_bytes, 2 * 14 * 3);
}

/* The integers of a golden list, inner lists flattened. */
static int read_list(const judo_json *list, int32_t *out, int count)
{
    for (const judo_json *item = judo_json_first(list); item; item = judo_json_next(item)) {
        int64_t value = 0;
        if (judo_json_is_array(item)) {
            count = read_list(item, out, count);
            continue;
        }
        assert_true(count < 4 * MOST_VISUAL);
        assert_int_equal(judo_json_as_int(item, "golden", &value), JUDO_OK);
        out[count++] = (int32_t)value;
    }
    return count;
}

static void assert_list(const judo_json *row, const char *key, const int32_t *got, int count)
{
    static int32_t wanted[4 * MOST_VISUAL];
    assert_int_equal(read_list(judo_json_get(row, key), wanted, 0), count);
    assert_memory_equal(got, wanted, (size_t)count * sizeof *got);
}

static void assert_ends(const judo_json *row, const char *key, const judo_attention_span *spans,
                        int count)
{
    static int32_t ends[MOST_VISUAL];
    for (int i = 0; i < count; i++) {
        ends[i] = spans[i].end;
    }
    assert_list(row, key, ends, count);
}

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    (void)line;
    if (judo_json_get(row, "window") == NULL) {
        return JUDO_OK; /* positions of tokens: tests/data/test_mrope_positions.c */
    }
    static order_arrays a;
    judo_qwen_vision_config config = tower;
    int32_t sides[8];
    judo_image_grid images[4];
    JUDO_TRY(judo_json_get_int(row, "window", "golden", &config.window_size));
    int count = read_list(judo_json_get(row, "images"), sides, 0) / 2;
    int patches = 0;
    for (int i = 0; i < count; i++) {
        images[i] = (judo_image_grid){.t = 1, .h = sides[2 * i], .w = sides[2 * i + 1]};
        patches += images[i].h * images[i].w;
    }
    judo_vision_order order = {.window_index = a.index,
                               .rows = a.rows,
                               .columns = a.columns,
                               .windows = a.windows,
                               .frames = a.frames};
    judo_vision_order_fill(&config, images, count, &order);
    assert_list(row, "window_index", order.window_index, patches / 4);
    assert_list(row, "rows", order.rows, patches);
    assert_list(row, "columns", order.columns, patches);
    assert_ends(row, "window_ends", order.windows, order.num_windows);
    assert_ends(row, "frame_ends", order.frames, order.num_frames);
    ++*(int *)context;
    return JUDO_OK;
}

static void test_order__equals_that_of_transformers(void **state)
{
    (void)state;
    int rows = 0;
    assert_int_equal(judo_json_each_line("tests/golden/positions.jsonl", check_row, &rows),
                     JUDO_OK);
    assert_int_equal(rows, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows__of_a_judo_image),
        cmocka_unit_test(test_windows__of_a_rectangle_and_the_image_after_it),
        cmocka_unit_test(test_squares__follow_the_windows),
        cmocka_unit_test(test_order__equals_that_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
