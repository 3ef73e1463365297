/* data/image_processor.h: from a picture to the pixels whose patches Qwen2.5-VL's vision tower
 * reads. */
#ifndef JUDO_DATA_IMAGE_PROCESSOR_H
#define JUDO_DATA_IMAGE_PROCESSOR_H

#include "data/image_file.h"
#include "runtime/ops/patchify.h"

enum { JUDO_FINGERPRINT_BYTES = 32 };

typedef struct judo_image_processor {
    int32_t patch_size, temporal_patch_size, merge_size;
    int64_t min_pixels, max_pixels; /* of the resized picture */
    int32_t
        square; /* > 0: first to square x square by Lanczos, ignoring the aspect (JUDO: 512) */
    double image_mean[3], image_std[3];
    char fingerprint[JUDO_FINGERPRINT_BYTES]; /* filled by prepare */
} judo_image_processor;

/* Qwen2.5-VL's published settings; still needs prepare. */
void judo_image_processor_defaults(judo_image_processor *out);

/* Checks the settings (JUDO_ERROR_CONFIG) and fills in what follows from them. Processors with
 * equal fingerprints make equal patches. */
judo_status judo_image_processor_prepare(judo_image_processor *processor) JUDO_MUST_CHECK;

/* Reads a hub folder's preprocessor_config.json and prepares with `square`. Both spellings of
 * the pixel limits (min_pixels, size.shortest_edge) are known; settings that would ask for
 * another procedure than this one (no resize, another filter) are JUDO_ERROR_UNSUPPORTED. */
judo_status judo_image_processor_load(const char *path, int32_t square,
                                      judo_image_processor *out) JUDO_MUST_CHECK;

/* The size that a picture of width x height is brought to: multiples of patch * merge, near the
 * same aspect, within the pixel limits. Aspects above 200 are JUDO_ERROR_FORMAT. */
judo_status judo_image_processor_size(const judo_image_processor *processor, int32_t width,
                                      int32_t height, int32_t *out_width,
                                      int32_t *out_height) JUDO_MUST_CHECK;

/* The processed picture (a new RGB image): square first if set, then smart size by bicubic. */
judo_status judo_image_processor_resize(const judo_image_processor *processor,
                                        const judo_image *image,
                                        judo_image *out) JUDO_MUST_CHECK;

/* Rows and columns of patches of a processed picture; JUDO_ERROR_MISMATCH if it has not the
 * form that resize gives. */
judo_status judo_image_processor_grid(const judo_image_processor *processor,
                                      const judo_image *processed, int32_t *grid_h,
                                      int32_t *grid_w) JUDO_MUST_CHECK;

/* Pixel bytes of one patch. */
int32_t judo_image_processor_patch_bytes(const judo_image_processor *processor);

/* How the op `patchify` makes a processed picture's patches. */
judo_patch_form judo_image_processor_form(const judo_image_processor *processor);

#endif
