/* data/resize.h: scaling pictures to the very bytes of Pillow's Image.resize(). */
#ifndef JUDO_DATA_RESIZE_H
#define JUDO_DATA_RESIZE_H

#include "data/image_file.h"

typedef enum judo_resize_filter {
    JUDO_RESIZE_NEAREST,
    JUDO_RESIZE_BICUBIC,
    JUDO_RESIZE_LANCZOS,
} judo_resize_filter;

/* A new image of width x height; `out` must not be `image`. The filters widen when scaling down
 * (antialias), run horizontally, then vertically, in 22-bit fixed point with 8 bits between.
 * That is the order of Pillow 11, which the reference runs used; Pillow 13 swaps the passes for
 * some shapes. */
judo_status judo_image_resize(const judo_image *image, int32_t width, int32_t height,
                              judo_resize_filter filter, judo_image *out) JUDO_MUST_CHECK;

#endif
