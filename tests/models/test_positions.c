/* tests/models/test_positions.c: the window order on worked examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "models/positions.h"

enum { MOST_VISUAL = 400 };

typedef struct order_arrays {
    int32_t index[MOST_VISUAL], rows[4 * MOST_VISUAL], columns[4 * MOST_VISUAL];
    judo_attention_span windows[MOST_VISUAL], frames[MOST_VISUAL];
} order_arrays;

static const judo_qwen_vision_config tower = {
    .patch_size = 14, .spatial_merge_size = 2, .window_size = 112};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows__of_a_judo_image),
        cmocka_unit_test(test_windows__of_a_rectangle_and_the_image_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
