/* tests/data/test_image_file.c: pictures survive a round trip and damaged files are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/image_file.h"

static judo_image make_image(int32_t width, int32_t height, int32_t channels)
{
    judo_image image = {0};
    assert_int_equal(judo_image_create(width, height, channels, &image), JUDO_OK);
    uint32_t word = 12345;
    for (int32_t i = 0; i < width * height * channels; i++) {
        word = word * 1664525u + 1013904223u;
        image.pixels[i] = (uint8_t)(word >> 24);
    }
    return image;
}

static void test_png__survives_a_round_trip_through_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/judo_image_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    (void)close(descriptor);
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        judo_image image = make_image(37, 21, channels);
        judo_image back = {0};
        assert_int_equal(judo_image_write_png(path, &image), JUDO_OK);
        assert_int_equal(judo_image_read(path, channels, &back), JUDO_OK);
        assert_int_equal(back.width, 37);
        assert_int_equal(back.height, 21);
        assert_memory_equal(back.pixels, image.pixels, (size_t)(37 * 21 * channels));
        judo_image_free(&back);
        judo_image_free(&image);
    }
    (void)unlink(path);
}

static void test_convert__grey_and_rgb_follow_pillow(void **state)
{
    (void)state;
    judo_image image = {0};
    judo_image back = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(judo_image_create(1, 1, 3, &image), JUDO_OK);
    memcpy(image.pixels, (uint8_t[]){200, 100, 50}, 3);
    assert_int_equal(judo_image_encode_png(&image, &bytes, &length), JUDO_OK);
    assert_int_equal(judo_image_decode(bytes, length, "test", 1, &back), JUDO_OK);
    assert_int_equal(back.pixels[0], 124); /* Image.new("RGB", (1,1), (200,100,50)) as "L" */
    judo_image_free(&back);
    judo_image_free(&image);
    free(bytes);

    assert_int_equal(judo_image_create(1, 1, 1, &image), JUDO_OK);
    image.pixels[0] = 77;
    assert_int_equal(judo_image_encode_png(&image, &bytes, &length), JUDO_OK);
    assert_int_equal(judo_image_decode(bytes, length, "test", 3, &back), JUDO_OK);
    assert_memory_equal(back.pixels, ((uint8_t[]){77, 77, 77}), 3);
    judo_image_free(&back);
    judo_image_free(&image);
    free(bytes);
}

static void test_png__every_truncation_is_a_format_error(void **state)
{
    (void)state;
    judo_image image = make_image(16, 16, 3);
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(judo_image_encode_png(&image, &bytes, &length), JUDO_OK);
    for (size_t cut = 0; cut < length; cut++) {
        /* An exact copy, so that a read past the end is seen by the sanitizer. */
        uint8_t *part = malloc(cut + (cut == 0));
        assert_non_null(part);
        memcpy(part, bytes, cut);
        judo_image back = {0};
        assert_int_equal(judo_image_decode(part, cut, "cut.png", 3, &back), JUDO_ERROR_FORMAT);
        assert_null(back.pixels);
        assert_non_null(strstr(judo_error_message(), "cut.png"));
        free(part);
    }
    judo_image_free(&image);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png__survives_a_round_trip_through_a_file),
        cmocka_unit_test(test_convert__grey_and_rgb_follow_pillow),
        cmocka_unit_test(test_png__every_truncation_is_a_format_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
