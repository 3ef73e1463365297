/* tests/data/noise.h: the pictures that golden scripts and tests agree on. */
#ifndef JUDO_TESTS_DATA_NOISE_H
#define JUDO_TESTS_DATA_NOISE_H

#include "data/image_file.h"

static inline uint32_t crc32_of(const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < length; i++) {
        crc ^= from[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* Needs cmocka.h before. */
static inline judo_image noise(int32_t width, int32_t height, int32_t channels)
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

#endif
