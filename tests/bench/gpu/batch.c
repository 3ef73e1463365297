/* tests/bench/gpu/batch.c: packed batches of made-up tokens and pictures; see model.h. */
#include "tests/bench/gpu/generation.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 36, SMALL_SIDE = 8, BEFORE_IMAGE = 10 };

/* The arrays of a batch; const in judo_batch, which only borrows. */
typedef struct arrays {
    int32_t *tokens, *positions, *visual_rows, *target_rows, *target_tokens, *sequences;
    judo_attention_span *spans;
    judo_image_grid *images;
    float *weights;
    uint8_t *pixels;
} arrays;

void bench_batch_destroy(judo_batch *batch)
{
    const void *const owned[] = {
        batch->tokens,         batch->positions,       batch->spans,       batch->images,
        batch->pixels,         batch->visual_rows,     batch->target_rows, batch->target_tokens,
        batch->target_weights, batch->target_sequences};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free((void *)(uintptr_t)owned[i]);
    }
    *batch = (judo_batch){.num_tokens = 0};
}

/* Values between -1 and 1. */
static judo_patch_form form_of(const judo_qwen_vision_config *vision)
{
    return (judo_patch_form){.side = (int32_t)vision->patch_size,
                             .frames = (int32_t)vision->temporal_patch_size,
                             .merge = (int32_t)vision->spatial_merge_size,
                             .mean = {0.5f, 0.5f, 0.5f},
                             .deviation = {0.5f, 0.5f, 0.5f}};
}

static judo_status allocate(judo_batch *b, arrays *a, const judo_qwen_config *config)
{
    size_t tokens = (size_t)b->num_tokens + 1;
    size_t targets = (size_t)b->num_targets + 1;
    a->tokens = calloc(tokens, sizeof *a->tokens);
    a->positions = calloc(3 * tokens, sizeof *a->positions);
    a->spans = calloc((size_t)b->num_spans, sizeof *a->spans);
    a->images = calloc((size_t)b->num_images + 1, sizeof *a->images);
    a->pixels = calloc((size_t)(b->num_patches * judo_qwen_patch_bytes(config)) + 1, 1);
    a->visual_rows = calloc((size_t)b->num_visual + 1, sizeof *a->visual_rows);
    a->target_rows = calloc(targets, sizeof *a->target_rows);
    a->target_tokens = calloc(targets, sizeof *a->target_tokens);
    a->weights = calloc(targets, sizeof *a->weights);
    a->sequences = calloc(targets, sizeof *a->sequences);
    b->tokens = a->tokens;
    b->positions = a->positions;
    b->spans = a->spans;
    b->images = a->images;
    b->pixels = a->pixels;
    b->patch_form = form_of(&config->vision);
    b->visual_rows = a->visual_rows;
    b->target_rows = a->target_rows;
    b->target_tokens = a->target_tokens;
    b->target_weights = a->weights;
    b->target_sequences = a->sequences;
    if (!a->tokens || !a->positions || !a->spans || !a->images || !a->pixels ||
        !a->visual_rows || !a->target_rows || !a->target_tokens || !a->weights ||
        !a->sequences) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a batch");
    }
    return JUDO_OK;
}

/* Pictures stand one behind the other near the prompt's begin. */
static void place_images(const judo_qwen_config *config, const judo_batch *b, const arrays *a,
                         int32_t side)
{
    int32_t visual = side * side / 4;
    for (int32_t i = 0; i < b->num_images; i++) {
        a->images[i] = (judo_image_grid){1, side, side, i * side * side, i * visual};
        for (int32_t k = 0; k < visual; k++) {
            int32_t row = BEFORE_IMAGE + i * (visual + 2) + k;
            a->visual_rows[i * visual + k] = row;
            a->tokens[row] = (int32_t)config->image_token_id;
        }
    }
    int64_t bytes = b->num_patches * judo_qwen_patch_bytes(config);
    for (int64_t i = 0; i < bytes; i++) {
        a->pixels[i] = (uint8_t)(i * 7919 % 251);
    }
}

static void place_targets(const bench_sequence *s, const arrays *a)
{
    int32_t count = 0;
    for (int32_t row = s->first_target; row < s->prompt; row++) {
        a->target_rows[count] = row - 1;
        a->target_tokens[count++] = a->tokens[row];
    }
    for (int32_t c = 0; c < s->completions; c++) {
        int32_t begin = s->prompt + c * s->completion;
        a->spans[c + 1] =
            (judo_attention_span){begin, begin + s->completion, 0, s->prompt, true};
        for (int32_t i = 0; i < s->completion; i++) {
            a->target_rows[count] = i == 0 ? s->prompt - 1 : begin + i - 1;
            a->target_tokens[count] = a->tokens[begin + i];
            a->sequences[count++] = c;
        }
    }
    for (int32_t i = 0; i < count; i++) {
        a->weights[i] = 1.0f;
    }
}

judo_status bench_batch_create(const judo_qwen_config *config, const bench_sequence *s,
                               judo_batch *out)
{
    arrays a = {.tokens = NULL};
    int32_t side = config->text.vocab_size < 10000 ? SMALL_SIDE : SIDE;
    *out = (judo_batch){.num_tokens = s->prompt + s->completions * s->completion,
                        .num_spans = 1 + s->completions,
                        .num_images = s->images,
                        .num_patches = s->images * side * side,
                        .num_visual = s->images * side * side / 4,
                        .num_targets =
                            s->prompt - s->first_target + s->completions * s->completion,
                        .num_sequences = s->completions > 0 ? s->completions : 1};
    JUDO_TRY(allocate(out, &a, config));
    for (int32_t i = 0; i < out->num_tokens; i++) {
        int32_t behind = (i - s->prompt) % (s->completion > 0 ? s->completion : 1);
        int32_t position = i < s->prompt ? i : s->prompt + behind;
        a.tokens[i] = (int32_t)((int64_t)i * 7919 % 900);
        for (int axis = 0; axis < 3; axis++) {
            a.positions[axis * out->num_tokens + i] = position;
        }
    }
    a.spans[0] = (judo_attention_span){0, s->prompt, 0, 0, true};
    place_images(config, out, &a, side);
    place_targets(s, &a);
    return JUDO_OK;
}

/* Copies of one prompt behind each other, every index moved on. */
judo_status bench_prompts_create(const judo_qwen_config *config, int32_t images, int32_t tokens,
                                 int32_t count, judo_batch *out)
{
    const bench_sequence one = {.images = images, .prompt = tokens, .first_target = tokens};
    arrays a = {.tokens = NULL};
    judo_batch single;
    *out = (judo_batch){.num_tokens = 0};
    judo_status status = bench_batch_create(config, &one, &single);
    if (status == JUDO_OK) {
        *out = (judo_batch){.num_tokens = count * tokens,
                            .num_spans = count,
                            .num_images = count * images,
                            .num_patches = count * single.num_patches,
                            .num_visual = count * single.num_visual};
        status = allocate(out, &a, config);
    }
    int64_t bytes = single.num_patches * judo_qwen_patch_bytes(config);
    for (int32_t p = 0; p < count && status == JUDO_OK; p++) {
        for (int32_t i = 0; i < tokens; i++) {
            a.tokens[p * tokens + i] = single.tokens[i];
            for (int axis = 0; axis < 3; axis++) {
                a.positions[(axis * count + p) * tokens + i] = i;
            }
        }
        a.spans[p] = (judo_attention_span){p * tokens, (p + 1) * tokens, 0, 0, true};
        for (int32_t i = 0; i < images; i++) {
            a.images[p * images + i] = single.images[i];
            a.images[p * images + i].first_patch += p * single.num_patches;
            a.images[p * images + i].first_visual += p * single.num_visual;
        }
        for (int32_t i = 0; i < single.num_visual; i++) {
            a.visual_rows[p * single.num_visual + i] = single.visual_rows[i] + p * tokens;
        }
        memcpy(a.pixels + p * bytes, single.pixels, (size_t)bytes);
    }
    bench_batch_destroy(&single);
    return status;
}
