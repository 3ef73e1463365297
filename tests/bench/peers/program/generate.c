/* tests/bench/peers/program/generate.c: greedy completions of prompts in one batch. */
#include <string.h>

#include "launch/local_model.h"
#include "models/generate.h"
#include "runtime/dtype_choice.h"
#include "runtime/log.h"
#include "tests/bench/peers/program/commands.h"

enum { MOST_ROWS = 256 };

typedef struct generator {
    judo_image_processor processor;
    judo_peer_sequences sequences;
    judo_batch_builder *builder;
    judo_local_model local;
    int64_t new_tokens;
} generator;

static judo_status draw(generator *self, judo_generation *generation, double *seconds)
{
    const uint64_t keys[MOST_ROWS] = {0};
    judo_batch batch;
    judo_generate_options options = {.sampling = {.top_p = 1.0f, .repetition_penalty = 1.0f},
                                     .max_new_tokens = (int32_t)self->new_tokens,
                                     .logprob_temperature = 1.0f};
    JUDO_TRY(judo_batch_builder_batch(self->builder, &batch));
    double begin = judo_clock();
    JUDO_TRY(judo_generate(self->local.model, judo_local_params_base(self->local.params),
                           &batch, keys, 1, &options, generation));
    *seconds = judo_clock() - begin;
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    generator *self = context;
    judo_generation generation;
    double seconds = 0;
    (void)request;
    (void)source;
    JUDO_TRY(
        judo_generation_create(self->sequences.count, (int32_t)self->new_tokens, &generation));
    judo_status status = draw(self, &generation, &seconds);
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "decode", seconds);
    judo_json_begin_array(answer, "outcome");
    for (int64_t i = 0; i < generation.num_rows * self->new_tokens; i++) {
        judo_json_put_int(answer, NULL, generation.tokens[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    judo_generation_free(&generation);
    return status;
}

static judo_status open_generator(generator *self, const char *const places[2],
                                  judo_dtype dtype)
{
    judo_batch batch;
    JUDO_TRY(judo_peer_processor_load(places[0], &self->processor));
    JUDO_TRY(judo_peer_sequences_read(places[1], &self->processor, &self->sequences));
    if (self->sequences.count > MOST_ROWS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: more than %d prompts", places[1], MOST_ROWS);
    }
    JUDO_TRY(judo_batch_builder_create(&self->processor, &self->builder));
    for (int32_t i = 0; i < self->sequences.count; i++) {
        JUDO_TRY(judo_batch_builder_add(self->builder, &self->sequences.items[i].view));
    }
    JUDO_TRY(judo_batch_builder_batch(self->builder, &batch));
    return judo_local_model_open(places[0], judo_device_cpu(), batch.num_tokens,
                                 batch.num_patches, dtype, &self->local);
}

static judo_status run(int argc, char **argv)
{
    const char *places[2], *dtype_name = "f32";
    int count;
    judo_dtype dtype;
    generator self = {.new_tokens = 128};
    const judo_option options[] = {{"new-tokens", JUDO_OPTION_INT, &self.new_tokens},
                                   {"dtype", JUDO_OPTION_STRING, &dtype_name}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 2, 2, 2, places, &count));
    JUDO_TRY(judo_dtype_parse(dtype_name, "--dtype", &dtype));
    judo_status status = open_generator(&self, places, dtype);
    if (status == JUDO_OK) {
        status = judo_filter_run(NULL, answer_request, &self);
    }
    judo_local_model_close(&self.local);
    judo_batch_builder_destroy(&self.builder);
    judo_peer_sequences_free(&self.sequences);
    return status;
}

const judo_tool judo_peer_generate = {
    .name = "generate",
    .summary = "greedy completions of prompts in one batch",
    .help = "judo_bench_peer generate MODEL_DIR PROMPTS.jsonl [--new-tokens N] [--dtype "
            "f32|bf16]\n\n"
            "  {}  ->  {\"decode\": seconds, \"outcome\": [tokens of all rows]}\n",
    .run = run,
};
