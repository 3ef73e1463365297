/* data/image_file.h: pictures in memory and in PNG and JPEG files. */
#ifndef JUDO_DATA_IMAGE_FILE_H
#define JUDO_DATA_IMAGE_FILE_H

#include <stdint.h>

#include "runtime/status.h"

/* Pixels are row-major, interleaved: pixels[(y * width + x) * channels + c]. Owned by the
 * struct. */
typedef struct judo_image {
    int32_t width, height;
    int32_t channels; /* 3: RGB, 1: grey (masks) */
    uint8_t *pixels;
} judo_image;

judo_status judo_image_create(int32_t width, int32_t height, int32_t channels,
                              judo_image *out) JUDO_MUST_CHECK;
void judo_image_free(judo_image *image);

/* Decodes a PNG or JPEG file (told apart by content), converting to RGB as Pillow's
 * convert("RGB") does, or to grey as convert("L") does when `channels` is 1: an EXIF
 * orientation is not applied, transparency is dropped, 16-bit grey is cut at 255. Limits:
 * 65,500 pixels a side, 200 megapixels. Truncated or corrupt files are JUDO_ERROR_FORMAT naming
 * file and cause. */
judo_status judo_image_read(const char *path, int32_t channels,
                            judo_image *out) JUDO_MUST_CHECK;
/* The same from memory; `source` names it in errors. */
judo_status judo_image_decode(const void *bytes, size_t length, const char *source,
                              int32_t channels, judo_image *out) JUDO_MUST_CHECK;

/* Writes a PNG (8-bit RGB or grey). */
judo_status judo_image_write_png(const char *path, const judo_image *image) JUDO_MUST_CHECK;
/* The same into memory (malloc'ed, caller frees), e.g. for data URIs. */
judo_status judo_image_encode_png(const judo_image *image, uint8_t **bytes,
                                  size_t *length) JUDO_MUST_CHECK;

#endif
