/* models/prompt_slice.c: counting what fits, and shifting its indices. */
#include "models/prompt_slice.h"

#include <stdlib.h>

judo_status judo_prompt_slice_create(const judo_batch *prompts, judo_prompt_slice *out)
{
    judo_prompt_slice slice = {
        .positions = calloc(3 * (size_t)prompts->num_tokens + 1, sizeof *slice.positions),
        .visual_rows = calloc((size_t)prompts->num_visual + 1, sizeof *slice.visual_rows),
        .spans = calloc((size_t)prompts->num_spans + 1, sizeof *slice.spans),
        .images = calloc((size_t)prompts->num_images + 1, sizeof *slice.images),
    };
    if (!slice.positions || !slice.visual_rows || !slice.spans || !slice.images) {
        judo_prompt_slice_destroy(&slice);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d prompts", prompts->num_spans);
    }
    *out = slice;
    return JUDO_OK;
}

void judo_prompt_slice_destroy(judo_prompt_slice *slice)
{
    free(slice->positions);
    free(slice->visual_rows);
    free(slice->spans);
    free(slice->images);
    *slice = (judo_prompt_slice){0};
}

/* The end of the images, from `image` on, whose tokens stand before token `end`; adds up their
 * patches. */
static int32_t end_of_images(const judo_batch *prompts, int32_t image, int32_t end,
                             int64_t *patches)
{
    for (; image < prompts->num_images; image++) {
        const judo_image_grid *grid = &prompts->images[image];
        if (prompts->visual_rows[grid->first_visual] >= end) {
            break;
        }
        *patches += (int64_t)grid->h * grid->w;
    }
    return image;
}

typedef struct extent {
    int32_t end_prompt, end_image;
    int64_t patches;
} extent;

static extent measure(const judo_prompt_slice *slice, const judo_batch *prompts,
                      const judo_prompt_limits *limits)
{
    int32_t first = slice->end_prompt;
    extent fits = {.end_prompt = first, .end_image = slice->first_image};
    while (fits.end_prompt < prompts->num_spans) {
        extent next = fits;
        int32_t end = prompts->spans[next.end_prompt++].end;
        next.end_image = end_of_images(prompts, fits.end_image, end, &next.patches);
        bool fit = end - prompts->spans[first].begin <= limits->tokens &&
                   next.patches <= limits->patches &&
                   next.end_prompt - first <= limits->prompts;
        if (!fit && fits.end_prompt > first) {
            break;
        }
        fits = next;
    }
    return fits;
}

static void move_tokens(judo_prompt_slice *slice, const judo_batch *prompts)
{
    int32_t first = prompts->spans[slice->first_prompt].begin;
    int32_t count = prompts->spans[slice->end_prompt - 1].end - first;
    for (int axis = 0; axis < 3; axis++) {
        const int32_t *from = prompts->positions + (int64_t)axis * prompts->num_tokens + first;
        for (int32_t i = 0; i < count; i++) {
            slice->positions[(int64_t)axis * count + i] = from[i];
        }
    }
    for (int32_t p = slice->first_prompt; p < slice->end_prompt; p++) {
        slice->spans[p - slice->first_prompt] =
            (judo_attention_span){.begin = prompts->spans[p].begin - first,
                                  .end = prompts->spans[p].end - first,
                                  .causal = true};
    }
    slice->first_token = first;
    slice->batch = (judo_batch){.num_tokens = count,
                                .tokens = prompts->tokens + first,
                                .positions = slice->positions,
                                .num_spans = slice->end_prompt - slice->first_prompt,
                                .spans = slice->spans};
}

static void move_images(judo_prompt_slice *slice, const judo_qwen_config *config,
                        const judo_batch *prompts, const extent *fits)
{
    int32_t visual = (int32_t)(fits->patches / judo_qwen_merge_unit(config));
    int32_t count = fits->end_image - slice->first_image;
    int64_t first_byte = slice->first_patch * judo_qwen_patch_bytes(config);
    for (int32_t i = 0; i < count; i++) {
        slice->images[i] = prompts->images[slice->first_image + i];
        slice->images[i].first_patch -= slice->first_patch;
        slice->images[i].first_visual -= slice->first_visual;
    }
    for (int32_t v = 0; v < visual; v++) {
        slice->visual_rows[v] =
            prompts->visual_rows[slice->first_visual + v] - slice->first_token;
    }
    slice->batch.num_images = count;
    slice->batch.images = slice->images;
    slice->batch.num_patches = (int32_t)fits->patches;
    slice->batch.pixels = prompts->pixels ? prompts->pixels + first_byte : NULL;
    slice->batch.patch_form = prompts->patch_form;
    slice->batch.num_visual = visual;
    slice->batch.visual_rows = slice->visual_rows;
    slice->first_image += count;
    slice->first_visual += visual;
    slice->first_patch += slice->batch.num_patches;
}

bool judo_prompt_slice_next(judo_prompt_slice *slice, const judo_qwen_config *config,
                            const judo_batch *prompts, const judo_prompt_limits *limits)
{
    if (slice->end_prompt == prompts->num_spans) {
        return false;
    }
    extent fits = measure(slice, prompts, limits);
    slice->first_prompt = slice->end_prompt;
    slice->end_prompt = fits.end_prompt;
    move_tokens(slice, prompts);
    move_images(slice, config, prompts, &fits);
    return true;
}
