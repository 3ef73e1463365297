/* tests/bench/model_memory_bench.c: planned and measured bytes per rank of training a
 * Qwen2.5-VL of 512 x 8 on one picture and a text. Run by tests/bench/memory.sh on 1, 2 and 4
 * ranks; prints one row. */
#include "data/batch_builder.h"
#include "models/qwen25vl.h"
#include "models/random_init.h"
#include "parallel/process.h"
#include "parallel/zero3.h"
#include "tests/bench/process_memory.h"

enum { SIDE = 448, PATCHES = 1024, PLACEHOLDERS = 256, TOKENS = 768, STEPS = 2 };

enum { VISION_START = 16001, VISION_END, IMAGE_PAD };

static const judo_qwen_config config = {
    .text = {.vocab_size = 16384,
             .hidden_size = 512,
             .intermediate_size = 1408,
             .num_layers = 8,
             .num_heads = 8,
             .num_kv_heads = 2,
             .head_dim = 64,
             .max_position_embeddings = 4096,
             .rope_theta = 10000.0,
             .rms_norm_eps = 1e-6,
             .mrope_section = {8, 12, 12},
             .tie_word_embeddings = true},
    .vision = {.depth = 4,
               .hidden_size = 256,
               .intermediate_size = 688,
               .num_heads = 4,
               .head_dim = 64,
               .in_channels = 3,
               .patch_size = 14,
               .temporal_patch_size = 2,
               .spatial_merge_size = 2,
               .window_size = 112,
               .out_hidden_size = 512,
               .rms_norm_eps = 1e-6,
               .rope_theta = 10000.0,
               .full_attention = {false, false, false, true}},
    .image_token_id = IMAGE_PAD,
    .video_token_id = IMAGE_PAD + 1,
    .vision_start_token_id = VISION_START,
    .vision_end_token_id = VISION_END,
};

typedef struct bench {
    judo_image_processor processor;
    judo_image image;
    judo_batch_builder *builder;
    judo_model *model;
    judo_zero3 *zero3;
} bench;

static judo_status build_batch(bench *b)
{
    int32_t tokens[TOKENS];
    int32_t start = 1;
    judo_image_processor_defaults(&b->processor);
    JUDO_TRY(judo_image_processor_prepare(&b->processor));
    JUDO_TRY(judo_image_create(SIDE, SIDE, 3, &b->image));
    JUDO_TRY(judo_batch_builder_create(&b->processor, &b->builder));
    for (int32_t i = 0; i < TOKENS; i++) {
        tokens[i] = i == 0                      ? VISION_START
                    : i < start + PLACEHOLDERS  ? IMAGE_PAD
                    : i == start + PLACEHOLDERS ? VISION_END
                                                : 7 * i % 16000;
    }
    judo_sequence sequence = {.tokens = tokens,
                              .num_tokens = TOKENS,
                              .first_target = start + PLACEHOLDERS + 1,
                              .weight = 1.0f,
                              .num_images = 1,
                              .images = &b->image,
                              .image_starts = &start};
    return judo_batch_builder_add(b->builder, &sequence);
}

static judo_status open_model(bench *b, judo_comm *comm)
{
    judo_model_options options = {
        .checkpoint_activations = true, .max_tokens = TOKENS, .max_patches = PATCHES};
    judo_zero3_options sharding = {0};
    judo_random_init init = {.seed = 1, .deviation = 0.02};
    judo_weight_source source = judo_random_init_source(&init);
    JUDO_TRY(judo_model_create(&config, judo_device_cpu(), &options, &b->model));
    JUDO_TRY(judo_zero3_create(comm, judo_model_layout(b->model), judo_device_cpu(), &sharding,
                               &b->zero3));
    return judo_zero3_load(b->zero3, &source);
}

static judo_status train(bench *b, int64_t step)
{
    judo_batch batch;
    judo_adamw adamw = {.learning_rate = 1e-4f,
                        .beta1 = 0.9f,
                        .beta2 = 0.999f,
                        .epsilon = 1e-8f,
                        .step = step,
                        .gradient_scale = 1};
    judo_zero3_update update;
    JUDO_TRY(judo_batch_builder_batch(b->builder, &batch));
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL,
                            .scale = 1.0 / TOKENS,
                            .temperature = 1.0f,
                            .weights = batch.target_weights};
    judo_token_result result = {0};
    JUDO_TRY(judo_zero3_zero_gradients(b->zero3));
    JUDO_TRY(
        judo_model_run(b->model, judo_zero3_params(b->zero3), &batch, &loss, true, &result));
    return judo_zero3_step(b->zero3, &adamw, 1.0, &update);
}

static void print_row(const bench *b, const judo_comm *comm, int64_t measured)
{
    const double mb = 1e-6;
    judo_zero3_bytes bytes = judo_zero3_allocated(b->zero3);
    int64_t activations = judo_model_activation_bytes(b->model);
    (void)printf(
        "%5d %8.1f %9.1f %8.1f %9.1f %9.1f %8.1f %12.1f %8.1f %9.1f\n", comm->size,
        mb * (double)bytes.weights, mb * (double)bytes.gradients, mb * (double)bytes.moments,
        mb * (double)bytes.gathered, mb * (double)bytes.gradient_buffer,
        mb * (double)comm->scratch_bytes, mb * (double)activations,
        mb * (double)(bytes.total + comm->scratch_bytes + activations), mb * (double)measured);
}

static judo_status measure(bench *b, judo_comm *comm)
{
    JUDO_TRY(build_batch(b));
    JUDO_TRY(judo_comm_barrier(comm));
    reset_peak();
    int64_t before = process_bytes("VmRSS:");
    JUDO_TRY(open_model(b, comm));
    for (int64_t step = 1; step <= STEPS; step++) {
        JUDO_TRY(train(b, step));
    }
    int64_t measured = process_bytes("VmHWM:") - before;
    JUDO_TRY(judo_comm_max_i64(comm, &measured, 1));
    if (comm->rank == 0) {
        print_row(b, comm, measured);
    }
    return JUDO_OK;
}

static judo_status run(judo_comm *comm)
{
    bench b = {0};
    judo_status status = measure(&b, comm);
    judo_zero3_destroy(&b.zero3);
    judo_model_destroy(&b.model);
    judo_batch_builder_destroy(&b.builder);
    judo_image_free(&b.image);
    return status;
}

int main(void)
{
    judo_process process;
    judo_status status = judo_process_begin(&process, JUDO_LOG_INFO);
    if (status == JUDO_OK) {
        judo_ops_cpu_set_threads(process.topology.threads);
        status = run(process.comm);
    }
    return judo_process_end(&process, status);
}
