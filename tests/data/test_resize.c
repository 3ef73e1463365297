/* tests/data/test_resize.c: resized pictures have Pillow's bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "data/resize.h"
#include "tests/data/noise.h"

/* JUDO_RESIZE_TABLE names another table of the same form, for long checks by hand. */
static void test_resize__gives_the_bytes_of_pillow(void **state)
{
    (void)state;
    const char *path = getenv("JUDO_RESIZE_TABLE");
    FILE *table = fopen(path != NULL ? path : "tests/golden/resize.txt", "r");
    assert_non_null(table);
    int filter = 0, channels = 0, width = 0, height = 0, wide = 0, high = 0;
    unsigned expected = 0;
    int rows = 0;
    while (fscanf(table, "%d %d %d %d %d %d %x", &filter, &channels, &width, &height, &wide,
                  &high, &expected) == 7) {
        judo_image image = noise(width, height, channels);
        judo_image resized = {0};
        assert_int_equal(
            judo_image_resize(&image, wide, high, (judo_resize_filter)filter, &resized),
            JUDO_OK);
        assert_int_equal(resized.width, wide);
        assert_int_equal(resized.height, high);
        uint32_t crc = crc32_of(resized.pixels, (size_t)wide * (size_t)high * (size_t)channels);
        if (crc != expected) {
            fail_msg("filter %d, %d x %d x %d -> %d x %d differs", filter, width, height,
                     channels, wide, high);
        }
        judo_image_free(&resized);
        judo_image_free(&image);
        rows++;
    }
    (void)fclose(table);
    assert_true(rows >= 24);
}

static void test_resize__refuses_an_empty_size(void **state)
{
    (void)state;
    judo_image image = noise(3, 3, 3);
    judo_image resized = {0};
    assert_int_equal(judo_image_resize(&image, 0, 3, JUDO_RESIZE_BICUBIC, &resized),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_image_resize(&image, 3, 70000, JUDO_RESIZE_LANCZOS, &resized),
                     JUDO_ERROR_FORMAT);
    assert_null(resized.pixels);
    judo_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize__gives_the_bytes_of_pillow),
        cmocka_unit_test(test_resize__refuses_an_empty_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
