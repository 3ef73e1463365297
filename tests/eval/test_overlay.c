/* tests/eval/test_overlay.c: pictures with outline and cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eval/overlay.h"

static const uint8_t *at(const judo_image *image, int x, int y)
{
    return image->pixels + (y * image->width + x) * 3;
}

static void test_overlay__outlines_the_mask_and_tints_the_cells(void **state)
{
    (void)state;
    judo_image image;
    judo_image mask;
    judo_image out;
    judo_cells cells = {{0}};
    assert_int_equal(judo_image_create(160, 160, 3, &image), JUDO_OK);
    assert_int_equal(judo_image_create(80, 80, 1, &mask), JUDO_OK);
    memset(image.pixels, 100, 160 * 160 * 3);
    memset(mask.pixels, 0, 80 * 80);
    for (int y = 40; y < 60; y++) { /* image pixels 80..119 */
        memset(mask.pixels + y * 80 + 40, 255, 20);
    }
    judo_cells_set(&cells, 1, 1); /* image pixels 10..19 */
    judo_cells_set(&cells, 1, 2);
    assert_int_equal(judo_overlay_draw(&image, &mask, &cells, &out), JUDO_OK);
    const uint8_t plain[3] = {100, 100, 100};
    assert_memory_equal(at(&out, 2, 2), plain, 3);
    assert_memory_equal(at(&out, 100, 100), plain, 3); /* inside the defect */
    assert_true(at(&out, 79, 100)[1] > 200 && at(&out, 79, 100)[0] < 60);
    assert_true(at(&out, 78, 100)[1] > 200);
    assert_memory_equal(at(&out, 77, 100), plain, 3);
    assert_true(at(&out, 10, 15)[0] == 230); /* border */
    assert_true(at(&out, 15, 15)[0] > 130 && at(&out, 15, 15)[0] < 160);
    assert_true(at(&out, 20, 15)[0] < 160); /* no border between neighbours */
    judo_image_free(&out);

    assert_int_equal(judo_overlay_draw(&image, NULL, &cells, &out), JUDO_OK);
    assert_memory_equal(at(&out, 79, 100), plain, 3);
    judo_image_free(&out);
    assert_int_equal(judo_overlay_draw(&mask, NULL, &cells, &out), JUDO_ERROR_ARGUMENT);
    judo_image_free(&image);
    judo_image_free(&mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay__outlines_the_mask_and_tints_the_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
