/* data/image_processor.c: settings and smart resize of Qwen2-VL's processor. */
#include "data/image_processor.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "data/image_codec.h"
#include "data/resize.h"

/* Raised whenever the same settings come to give other patches. */
enum { PROCEDURE_VERSION = 1, MAX_ASPECT = 200 };

void judo_image_processor_defaults(judo_image_processor *out)
{
    *out = (judo_image_processor){
        .patch_size = 14,
        .temporal_patch_size = 2,
        .merge_size = 2,
        .min_pixels = 3136,
        .max_pixels = 12845056,
        .image_mean = {0.48145466, 0.4578275, 0.40821073},
        .image_std = {0.26862954, 0.26130258, 0.27577711},
    };
}

static bool within(int64_t value, int64_t lowest, int64_t highest)
{
    return value >= lowest && value <= highest;
}

static judo_status check_settings(const judo_image_processor *p)
{
    if (!within(p->patch_size, 1, 64) || !within(p->temporal_patch_size, 1, 8) ||
        !within(p->merge_size, 1, 8)) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "image processor: patch_size %d, temporal_patch_size %d and "
                         "merge_size %d must lie in 1..64, 1..8 and 1..8",
                         p->patch_size, p->temporal_patch_size, p->merge_size);
    }
    if (!within(p->min_pixels, 1, JUDO_IMAGE_MAX_PIXELS) ||
        !within(p->max_pixels, p->min_pixels, JUDO_IMAGE_MAX_PIXELS) ||
        !within(p->square, 0, JUDO_IMAGE_MAX_SIDE / 8)) {
        return JUDO_FAIL(
            JUDO_ERROR_CONFIG,
            "image processor: min_pixels %lld, max_pixels %lld or square %d is out "
            "of range (1 <= min <= max <= %d)",
            (long long)p->min_pixels, (long long)p->max_pixels, p->square,
            JUDO_IMAGE_MAX_PIXELS);
    }
    for (int c = 0; c < 3; c++) {
        if (!isfinite(p->image_mean[c]) || !isfinite(p->image_std[c]) ||
            !(p->image_std[c] > 0)) {
            return JUDO_FAIL(JUDO_ERROR_CONFIG,
                             "image processor: image_mean %g, image_std %g of channel %d must "
                             "be finite, the latter above 0",
                             p->image_mean[c], p->image_std[c], c);
        }
    }
    return JUDO_OK;
}

static void write_fingerprint(judo_image_processor *p)
{
    char text[512];
    int length =
        snprintf(text, sizeof text, "%d/%d/%d/%lld/%lld/%d/%.9g/%.9g/%.9g/%.9g/%.9g/%.9g",
                 p->patch_size, p->temporal_patch_size, p->merge_size, (long long)p->min_pixels,
                 (long long)p->max_pixels, p->square, p->image_mean[0], p->image_mean[1],
                 p->image_mean[2], p->image_std[0], p->image_std[1], p->image_std[2]);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (int i = 0; i < length; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    (void)snprintf(p->fingerprint, sizeof p->fingerprint, "judo%d-%016llx", PROCEDURE_VERSION,
                   (unsigned long long)hash);
}

judo_status judo_image_processor_prepare(judo_image_processor *processor)
{
    JUDO_TRY(check_settings(processor));
    write_fingerprint(processor);
    return JUDO_OK;
}

judo_status judo_image_processor_size(const judo_image_processor *processor, int32_t width,
                                      int32_t height, int32_t *out_width, int32_t *out_height)
{
    if (width <= 0 || height <= 0 ||
        (double)(width > height ? width : height) / (width < height ? width : height) >
            MAX_ASPECT) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "an image of %d x %d is narrower than 1:%d; crop it", width, height,
                         MAX_ASPECT);
    }
    double factor = (double)processor->patch_size * processor->merge_size;
    double pixels = (double)width * height;
    double wide = rint(width / factor) * factor; /* half to even */
    double high = rint(height / factor) * factor;
    if (wide * high > (double)processor->max_pixels) {
        double shrink = sqrt(pixels / (double)processor->max_pixels);
        high = fmax(factor, floor(height / shrink / factor) * factor);
        wide = fmax(factor, floor(width / shrink / factor) * factor);
    } else if (wide * high < (double)processor->min_pixels) {
        double grow = sqrt((double)processor->min_pixels / pixels);
        high = ceil(height * grow / factor) * factor;
        wide = ceil(width * grow / factor) * factor;
    }
    JUDO_TRY(judo_image_check_size("processed image", (uint64_t)wide, (uint64_t)high));
    *out_width = (int32_t)wide;
    *out_height = (int32_t)high;
    return JUDO_OK;
}

judo_status judo_image_processor_resize(const judo_image_processor *processor,
                                        const judo_image *image, judo_image *out)
{
    if (image->channels != 3) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "the image processor wants RGB, not %d channels",
                         image->channels);
    }
    judo_image square = {0};
    const judo_image *between = image;
    if (processor->square > 0) {
        JUDO_TRY(judo_image_resize(image, processor->square, processor->square,
                                   JUDO_RESIZE_LANCZOS, &square));
        between = &square;
    }
    int32_t width = 0;
    int32_t height = 0;
    judo_status status =
        judo_image_processor_size(processor, between->width, between->height, &width, &height);
    if (status == JUDO_OK) {
        status = judo_image_resize(between, width, height, JUDO_RESIZE_BICUBIC, out);
    }
    judo_image_free(&square);
    return status;
}

judo_status judo_image_processor_grid(const judo_image_processor *processor,
                                      const judo_image *processed, int32_t *grid_h,
                                      int32_t *grid_w)
{
    int32_t factor = processor->patch_size * processor->merge_size;
    if (processed->pixels == NULL || processed->channels != 3 || processed->width <= 0 ||
        processed->height <= 0 || processed->width % factor != 0 ||
        processed->height % factor != 0) {
        return JUDO_FAIL(
            JUDO_ERROR_MISMATCH,
            "an image of %d x %d x %d does not fit the processor's factor %d; pack "
            "the dataset again with this model's processor",
            processed->width, processed->height, processed->channels, factor);
    }
    *grid_h = processed->height / processor->patch_size;
    *grid_w = processed->width / processor->patch_size;
    return JUDO_OK;
}

int32_t judo_image_processor_patch_bytes(const judo_image_processor *processor)
{
    return JUDO_PATCH_CHANNELS * processor->patch_size * processor->patch_size;
}

judo_patch_form judo_image_processor_form(const judo_image_processor *processor)
{
    judo_patch_form form = {.side = processor->patch_size,
                            .frames = processor->temporal_patch_size,
                            .merge = processor->merge_size};
    for (int c = 0; c < JUDO_PATCH_CHANNELS; c++) {
        form.mean[c] = (float)processor->image_mean[c];
        form.deviation[c] = (float)processor->image_std[c];
    }
    return form;
}
