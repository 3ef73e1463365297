/* tests/models/batch_builder.c: packing for tests; rows are appended to generous arrays. */
#include <stdlib.h>
#include <string.h>

#include "data/mrope_positions.h"
#include "tests/models/fixture.h"

enum { MOST = 1024 };

/* Means and deviations as Qwen2VLImageProcessor has them. */
static judo_patch_form form_of(const judo_qwen_config *config)
{
    return (judo_patch_form){.side = (int32_t)config->vision.patch_size,
                             .frames = (int32_t)config->vision.temporal_patch_size,
                             .merge = (int32_t)config->vision.spatial_merge_size,
                             .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                             .deviation = {0.26862954f, 0.26130258f, 0.27577711f}};
}

static built_batch begin(const judo_qwen_config *config)
{
    built_batch b = {
        .tokens = calloc(MOST, sizeof *b.tokens),
        .positions = calloc(3 * MOST, sizeof *b.positions),
        .visual_rows = calloc(MOST, sizeof *b.visual_rows),
        .target_rows = calloc(MOST, sizeof *b.target_rows),
        .target_tokens = calloc(MOST, sizeof *b.target_tokens),
        .target_sequences = calloc(MOST, sizeof *b.target_sequences),
        .pixels = calloc((size_t)(MOST * judo_qwen_patch_bytes(config)), 1),
        .target_weights = calloc(MOST, sizeof *b.target_weights),
        .spans = calloc(MOST, sizeof *b.spans),
        .images = calloc(MOST, sizeof *b.images),
        .batch.patch_form = form_of(config),
    };
    return b;
}

static void add_images(built_batch *b, const judo_qwen_config *config, const sequence *s,
                       int32_t first_token)
{
    int32_t unit = (int32_t)judo_qwen_merge_unit(config);
    int64_t bytes = judo_qwen_patch_bytes(config);
    const uint8_t *pixels = s->pixels;
    for (int32_t i = 0; i < s->num_images; i++) {
        judo_image_grid grid = s->grids[i];
        int32_t count = grid.h * grid.w;
        grid.first_patch = b->batch.num_patches;
        grid.first_visual = b->batch.num_visual;
        b->images[b->batch.num_images++] = grid;
        memcpy(b->pixels + b->batch.num_patches * bytes, pixels, (size_t)(count * bytes));
        pixels += count * bytes;
        b->batch.num_patches += count;
        for (int32_t v = 0; v < count / unit; v++) {
            b->visual_rows[b->batch.num_visual++] = first_token + s->starts[i] + v;
        }
    }
}

static void add_target(built_batch *b, int32_t row, int32_t token)
{
    if (token >= 0) {
        b->target_rows[b->batch.num_targets] = row;
        b->target_weights[b->batch.num_targets] = 1.0f;
        b->target_tokens[b->batch.num_targets++] = token;
    }
}

/* Appends tokens with positions (row stride MOST); `shift` moves text positions. */
static int32_t add_text(built_batch *b, const judo_qwen_config *config, const sequence *s,
                        int32_t shift, int32_t *delta)
{
    int32_t first = b->batch.num_tokens;
    assert_true(first + s->num_tokens <= MOST);
    memcpy(b->tokens + first, s->tokens, (size_t)s->num_tokens * sizeof *s->tokens);
    judo_mrope_image places[8];
    int32_t merge = (int32_t)config->vision.spatial_merge_size;
    int32_t next;
    for (int i = 0; i < s->num_images; i++) {
        places[i] =
            (judo_mrope_image){s->starts[i], s->grids[i].h / merge, s->grids[i].w / merge};
    }
    int32_t *positions = b->positions + first;
    assert_ok(judo_mrope_positions(s->num_tokens, places, s->num_images, 0, positions,
                                   positions + MOST, positions + 2 * MOST, &next));
    if (delta) {
        *delta = next - s->num_tokens;
    }
    for (int axis = 0; axis < 3; axis++) {
        for (int32_t i = 0; i < s->num_tokens; i++) {
            b->positions[axis * MOST + first + i] += shift;
        }
    }
    b->batch.num_tokens += s->num_tokens;
    return first;
}

static void finish(built_batch *b)
{
    int32_t n = b->batch.num_tokens;
    memmove(b->positions + n, b->positions + MOST, (size_t)n * sizeof *b->positions);
    memmove(b->positions + 2 * n, b->positions + 2 * MOST, (size_t)n * sizeof *b->positions);
    b->batch.tokens = b->tokens;
    b->batch.positions = b->positions;
    b->batch.spans = b->spans;
    b->batch.images = b->images;
    b->batch.pixels = b->pixels;
    b->batch.visual_rows = b->visual_rows;
    b->batch.target_rows = b->target_rows;
    b->batch.target_tokens = b->target_tokens;
    b->batch.target_weights = b->target_weights;
    b->batch.target_sequences = b->target_sequences;
}

built_batch batch_pack(const judo_qwen_config *config, const sequence *sequences, int count)
{
    built_batch b = begin(config);
    for (int i = 0; i < count; i++) {
        const sequence *s = &sequences[i];
        int32_t first = add_text(&b, config, s, 0, NULL);
        add_images(&b, config, s, first);
        b.spans[b.batch.num_spans++] =
            (judo_attention_span){.begin = first, .end = b.batch.num_tokens, .causal = true};
        for (int32_t t = 0; t < s->num_tokens; t++) {
            add_target(&b, first + t, s->targets[t]);
        }
    }
    finish(&b);
    return b;
}

static void add_completion(built_batch *b, const judo_qwen_config *config, const sequence *c,
                           int32_t prompt_begin, int32_t prompt_end, int32_t shift)
{
    int32_t first = add_text(b, config, c, shift, NULL);
    b->spans[b->batch.num_spans++] = (judo_attention_span){.begin = first,
                                                           .end = b->batch.num_tokens,
                                                           .prefix_begin = prompt_begin,
                                                           .prefix_end = prompt_end,
                                                           .causal = true};
    add_target(b, prompt_end - 1, c->tokens[0]);
    for (int32_t t = 1; t < c->num_tokens; t++) {
        add_target(b, first + t - 1, c->tokens[t]);
    }
}

static built_batch group(const judo_qwen_config *config, const sequence *prompt,
                         const sequence *completions, int count, bool shared)
{
    built_batch b = begin(config);
    int32_t begin_row = 0;
    int32_t delta = 0;
    for (int i = 0; i < count; i++) {
        if (i == 0 || !shared) {
            begin_row = add_text(&b, config, prompt, 0, &delta);
            add_images(&b, config, prompt, begin_row);
            b.spans[b.batch.num_spans++] = (judo_attention_span){
                .begin = begin_row, .end = b.batch.num_tokens, .causal = true};
        }
        add_completion(&b, config, &completions[i], begin_row, begin_row + prompt->num_tokens,
                       prompt->num_tokens + delta);
    }
    finish(&b);
    return b;
}

built_batch batch_group(const judo_qwen_config *config, const sequence *prompt,
                        const sequence *completions, int count)
{
    return group(config, prompt, completions, count, true);
}

/* One whole causal span per copy: attention must not depend on how it is cut. */
built_batch batch_tiled(const judo_qwen_config *config, const sequence *prompt,
                        const sequence *completions, int count)
{
    built_batch b = group(config, prompt, completions, count, false);
    for (int i = 0; i < count; i++) {
        b.spans[i] = (judo_attention_span){
            .begin = b.spans[2 * i].begin, .end = b.spans[2 * i + 1].end, .causal = true};
    }
    b.batch.num_spans = count;
    return b;
}

void batch_free(built_batch *b)
{
    void *arrays[] = {
        b->tokens,           b->positions, b->visual_rows,    b->target_rows, b->target_tokens,
        b->target_sequences, b->pixels,    b->target_weights, b->spans,       b->images};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    *b = (built_batch){0};
}
