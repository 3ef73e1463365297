/* tests/parity/filter/samples.h: sequences with pictures from a safetensors file, and results
 * into one: how the rows about models hand over inputs and tensors. */
#ifndef JUDO_TESTS_PARITY_FILTER_SAMPLES_H
#define JUDO_TESTS_PARITY_FILTER_SAMPLES_H

#include "data/batch_builder.h"
#include "models/hf_config.h"
#include "runtime/safetensors.h"

/* All sequences of a file; owns what they point to. */
typedef struct judo_parity_samples {
    int32_t count;
    judo_sequence *sequences; /* [count] */
    int32_t num_images;
    judo_image *images;
    int32_t *tokens, *starts;
    int64_t num_tokens, num_patches; /* over all sequences */
} judo_parity_samples;

/* Reads fp32 tensors, ids and counts as whole numbers: `tokens` of all sequences one after
 * another, and per sequence `lengths`, `first_targets`, `weights`, `image_counts`; with
 * pictures, per picture `starts` (token within its sequence), `heights`, `widths`, and all
 * `pixels` (RGB, 0 to 255). Free with close, also after a failure. */
judo_status judo_parity_samples_open(const char *path, const judo_qwen_config *config,
                                     judo_parity_samples *out) JUDO_MUST_CHECK;
void judo_parity_samples_close(judo_parity_samples *samples);

/* Qwen's processor with the patch sizes of a model. */
judo_status judo_parity_processor(const judo_qwen_config *config,
                                  judo_image_processor *out) JUDO_MUST_CHECK;

/* Empties the builder and adds sequences [first, end) side by side, or, with `shared`, the
 * first as the prompt of the others. */
judo_status judo_parity_pack(const judo_parity_samples *samples, int32_t first, int32_t end,
                             bool shared, judo_batch_builder *builder,
                             judo_batch *batch) JUDO_MUST_CHECK;

/* A tensor to be written; borrowed. */
typedef struct judo_parity_result {
    const char *name;
    const float *values;
    int num_dims;
    int64_t dims[JUDO_MAX_DIMS];
} judo_parity_result;

judo_status judo_parity_write(const char *path, const judo_parity_result *results,
                              int count) JUDO_MUST_CHECK;

#endif
