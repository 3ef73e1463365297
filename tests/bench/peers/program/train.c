/* tests/bench/peers/program/train.c: a training step in its parts, through the calls of the
 * stages: judo_model_run and judo_zero3_step on batches that are ready. */
#include <stdlib.h>

#include "models/checkpoint_directory.h"
#include "models/qwen25vl.h"
#include "parallel/comm.h"
#include "parallel/zero3.h"
#include "runtime/dtype_choice.h"
#include "runtime/log.h"
#include "tests/bench/peers/program/commands.h"

typedef struct training {
    judo_image_processor processor;
    judo_comm *comm;
    judo_model *model;
    judo_zero3 *zero3;
    judo_batch_builder **builders; /* [num_batches]: micro-batches of one step */
    int32_t num_batches;
    judo_model_options options;
    double num_targets;
    int64_t step;
} training;

static judo_status build_batches(training *t, const judo_peer_sequences *sequences,
                                 int32_t micro_batch)
{
    t->builders = calloc((size_t)sequences->count, sizeof(judo_batch_builder *));
    if (!t->builders) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d batches", sequences->count);
    }
    for (int32_t i = 0; i < sequences->count; i++) {
        judo_batch batch;
        if (i % micro_batch == 0) {
            JUDO_TRY(judo_batch_builder_create(&t->processor, &t->builders[t->num_batches++]));
        }
        judo_batch_builder *builder = t->builders[t->num_batches - 1];
        JUDO_TRY(judo_batch_builder_add(builder, &sequences->items[i].view));
        JUDO_TRY(judo_batch_builder_batch(builder, &batch));
        int64_t tokens = batch.num_tokens, patches = batch.num_patches;
        t->options.max_tokens = tokens > t->options.max_tokens ? tokens : t->options.max_tokens;
        t->options.max_patches =
            patches > t->options.max_patches ? patches : t->options.max_patches;
        t->num_targets +=
            sequences->items[i].view.num_tokens - sequences->items[i].view.first_target;
    }
    return JUDO_OK;
}

static judo_status open_model(training *t, const char *folder)
{
    judo_qwen_config config;
    judo_weight_source source;
    judo_zero3_options sharding = {.compute_dtype = t->options.dtype};
    JUDO_TRY(judo_qwen_config_load(folder, &config));
    JUDO_TRY(judo_comm_self_create(&t->comm));
    JUDO_TRY(judo_model_create(&config, judo_device_cpu(), &t->options, &t->model));
    const judo_param_layout *layout = judo_model_layout(t->model);
    JUDO_TRY(judo_zero3_create(t->comm, layout, judo_device_cpu(), &sharding, &t->zero3));
    JUDO_TRY(judo_model_source_open(folder, layout, &source));
    judo_status status = judo_zero3_load(t->zero3, &source);
    judo_model_source_close(&source);
    return status;
}

static void training_close(training *t)
{
    for (int32_t i = 0; i < t->num_batches; i++) {
        judo_batch_builder_destroy(&t->builders[i]);
    }
    free(t->builders);
    judo_zero3_destroy(&t->zero3);
    judo_model_destroy(&t->model);
    judo_comm_destroy(&t->comm);
}

/* All micro-batches once; the mean loss over the targets. */
static judo_status pass(training *t, bool backward, double *loss)
{
    judo_token_result result = {0};
    for (int32_t i = 0; i < t->num_batches; i++) {
        judo_batch batch;
        JUDO_TRY(judo_batch_builder_batch(t->builders[i], &batch));
        judo_token_loss spec = {.kind = JUDO_LOSS_NLL,
                                .scale = 1.0 / t->num_targets,
                                .temperature = 1.0f,
                                .weights = batch.target_weights};
        JUDO_TRY(judo_model_run(t->model, judo_zero3_params(t->zero3), &batch, &spec, backward,
                                &result));
    }
    *loss = result.loss;
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    training *t = context;
    double times[4], loss;
    judo_zero3_update update;
    judo_adamw adamw = {.learning_rate = 1e-5,
                        .beta1 = 0.9,
                        .beta2 = 0.999,
                        .epsilon = 1e-8,
                        .step = ++t->step,
                        .gradient_scale = 1.0f};
    (void)request;
    (void)source;
    times[0] = judo_clock();
    JUDO_TRY(pass(t, false, &loss));
    times[1] = judo_clock();
    JUDO_TRY(judo_zero3_zero_gradients(t->zero3));
    JUDO_TRY(pass(t, true, &loss));
    times[2] = judo_clock();
    JUDO_TRY(judo_zero3_step(t->zero3, &adamw, 1.0, &update));
    times[3] = judo_clock();
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "forward", times[1] - times[0]);
    judo_json_put_double(answer, "backward", times[2] - times[1] - (times[1] - times[0]));
    judo_json_put_double(answer, "update", times[3] - times[2]);
    judo_json_put_double(answer, "step", times[3] - times[1]);
    judo_json_put_double(answer, "outcome", loss);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *places[2], *dtype = "f32";
    int count;
    int64_t micro_batch = 1;
    training t = {0};
    judo_peer_sequences sequences;
    const judo_option options[] = {{"micro-batch", JUDO_OPTION_INT, &micro_batch},
                                   {"dtype", JUDO_OPTION_STRING, &dtype}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 2, 2, 2, places, &count));
    JUDO_TRY(judo_dtype_parse(dtype, "--dtype", &t.options.dtype));
    JUDO_TRY(judo_peer_processor_load(places[0], &t.processor));
    JUDO_TRY(judo_peer_sequences_read(places[1], &t.processor, &sequences));
    judo_status status =
        build_batches(&t, &sequences, micro_batch < 1 ? 1 : (int32_t)micro_batch);
    if (status == JUDO_OK) {
        status = open_model(&t, places[0]);
    }
    if (status == JUDO_OK) {
        status = judo_filter_run(NULL, answer_request, &t);
    }
    training_close(&t);
    judo_peer_sequences_free(&sequences);
    return status;
}

const judo_tool judo_peer_train = {
    .name = "train",
    .summary = "forward, backward and update of one step",
    .help = "judo_bench_peer train MODEL_DIR SEQUENCES.jsonl [--micro-batch N] [--dtype "
            "f32|bf16]\n\n"
            "  {}  ->  {\"forward\", \"backward\", \"update\", \"step\": seconds, \"outcome\": "
            "loss}\n\n"
            "\"backward\" is a pass with gradients less one without; \"step\" is that pass and "
            "the update.\n",
    .run = run,
};
