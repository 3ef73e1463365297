/* tests/data/natural_patches.h: a batch's patches as Transformers' image processor gives them.
 */
#ifndef JUDO_TESTS_DATA_NATURAL_PATCHES_H
#define JUDO_TESTS_DATA_NATURAL_PATCHES_H

#include "data/image_processor.h"
#include "runtime/batch.h"

/* fp32 elements of a batch's patches. */
int64_t natural_patch_values(const judo_batch *batch);

/* Writes them, image by image, merged squares by rows. */
judo_status natural_patches(const judo_batch *batch, float *out) JUDO_MUST_CHECK;

/* A batch of one processed picture: nothing but the picture. `grid` is what the batch points
 * to. */
judo_status natural_batch(const judo_image_processor *processor, const judo_image *processed,
                          judo_image_grid *grid, judo_batch *out) JUDO_MUST_CHECK;

#endif
