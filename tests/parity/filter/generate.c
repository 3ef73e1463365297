/* tests/parity/filter/generate.c: token ids drawn by a model directory of any size, without a
 * tokenizer. */
#include <stdlib.h>

#include "launch/local_model.h"
#include "models/generate.h"
#include "tests/parity/filter/filters.h"
#include "tests/parity/filter/pass.h"
#include "tests/parity/filter/samples.h"

enum { MOST_STOPS = 16 };

typedef struct generate_request {
    const char *folder, *input;
    int64_t max_new_tokens;
    double repetition_penalty;
    int32_t stops[MOST_STOPS];
    int32_t num_stops;
    const judo_json *banned;
} generate_request;

static judo_status read_request(const judo_json *request, const char *source,
                                generate_request *out)
{
    JUDO_TRY(judo_json_get_string(request, "model", source, &out->folder));
    JUDO_TRY(judo_json_get_string(request, "input", source, &out->input));
    JUDO_TRY(judo_json_get_int(request, "max_new_tokens", source, &out->max_new_tokens));
    JUDO_TRY(judo_json_get_double_or(request, "repetition_penalty", source, 1.0,
                                     &out->repetition_penalty));
    const judo_json *stops = judo_json_get(request, "stop");
    for (const judo_json *item = judo_json_first(stops); item && out->num_stops < MOST_STOPS;
         item = judo_json_next(item)) {
        int64_t id;
        JUDO_TRY(judo_json_as_int(item, source, &id));
        out->stops[out->num_stops++] = (int32_t)id;
    }
    out->banned = judo_json_get(request, "banned");
    return JUDO_OK;
}

static judo_status mark_banned(const judo_json *list, const char *source, int64_t vocab,
                               uint8_t *banned)
{
    for (const judo_json *item = judo_json_first(list); item; item = judo_json_next(item)) {
        int64_t id;
        JUDO_TRY(judo_json_as_int(item, source, &id));
        if (id < 0 || id >= vocab) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: banned id %lld", source, (long long)id);
        }
        banned[id] = 1;
    }
    return JUDO_OK;
}

static void put_tokens(const judo_generation *g, judo_json_writer *answer)
{
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, "tokens");
    for (int32_t row = 0; row < g->num_rows; row++) {
        judo_json_begin_array(answer, NULL);
        for (int32_t t = 0; t < g->lengths[row]; t++) {
            judo_json_put_int(answer, NULL, g->tokens[(int64_t)row * g->max_new_tokens + t]);
        }
        judo_json_end_array(answer);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
}

/* All prompts of the file in one greedy generation. */
static judo_status draw(judo_local_model *local, const judo_batch *batch,
                        const generate_request *request, const uint8_t *banned,
                        judo_json_writer *answer)
{
    judo_generation generation;
    judo_generate_options options = {
        .sampling = {.top_p = 1.0f, .repetition_penalty = (float)request->repetition_penalty},
        .max_new_tokens = (int32_t)request->max_new_tokens,
        .stop_tokens = request->stops,
        .num_stop_tokens = request->num_stops,
        .banned = banned,
        .logprob_temperature = 1.0f,
    };
    JUDO_TRY(judo_generation_create(batch->num_spans, options.max_new_tokens, &generation));
    uint64_t *keys = calloc((size_t)batch->num_spans + 1, sizeof *keys);
    judo_status status =
        keys ? judo_generate(local->model, judo_local_params_base(local->params), batch, keys,
                             1, &options, &generation)
             : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for prompts");
    if (status == JUDO_OK) {
        put_tokens(&generation, answer);
    }
    free(keys);
    judo_generation_free(&generation);
    return status;
}

static judo_status answer_request(void *context, const judo_json *json, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    generate_request request = {0};
    judo_qwen_config config;
    judo_image_processor processor;
    judo_parity_samples samples = {0};
    judo_local_model local = {0};
    judo_batch_builder *builder = NULL;
    judo_batch batch;
    uint8_t *banned = NULL;
    const judo_device *device = NULL;
    judo_status status;
    JUDO_TRY(read_request(json, source, &request));
    JUDO_TRY(judo_parity_device(&device));
    JUDO_TRY(judo_qwen_config_load(request.folder, &config));
    JUDO_TRY(judo_parity_processor(&config, &processor));
    JUDO_TRY_GOTO(status, done, judo_parity_samples_open(request.input, &config, &samples));
    JUDO_TRY_GOTO(status, done, judo_batch_builder_create(&processor, &builder));
    JUDO_TRY_GOTO(status, done,
                  judo_local_model_open(request.folder, device, samples.num_tokens,
                                        samples.num_patches, JUDO_F32, &local));
    banned = calloc((size_t)config.text.vocab_size, 1);
    JUDO_TRY_GOTO(status, done,
                  banned ? mark_banned(request.banned, source, config.text.vocab_size, banned)
                         : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for banned ids"));
    JUDO_TRY_GOTO(status, done,
                  judo_parity_pack(&samples, 0, samples.count, false, builder, &batch));
    status = draw(&local, &batch, &request, banned, answer);
done:
    free(banned);
    judo_local_model_close(&local);
    judo_batch_builder_destroy(&builder);
    judo_parity_samples_close(&samples);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_generate = {
    .name = "generate",
    .summary = "greedy continuations as token ids",
    .help = "judo_parity generate: greedy continuations of all sequences of a file at once\n\n"
            "  {\"model\": FOLDER, \"input\": SAFETENSORS, \"max_new_tokens\": N,\n"
            "   \"repetition_penalty\": X, \"stop\": [ids], \"banned\": [ids]}\n"
            "  ->  {\"tokens\": [[ids], ..]}\n",
    .run = run,
};
