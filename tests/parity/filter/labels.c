/* tests/parity/filter/labels.c: which tokens of a packed sample carry loss. */
#include "data/sample_text.h"
#include "tests/parity/filter/filters.h"

typedef struct labels {
    judo_tokenizer *tokenizer;
    judo_image_processor processor;
    judo_dataset *dataset;
    judo_batch_builder *builder;
} labels;

/* The batch of this sample alone: its tokens, and each target's row and weight. */
static judo_status put_batch(labels *self, const judo_sample_sequence *sequence,
                             judo_json_writer *answer)
{
    judo_batch batch;
    judo_batch_builder_reset(self->builder);
    JUDO_TRY(judo_batch_builder_add(self->builder, &sequence->view));
    JUDO_TRY(judo_batch_builder_batch(self->builder, &batch));
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, "tokens");
    for (int32_t i = 0; i < batch.num_tokens; i++) {
        judo_json_put_int(answer, NULL, batch.tokens[i]);
    }
    judo_json_end_array(answer);
    judo_json_begin_array(answer, "targets");
    for (int32_t i = 0; i < batch.num_targets; i++) {
        judo_json_begin_array(answer, NULL);
        judo_json_put_int(answer, NULL, batch.target_rows[i]);
        judo_json_put_int(answer, NULL, batch.target_tokens[i]);
        judo_json_put_float(answer, NULL, batch.target_weights[i]);
        judo_json_end_array(answer);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    labels *self = context;
    int64_t index;
    judo_sample sample;
    judo_sample_sequence sequence = {0};
    const judo_sample_text text = {.tokenizer = self->tokenizer,
                                   .processor = &self->processor,
                                   .style = JUDO_PROMPTS_JUDO,
                                   .targets = JUDO_TARGETS_REFERENCE};
    JUDO_TRY(judo_json_get_int(request, "sample", source, &index));
    if (index < 0 || index >= judo_dataset_count(self->dataset)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no sample %lld", source, (long long)index);
    }
    JUDO_TRY(judo_dataset_sample(self->dataset, index, &sample));
    JUDO_TRY(judo_sample_sequence_build(&text, self->dataset, &sample, true, &sequence));
    judo_status status = put_batch(self, &sequence, answer);
    judo_sample_sequence_free(&sequence);
    return status;
}

static judo_status answer_all(labels *self, const char *folder, const char *path,
                              const char *input)
{
    JUDO_TRY(judo_tokenizer_open(folder, &self->tokenizer));
    JUDO_TRY(judo_dataset_open(path, NULL, &self->dataset));
    judo_image_processor_defaults(&self->processor);
    JUDO_TRY(judo_image_processor_prepare(&self->processor));
    JUDO_TRY(judo_batch_builder_create(&self->processor, &self->builder));
    return judo_filter_run(input, answer_request, self);
}

static judo_status run(int argc, char **argv)
{
    const char *paths[2], *input = NULL;
    int count;
    labels self = {0};
    const judo_option options[] = {{"input", JUDO_OPTION_STRING, &input}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 1, 2, 2, paths, &count));
    judo_status status = answer_all(&self, paths[0], paths[1], input);
    judo_batch_builder_destroy(&self.builder);
    judo_dataset_close(&self.dataset);
    judo_tokenizer_close(&self.tokenizer);
    return status;
}

const judo_tool judo_parity_labels = {
    .name = "labels",
    .summary = "which tokens of a packed sample carry loss",
    .help = "judo_parity labels MODEL_DIR DATASET.h5: the tokens of packed samples\n\n"
            "  {\"sample\": index}\n"
            "  -> {\"tokens\": [ids], \"targets\": [[row, token, weight], ..]}\n",
    .run = run,
};
