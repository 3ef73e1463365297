/* data/sample_text.h: how a dataset sample becomes token ids: the one place where prompts of
 * training, rollout and evaluation are made. */
#ifndef JUDO_DATA_SAMPLE_TEXT_H
#define JUDO_DATA_SAMPLE_TEXT_H

#include <stdbool.h>

#include "data/batch_builder.h"
#include "data/buffers.h"
#include "data/dataset.h"
#include "data/image_processor.h"
#include "data/prompts.h"
#include "data/tokenizer.h"

/* Borrows its members. */
typedef struct judo_sample_text {
    const judo_tokenizer *tokenizer;
    const judo_image_processor *processor;
    judo_prompt_style style;
    judo_option_layout options;
    judo_target_style targets;
    bool use_domain_text; /* put the sample's domain snippet into the prompt */
} judo_sample_text;

enum { JUDO_SAMPLE_IMAGES = 2 };

/* A sample as a sequence. Owns ids and images; `view` borrows them, so it must stay where it
 * was built. */
typedef struct judo_sample_sequence {
    judo_ids ids;
    judo_image images[JUDO_SAMPLE_IMAGES];
    int32_t image_starts[JUDO_SAMPLE_IMAGES];
    judo_sequence view;
} judo_sample_sequence;

/* Reads the sample's images and renders its prompt; with `with_target` also the text to learn
 * (view.first_target is where it begins), else the prompt ends with the assistant's header.
 * Thread safe. */
judo_status judo_sample_sequence_build(const judo_sample_text *text,
                                       const judo_dataset *dataset, const judo_sample *sample,
                                       bool with_target,
                                       judo_sample_sequence *out) JUDO_MUST_CHECK;
void judo_sample_sequence_free(judo_sample_sequence *sequence);

#endif
