/* tests/data/natural_patches.c: every merged square in the order of rows, through the CPU's
 * op. */
#include "tests/data/natural_patches.h"

#include <stdlib.h>

#include "runtime/ops/ops.h"

static int64_t values_of_patch(const judo_patch_form *form)
{
    return (int64_t)JUDO_PATCH_CHANNELS * form->frames * form->side * form->side;
}

int64_t natural_patch_values(const judo_batch *batch)
{
    return batch->num_patches * values_of_patch(&batch->patch_form);
}

static int64_t fill_squares(const judo_batch *batch, judo_patch_square *squares)
{
    const judo_patch_form *form = &batch->patch_form;
    const int64_t patch = form->side * JUDO_PATCH_CHANNELS;
    int64_t count = 0;
    for (int32_t i = 0; i < batch->num_images; i++) {
        const judo_image_grid *grid = &batch->images[i];
        int64_t first = grid->first_patch * patch * form->side;
        int64_t row = grid->w * patch;
        for (int32_t y = 0; y < grid->h; y += form->merge) {
            for (int32_t x = 0; x < grid->w; x += form->merge) {
                squares[count++] = (judo_patch_square){
                    .first_byte = first + y * form->side * row + x * patch, .row_bytes = row};
            }
        }
    }
    return count;
}

judo_status natural_patches(const judo_batch *batch, float *out)
{
    const judo_patch_form *form = &batch->patch_form;
    judo_patch_square *squares = calloc((size_t)batch->num_patches + 1, sizeof *squares);
    if (squares == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d patches", batch->num_patches);
    }
    judo_tensor y =
        judo_tensor_2d(out, JUDO_F32, batch->num_patches, values_of_patch(&batch->patch_form));
    judo_tensor pixels = judo_tensor_1d((void *)(uintptr_t)batch->pixels, JUDO_U8,
                                        (int64_t)batch->num_patches * form->side * form->side *
                                            JUDO_PATCH_CHANNELS);
    judo_status status =
        judo_ops_cpu()->patchify(&y, &pixels, squares, fill_squares(batch, squares), form);
    free(squares);
    return status;
}

judo_status natural_batch(const judo_image_processor *processor, const judo_image *processed,
                          judo_image_grid *grid, judo_batch *out)
{
    *grid = (judo_image_grid){.t = 1};
    JUDO_TRY(judo_image_processor_grid(processor, processed, &grid->h, &grid->w));
    *out = (judo_batch){.num_images = 1,
                        .images = grid,
                        .num_patches = grid->h * grid->w,
                        .pixels = processed->pixels,
                        .patch_form = judo_image_processor_form(processor)};
    return JUDO_OK;
}
