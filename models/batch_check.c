/* models/batch_check.c: range checks, so that no kernel ever indexes outside its rows. */
#include "models/batch_check.h"

#include <inttypes.h>
#include <math.h>

#define REJECT(...) JUDO_FAIL(JUDO_ERROR_ARGUMENT, "batch: " __VA_ARGS__)

static judo_status check_spans(const judo_batch *batch)
{
    int32_t covered = 0;
    for (int32_t i = 0; i < batch->num_spans; i++) {
        const judo_attention_span *s = &batch->spans[i];
        if (s->begin != covered || s->end <= s->begin || s->end > batch->num_tokens) {
            return REJECT("span %d is [%d, %d); spans must cover %d tokens once and in order",
                          i, s->begin, s->end, batch->num_tokens);
        }
        bool empty = s->prefix_begin == s->prefix_end;
        if (!empty && (s->prefix_begin < 0 || s->prefix_end < s->prefix_begin ||
                       s->prefix_end > s->begin)) {
            return REJECT("span %d: prefix [%d, %d) must lie before its tokens [%d, %d)", i,
                          s->prefix_begin, s->prefix_end, s->begin, s->end);
        }
        covered = s->end;
    }
    if (covered != batch->num_tokens) {
        return REJECT("spans cover %d of %d tokens", covered, batch->num_tokens);
    }
    return JUDO_OK;
}

static judo_status check_tokens(const judo_qwen_config *config, const judo_batch *batch)
{
    int64_t vocab = config->text.vocab_size;
    for (int32_t i = 0; i < batch->num_tokens; i++) {
        if (batch->tokens[i] < 0 || batch->tokens[i] >= vocab) {
            return REJECT("token %d is %d; the vocabulary has %" PRId64 " rows", i,
                          batch->tokens[i], vocab);
        }
    }
    for (int64_t i = 0; i < 3 * (int64_t)batch->num_tokens; i++) {
        if (batch->positions[i] < 0) {
            return REJECT("position %" PRId64 " is negative (%d)", i, batch->positions[i]);
        }
    }
    return JUDO_OK;
}

/* Pixels made for another model would be read past their end. */
static judo_status check_form(const judo_qwen_vision_config *config,
                              const judo_patch_form *form)
{
    if (form->side != config->patch_size || form->frames != config->temporal_patch_size ||
        form->merge != config->spatial_merge_size) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "batch: the image processor makes patches of %d pixels in %d frames, "
                         "merged %d x %d; the model reads %" PRId64 ", %" PRId64 " and %" PRId64
                         ": the preprocessor_config.json is another model's",
                         form->side, form->frames, form->merge, form->merge, config->patch_size,
                         config->temporal_patch_size, config->spatial_merge_size);
    }
    for (int c = 0; c < JUDO_PATCH_CHANNELS; c++) {
        if (!isfinite(form->mean[c]) || !isfinite(form->deviation[c]) ||
            !(form->deviation[c] > 0)) {
            return REJECT("mean %g and deviation %g of channel %d must be finite, the latter "
                          "above 0",
                          (double)form->mean[c], (double)form->deviation[c], c);
        }
    }
    return JUDO_OK;
}

static judo_status check_images(const judo_qwen_config *config, const judo_batch *batch)
{
    int64_t merge = config->vision.spatial_merge_size;
    int64_t patches = 0;
    if (batch->num_images > 0) {
        JUDO_TRY(check_form(&config->vision, &batch->patch_form));
    }
    for (int32_t i = 0; i < batch->num_images; i++) {
        const judo_image_grid *g = &batch->images[i];
        if (g->t != 1) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                             "batch: image %d has %d frames; judo runs still images only", i,
                             g->t);
        }
        if (g->h <= 0 || g->w <= 0 || g->h % merge || g->w % merge) {
            return REJECT("image %d: grid %d x %d must be positive multiples of %" PRId64, i,
                          g->h, g->w, merge);
        }
        if (g->first_patch != patches || g->first_visual != patches / (merge * merge)) {
            return REJECT(
                "image %d starts at patch %d, visual row %d; expected %" PRId64 " and %" PRId64,
                i, g->first_patch, g->first_visual, patches, patches / (merge * merge));
        }
        patches += (int64_t)g->h * g->w;
        if (patches > batch->num_patches) {
            break;
        }
    }
    if (patches != batch->num_patches ||
        (int64_t)batch->num_visual * merge * merge != patches) {
        return REJECT("images have %" PRId64 " patches; the batch has %d patches and %d visual "
                      "rows",
                      patches, batch->num_patches, batch->num_visual);
    }
    if (patches > 0 && !batch->pixels) {
        return REJECT("%" PRId64 " patches have no pixels", patches);
    }
    return JUDO_OK;
}

static judo_status check_visual_rows(const judo_batch *batch)
{
    int32_t previous = -1;
    for (int32_t i = 0; i < batch->num_visual; i++) {
        int32_t row = batch->visual_rows[i];
        if (row <= previous || row >= batch->num_tokens) {
            return REJECT("visual row %d replaces token %d; rows must ascend below %d", i, row,
                          batch->num_tokens);
        }
        previous = row;
    }
    return JUDO_OK;
}

static judo_status check_targets(const judo_qwen_config *config, const judo_batch *batch)
{
    for (int32_t i = 0; i < batch->num_targets; i++) {
        if (batch->target_rows[i] < 0 || batch->target_rows[i] >= batch->num_tokens ||
            batch->target_tokens[i] < 0 || batch->target_tokens[i] >= config->text.vocab_size) {
            return REJECT("target %d: row %d predicts token %d; there are %d rows and %" PRId64
                          " ids",
                          i, batch->target_rows[i], batch->target_tokens[i], batch->num_tokens,
                          config->text.vocab_size);
        }
    }
    return JUDO_OK;
}

judo_status judo_batch_check(const judo_qwen_config *config, const judo_batch *batch)
{
    if (batch->num_tokens < 0 || batch->num_spans < 0 || batch->num_images < 0 ||
        batch->num_patches < 0 || batch->num_visual < 0 || batch->num_targets < 0) {
        return REJECT("a count is negative");
    }
    JUDO_TRY(check_tokens(config, batch));
    JUDO_TRY(check_spans(batch));
    JUDO_TRY(check_images(config, batch));
    JUDO_TRY(check_visual_rows(batch));
    return check_targets(config, batch);
}
