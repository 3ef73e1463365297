/* data/image_codec.h: the two decoders behind data/image_file.h; nothing else uses them. */
#ifndef JUDO_DATA_IMAGE_CODEC_H
#define JUDO_DATA_IMAGE_CODEC_H

#include <stddef.h>

#include "data/image_file.h"

enum { JUDO_IMAGE_MAX_SIDE = 65500, JUDO_IMAGE_MAX_PIXELS = 200000000 };

/* JUDO_ERROR_FORMAT unless width and height lie within the limits of data/image_file.h. */
judo_status judo_image_check_size(const char *source, uint64_t width,
                                  uint64_t height) JUDO_MUST_CHECK;

/* Decode to whatever the file holds: 1 channel for grey files, 3 for all others (alpha is
 * dropped, palettes are looked up, 16 bits keep the high byte). The caller owns `out`. */
judo_status judo_png_decode(const uint8_t *bytes, size_t length, const char *source,
                            judo_image *out) JUDO_MUST_CHECK;
judo_status judo_jpeg_decode(const uint8_t *bytes, size_t length, const char *source,
                             judo_image *out) JUDO_MUST_CHECK;

#endif
