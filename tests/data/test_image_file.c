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
#include "runtime/file.h"
#include "tests/data/noise.h"

static void test_png__survives_a_round_trip_through_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/judo_image_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    (void)close(descriptor);
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        judo_image image = noise(37, 21, channels);
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
    judo_image image = noise(16, 16, 3);
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

static uint8_t *load_golden(const char *name, size_t *length)
{
    char path[256];
    (void)snprintf(path, sizeof path, "tests/golden/images/%s", name);
    char *bytes = NULL;
    assert_int_equal(judo_file_read_all(path, 1 << 20, &bytes, length), JUDO_OK);
    return (uint8_t *)bytes;
}

static void test_decode__gives_the_pixels_of_pillow(void **state)
{
    (void)state;
    FILE *table = fopen("tests/golden/images/images.txt", "r");
    assert_non_null(table);
    char name[64];
    int32_t width = 0, height = 0;
    unsigned crc[2];
    int rows = 0;
    while (fscanf(table, "%63s %d %d %x %x", name, &width, &height, &crc[0], &crc[1]) == 5) {
        size_t length = 0;
        uint8_t *bytes = load_golden(name, &length);
        for (int i = 0; i < 2; i++) {
            judo_image image = {0};
            int32_t channels = i == 0 ? 3 : 1;
            assert_int_equal(judo_image_decode(bytes, length, name, channels, &image), JUDO_OK);
            assert_int_equal(image.width, width);
            assert_int_equal(image.height, height);
            size_t count = (size_t)(width * height * channels);
            if (crc32_of(image.pixels, count) != crc[i]) {
                fail_msg("%s read as %d channels differs", name, channels);
            }
            judo_image_free(&image);
        }
        free(bytes);
        rows++;
    }
    (void)fclose(table);
    assert_int_equal(rows, 17);
}

static void test_decode__refuses_foreign_and_empty_files(void **state)
{
    (void)state;
    judo_image image = {0};
    assert_int_equal(judo_image_decode("GIF89a", 6, "a.gif", 3, &image), JUDO_ERROR_FORMAT);
    assert_int_equal(judo_image_decode("", 0, "empty", 3, &image), JUDO_ERROR_FORMAT);
    assert_int_equal(judo_image_read("/nonexistent/a.png", 3, &image), JUDO_ERROR_IO);
    assert_int_equal(judo_image_read("/tmp", 3, &image), JUDO_ERROR_IO);
    assert_null(image.pixels);
}

/* Each byte flipped in each file: any outcome but a crash, a leak or a half-set image. */
static void test_decode__survives_every_flipped_byte(void **state)
{
    (void)state;
    static const char *const names[] = {
        "420.jpg",     "progressive.jpg", "grey.jpg",  "cmyk.jpg",   "ycck.jpg",
        "palette.png", "rgba.png",        "rgb16.png", "grey16.png", "grey16_interlaced.png"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        size_t length = 0;
        uint8_t *bytes = load_golden(names[n], &length);
        for (size_t i = 0; i < length; i++) {
            uint8_t kept = bytes[i];
            for (int flip = 0; flip < 3; flip++) {
                bytes[i] = (uint8_t)(kept ^ (uint8_t[]){0x01, 0x80, 0xff}[flip]);
                judo_image image = {0};
                if (judo_image_decode(bytes, length, names[n], 3, &image) == JUDO_OK) {
                    assert_non_null(image.pixels);
                } else {
                    assert_null(image.pixels);
                }
                judo_image_free(&image);
            }
            bytes[i] = kept;
        }
        free(bytes);
    }
}

static void test_jpeg__truncation_never_yields_pixels(void **state)
{
    (void)state;
    static const char *const names[] = {"420.jpg", "progressive.jpg", "cmyk.jpg"};
    for (size_t n = 0; n < 3; n++) {
        size_t length = 0;
        uint8_t *bytes = load_golden(names[n], &length);
        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *part = malloc(cut + (cut == 0));
            assert_non_null(part);
            memcpy(part, bytes, cut);
            judo_image image = {0};
            assert_int_equal(judo_image_decode(part, cut, names[n], 3, &image),
                             JUDO_ERROR_FORMAT);
            assert_null(image.pixels);
            free(part);
        }
        free(bytes);
    }
}

static void test_header__that_claims_a_giant_picture_is_refused_before_allocation(void **state)
{
    (void)state;
    size_t length = 0;
    judo_image image = {0};
    static const uint8_t sizes[][2] = {{0xff, 0xff}, {0x30, 0x00}}; /* 65535, 12288 a side */
    for (int i = 0; i < 2; i++) {
        uint8_t *jpeg = load_golden("420.jpg", &length);
        uint8_t *frame = NULL;
        for (size_t at = 0; frame == NULL && at + 9 < length; at++) {
            frame = jpeg[at] == 0xff && jpeg[at + 1] == 0xc0 ? jpeg + at : NULL;
        }
        assert_non_null(frame);
        memcpy(frame + 5, sizes[i], 2);
        memcpy(frame + 7, sizes[i], 2);
        assert_int_equal(judo_image_decode(jpeg, length, "bomb.jpg", 3, &image),
                         JUDO_ERROR_FORMAT);
        free(jpeg);
        uint8_t *png = load_golden("rgba.png", &length);
        memcpy(png + 18, sizes[i], 2);
        memcpy(png + 22, sizes[i], 2);
        uint32_t crc = crc32_of(png + 12, 17);
        for (int b = 0; b < 4; b++) {
            png[29 + b] = (uint8_t)(crc >> (24 - 8 * b));
        }
        assert_int_equal(judo_image_decode(png, length, "bomb.png", 3, &image),
                         JUDO_ERROR_FORMAT);
        free(png);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png__survives_a_round_trip_through_a_file),
        cmocka_unit_test(test_convert__grey_and_rgb_follow_pillow),
        cmocka_unit_test(test_png__every_truncation_is_a_format_error),
        cmocka_unit_test(test_decode__gives_the_pixels_of_pillow),
        cmocka_unit_test(test_decode__refuses_foreign_and_empty_files),
        cmocka_unit_test(test_decode__survives_every_flipped_byte),
        cmocka_unit_test(test_jpeg__truncation_never_yields_pixels),
        cmocka_unit_test(test_header__that_claims_a_giant_picture_is_refused_before_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
