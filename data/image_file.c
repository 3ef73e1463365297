/* data/image_file.c: pictures in memory; reading files and matching Pillow's convert(). EXIF
 * orientation is ignored, as Pillow does unless asked. */
#include "data/image_file.h"

#include <stdlib.h>
#include <string.h>

#include "data/image_codec.h"
#include "runtime/file.h"

static const size_t max_file_bytes = (size_t)1 << 30;

judo_status judo_image_check_size(const char *source, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0 || width > JUDO_IMAGE_MAX_SIDE ||
        height > JUDO_IMAGE_MAX_SIDE || width * height > JUDO_IMAGE_MAX_PIXELS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: an image of %llu x %llu pixels is outside the limits (1 to %d a "
                         "side, %d in all); scale it down",
                         source, (unsigned long long)width, (unsigned long long)height,
                         JUDO_IMAGE_MAX_SIDE, JUDO_IMAGE_MAX_PIXELS);
    }
    return JUDO_OK;
}

judo_status judo_image_create(int32_t width, int32_t height, int32_t channels, judo_image *out)
{
    if (width < 0 || height < 0 || (channels != 1 && channels != 3)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "an image cannot be %d x %d x %d", width, height,
                         channels);
    }
    JUDO_TRY(judo_image_check_size("image", (uint64_t)width, (uint64_t)height));
    size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
    uint8_t *pixels = calloc(bytes, 1);
    if (pixels == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for an image of %d x %d x %d", width,
                         height, channels);
    }
    *out = (judo_image){width, height, channels, pixels};
    return JUDO_OK;
}

void judo_image_free(judo_image *image)
{
    free(image->pixels);
    *image = (judo_image){0};
}

static judo_status grey_to_rgb(judo_image *image)
{
    judo_image rgb;
    JUDO_TRY(judo_image_create(image->width, image->height, 3, &rgb));
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        memset(rgb.pixels + 3 * i, image->pixels[i], 3);
    }
    judo_image_free(image);
    *image = rgb;
    return JUDO_OK;
}

/* ITU-R 601 luma in Pillow's fixed point. */
static judo_status rgb_to_grey(judo_image *image)
{
    judo_image grey;
    JUDO_TRY(judo_image_create(image->width, image->height, 1, &grey));
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *rgb = image->pixels + 3 * i;
        uint32_t luma = rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u;
        grey.pixels[i] = (uint8_t)(luma >> 16);
    }
    judo_image_free(image);
    *image = grey;
    return JUDO_OK;
}

judo_status judo_image_decode(const void *bytes, size_t length, const char *source,
                              int32_t channels, judo_image *out)
{
    static const uint8_t png_magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (channels != 1 && channels != 3) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: images are read as 1 or 3 channels, not %d",
                         source, channels);
    }
    const uint8_t *head = bytes;
    judo_image image = {0};
    if (length >= sizeof png_magic && memcmp(head, png_magic, sizeof png_magic) == 0) {
        JUDO_TRY(judo_png_decode(head, length, source, &image));
    } else if (length >= 3 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff) {
        JUDO_TRY(judo_jpeg_decode(head, length, source, &image));
    } else {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: neither PNG nor JPEG (%zu bytes); convert it to one of them",
                         source, length);
    }
    judo_status status = JUDO_OK;
    if (image.channels != channels) {
        status = channels == 3 ? grey_to_rgb(&image) : rgb_to_grey(&image);
    }
    if (status != JUDO_OK) {
        judo_image_free(&image);
        return status;
    }
    *out = image;
    return JUDO_OK;
}

judo_status judo_image_read(const char *path, int32_t channels, judo_image *out)
{
    char *bytes = NULL;
    size_t length = 0;
    JUDO_TRY(judo_file_read_all(path, max_file_bytes, &bytes, &length));
    judo_status status = judo_image_decode(bytes, length, path, channels, out);
    free(bytes);
    return status;
}

judo_status judo_image_write_png(const char *path, const judo_image *image)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    JUDO_TRY(judo_image_encode_png(image, &bytes, &length));
    judo_status status = judo_file_replace(path, bytes, length);
    free(bytes);
    return status;
}
