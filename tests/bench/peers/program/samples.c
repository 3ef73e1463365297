/* tests/bench/peers/program/samples.c: the tokens that a stage makes of a dataset's samples. */
#include <stdlib.h>

#include "tests/bench/peers/program/commands.h"

typedef struct samples {
    judo_tokenizer *tokenizer;
    judo_image_processor processor;
    judo_dataset *dataset;
    judo_sample_text text;
    bool with_target;
} samples;

static void put_ids(judo_json_writer *answer, const char *key, const int32_t *ids, int32_t n)
{
    judo_json_begin_array(answer, key);
    for (int32_t i = 0; i < n; i++) {
        judo_json_put_int(answer, NULL, ids[i]);
    }
    judo_json_end_array(answer);
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    samples *self = context;
    int64_t index;
    judo_sample sample;
    judo_sample_sequence sequence;
    JUDO_TRY(judo_json_get_int(request, "sample", source, &index));
    JUDO_TRY(judo_dataset_sample(self->dataset, index, &sample));
    JUDO_TRY(judo_sample_sequence_build(&self->text, self->dataset, &sample, self->with_target,
                                        &sequence));
    judo_json_begin_object(answer, NULL);
    put_ids(answer, "tokens", sequence.view.tokens, sequence.view.num_tokens);
    judo_json_put_int(answer, "first_target", sequence.view.first_target);
    put_ids(answer, "image_starts", sequence.image_starts, sequence.view.num_images);
    judo_json_end_object(answer);
    judo_sample_sequence_free(&sequence);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *places[2], *input = NULL;
    int count;
    samples self = {.text = {.style = JUDO_PROMPTS_COMPACT}};
    const judo_option options[] = {{"input", JUDO_OPTION_STRING, &input},
                                   {"with-target", JUDO_OPTION_FLAG, &self.with_target}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 2, 2, 2, places, &count));
    JUDO_TRY(judo_peer_processor_load(places[0], &self.processor));
    JUDO_TRY(judo_tokenizer_open(places[0], &self.tokenizer));
    judo_status status =
        judo_dataset_open(places[1], self.processor.fingerprint, &self.dataset);
    self.text.tokenizer = self.tokenizer;
    self.text.processor = &self.processor;
    if (status == JUDO_OK) {
        status = judo_filter_run(input, answer_request, &self);
    }
    judo_dataset_close(&self.dataset);
    judo_tokenizer_close(&self.tokenizer);
    return status;
}

const judo_tool judo_peer_samples = {
    .name = "samples",
    .summary = "the tokens that a stage makes of a dataset's samples (compact prompts)",
    .help = "judo_bench_peer samples MODEL_DIR DATASET.h5 [--with-target]\n\n"
            "  {\"sample\": INDEX}  ->  {\"tokens\", \"first_target\", \"image_starts\"}\n",
    .run = run,
};
