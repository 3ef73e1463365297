/* tests/parity/filter/patches.c: a picture file as the image processor's patches. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/file.h"
#include "tests/data/natural_patches.h"
#include "tests/parity/filter/filters.h"

static judo_status read_settings(const judo_json *request, const char *source,
                                 judo_image_processor *processor)
{
    int64_t square;
    judo_image_processor_defaults(processor);
    JUDO_TRY(judo_json_get_int_or(request, "min_pixels", source, processor->min_pixels,
                                  &processor->min_pixels));
    JUDO_TRY(judo_json_get_int_or(request, "max_pixels", source, processor->max_pixels,
                                  &processor->max_pixels));
    JUDO_TRY(judo_json_get_int_or(request, "square", source, 0, &square));
    processor->square = (int32_t)square;
    return judo_image_processor_prepare(processor);
}

/* Writes the patches as they lie in memory. */
static judo_status write_patches(const judo_image_processor *processor, const judo_image *image,
                                 const char *to, judo_image_grid *grid)
{
    judo_batch batch;
    JUDO_TRY(natural_batch(processor, image, grid, &batch));
    size_t bytes = (size_t)natural_patch_values(&batch) * sizeof(float);
    float *patches = malloc(bytes);
    if (patches == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %zu bytes of patches", bytes);
    }
    judo_status status = natural_patches(&batch, patches);
    if (status == JUDO_OK) {
        status = judo_file_replace(to, patches, bytes);
    }
    free(patches);
    return status;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    const char *from, *to;
    judo_image_processor processor;
    judo_image picture = {0}, processed = {0};
    judo_image_grid grid;
    JUDO_TRY(judo_json_get_string(request, "image", source, &from));
    JUDO_TRY(judo_json_get_string(request, "output", source, &to));
    JUDO_TRY(read_settings(request, source, &processor));
    JUDO_TRY(judo_image_read(from, 3, &picture));
    judo_status status = judo_image_processor_resize(&processor, &picture, &processed);
    judo_image_free(&picture);
    if (status == JUDO_OK) {
        status = write_patches(&processor, &processed, to, &grid);
    }
    judo_image_free(&processed);
    JUDO_TRY(status);
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, "grid");
    judo_json_put_int(answer, NULL, 1);
    judo_json_put_int(answer, NULL, grid.h);
    judo_json_put_int(answer, NULL, grid.w);
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_patches = {
    .name = "patches",
    .summary = "a picture file as the image processor's patches",
    .help =
        "judo_parity patches: pictures as the image processor gives them to the model\n\n"
        "  {\"image\": FILE, \"output\": FILE, \"min_pixels\", \"max_pixels\", \"square\"}\n"
        "  -> {\"grid\": [1, rows, columns]}; OUTPUT holds fp32 values in the host's order\n",
    .run = run,
};
