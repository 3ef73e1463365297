/* data/sample_text.c: pictures, prompt and target of one sample. */
#include "data/sample_text.h"

#include <string.h>

#include "data/chat_template.h"

static judo_status read_images(const judo_sample_text *text, const judo_dataset *dataset,
                               const judo_sample *sample, judo_sample_sequence *out,
                               int32_t *image_tokens)
{
    int64_t wanted[JUDO_SAMPLE_IMAGES] = {sample->query_image, sample->template_image};
    for (int i = 0; i < JUDO_SAMPLE_IMAGES; i++) {
        if (wanted[i] < 0) {
            continue;
        }
        int32_t grid_h, grid_w;
        judo_image *image = &out->images[out->view.num_images];
        JUDO_TRY(judo_dataset_image(dataset, wanted[i], image));
        out->view.num_images++;
        JUDO_TRY(judo_image_processor_grid(text->processor, image, &grid_h, &grid_w));
        int32_t merged = text->processor->merge_size * text->processor->merge_size;
        image_tokens[out->view.num_images - 1] = grid_h * grid_w / merged;
    }
    return JUDO_OK;
}

static judo_status make_prompt(const judo_sample_text *text, const judo_sample *sample,
                               int32_t num_images, judo_prompt *out)
{
    judo_prompt_spec spec = {.style = text->style, .options = text->options};
    if (text->use_domain_text && sample->domain[0]) {
        spec.domain = sample->domain;
    }
    switch (sample->kind) {
    case JUDO_SAMPLE_SEGMENTATION:
        return judo_prompt_segmentation(&spec, out);
    case JUDO_SAMPLE_DOMAIN_QA:
        return judo_prompt_domain_qa(&spec, num_images, sample->question, out);
    case JUDO_SAMPLE_CHOICE:
        return judo_prompt_choice(&spec, sample->question, sample->options, sample->num_options,
                                  out);
    }
    return JUDO_FAIL(JUDO_ERROR_INTERNAL, "sample %lld is of no known kind",
                     (long long)sample->index);
}

/* The text to learn; stage 3 has none. */
static judo_status make_target(const judo_sample_text *text, const judo_sample *sample,
                               judo_text *out)
{
    if (sample->kind == JUDO_SAMPLE_DOMAIN_QA) {
        return judo_text_append_string(out, sample->target);
    }
    if (sample->kind != JUDO_SAMPLE_SEGMENTATION) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "sample %lld is of a kind without a text to learn",
                         (long long)sample->index);
    }
    char cells[8192];
    bool reference = text->targets == JUDO_TARGETS_REFERENCE;
    (void)judo_cells_format(&sample->cells, reference ? " , " : ", ", reference ? "None" : "",
                            cells, sizeof cells);
    return judo_target_segmentation(text->targets, cells, sample->target, out);
}

/* The reference code's small differences between the stages (spec: labels), for prompts in its
 * style: stage 1 names the pictures, trains the newline behind the assistant's header and drops
 * the last one. */
static judo_chat_options chat_options(const judo_sample_text *text, const judo_sample *sample)
{
    bool as_judo = text->style == JUDO_PROMPTS_JUDO;
    return (judo_chat_options){
        .add_vision_id = as_judo && sample->kind == JUDO_SAMPLE_SEGMENTATION,
        .strip_end = !as_judo || sample->kind == JUDO_SAMPLE_SEGMENTATION,
        .specials_as_text = true,
    };
}

static judo_status render(const judo_sample_text *text, const judo_sample *sample,
                          const judo_prompt *prompt, bool generation_prompt,
                          const int32_t *image_tokens, judo_sample_sequence *out)
{
    judo_ids starts = {0};
    judo_chat_options options = chat_options(text, sample);
    options.add_generation_prompt = generation_prompt;
    options.strip_end = options.strip_end && !generation_prompt;
    judo_ids_clear(&out->ids);
    judo_status status =
        judo_chat_render(text->tokenizer, prompt->messages, prompt->num_messages, image_tokens,
                         out->view.num_images, &options, &out->ids, &starts);
    for (int32_t i = 0; status == JUDO_OK && i < out->view.num_images; i++) {
        out->image_starts[i] = starts.ids[i];
    }
    judo_ids_free(&starts);
    return status;
}

static judo_status add_target(const judo_sample_text *text, const judo_sample *sample,
                              judo_prompt *prompt, const int32_t *image_tokens,
                              judo_sample_sequence *out)
{
    judo_text target = {0};
    int32_t prompt_tokens = (int32_t)out->ids.count;
    judo_status status = make_target(text, sample, &target);
    if (status == JUDO_OK) {
        status = judo_prompt_reply(prompt, target.bytes ? target.bytes : "");
    }
    if (status == JUDO_OK) {
        status = render(text, sample, prompt, false, image_tokens, out);
    }
    judo_text_free(&target);
    JUDO_TRY(status);
    bool trains_newline =
        text->style == JUDO_PROMPTS_JUDO && sample->kind == JUDO_SAMPLE_SEGMENTATION;
    out->view.first_target = prompt_tokens - (trains_newline ? 1 : 0);
    return JUDO_OK;
}

static judo_status build(const judo_sample_text *text, const judo_dataset *dataset,
                         const judo_sample *sample, bool with_target, judo_sample_sequence *out)
{
    judo_prompt prompt = {0};
    int32_t image_tokens[JUDO_SAMPLE_IMAGES];
    JUDO_TRY(read_images(text, dataset, sample, out, image_tokens));
    JUDO_TRY(make_prompt(text, sample, out->view.num_images, &prompt));
    judo_status status = render(text, sample, &prompt, true, image_tokens, out);
    out->view.first_target = (int32_t)out->ids.count;
    if (status == JUDO_OK && with_target) {
        status = add_target(text, sample, &prompt, image_tokens, out);
    }
    judo_prompt_free(&prompt);
    out->view.tokens = out->ids.ids;
    out->view.num_tokens = (int32_t)out->ids.count;
    out->view.images = out->images;
    out->view.image_starts = out->image_starts;
    out->view.weight = 1.0f;
    return status;
}

judo_status judo_sample_sequence_build(const judo_sample_text *text,
                                       const judo_dataset *dataset, const judo_sample *sample,
                                       bool with_target, judo_sample_sequence *out)
{
    *out = (judo_sample_sequence){0};
    judo_status status = build(text, dataset, sample, with_target, out);
    if (status != JUDO_OK) {
        judo_sample_sequence_free(out);
    }
    return status;
}

void judo_sample_sequence_free(judo_sample_sequence *sequence)
{
    judo_ids_free(&sequence->ids);
    for (int i = 0; i < JUDO_SAMPLE_IMAGES; i++) {
        judo_image_free(&sequence->images[i]);
    }
    *sequence = (judo_sample_sequence){0};
}
