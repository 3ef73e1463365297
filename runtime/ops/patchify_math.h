/* runtime/ops/patchify_math.h: a pixel as a number, the same bits on every device. */
#ifndef JUDO_RUNTIME_OPS_PATCHIFY_MATH_H
#define JUDO_RUNTIME_OPS_PATCHIFY_MATH_H

#include "runtime/host_device.h"

/* The values that a pixel can have. */
enum { JUDO_PIXEL_LEVELS = 256 };

/* Rescaled and normalised as Transformers' Qwen2VLImageProcessorPil does it: scaled in double,
 * then rounded. */
JUDO_HD static inline float judo_pixel_value(int pixel, float mean, float deviation)
{
    float scaled = (float)(pixel * (1.0 / 255.0));
    return (scaled - mean) / deviation;
}

#endif
