/* tests/bench/memory_bench.c none|zero1|zero2|zero3|hybrid|resident [f32|bf16]: planned and
 * measured bytes of the rank that takes most in training a Qwen2.5-VL of 21 million parameters.
 * Run by tests/bench/memory.sh; prints one row, in bytes:
 * ranks weights gradients moments buffers activations planned allocated resident. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "data/batch_builder.h"
#include "models/qwen25vl.h"
#include "models/random_init.h"
#include "parallel/process.h"
#include "parallel/zero3.h"
#include "tests/bench/process_memory.h"

enum { SIDE = 224, PATCHES = 256, PLACEHOLDERS = 64, TOKENS = 192, STEPS = 2 };

enum { VISION_START = 8001, VISION_END, IMAGE_PAD };

/* Small buckets: the first training below touches them whole. */
enum { BUCKET_BYTES = 1 << 20 };

static const judo_qwen_config config = {
    .text = {.vocab_size = 8192,
             .hidden_size = 384,
             .intermediate_size = 1024,
             .num_layers = 9,
             .num_heads = 6,
             .num_kv_heads = 2,
             .head_dim = 64,
             .max_position_embeddings = 4096,
             .rope_theta = 10000.0,
             .rms_norm_eps = 1e-6,
             .mrope_section = {8, 12, 12},
             .tie_word_embeddings = true},
    .vision = {.depth = 2,
               .hidden_size = 256,
               .intermediate_size = 688,
               .num_heads = 4,
               .head_dim = 64,
               .in_channels = 3,
               .patch_size = 14,
               .temporal_patch_size = 2,
               .spatial_merge_size = 2,
               .window_size = 112,
               .out_hidden_size = 384,
               .rms_norm_eps = 1e-6,
               .rope_theta = 10000.0,
               .full_attention = {false, true}},
    .image_token_id = IMAGE_PAD,
    .video_token_id = IMAGE_PAD + 1,
    .vision_start_token_id = VISION_START,
    .vision_end_token_id = VISION_END,
};

typedef struct bench {
    judo_comm *comm;
    judo_zero3_options sharding;
    judo_dtype dtype;
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
                                                : 7 * i % 8000;
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

static judo_status open_model(bench *b, const judo_qwen_config *of)
{
    judo_model_options options = {.recompute = JUDO_RECOMPUTE_UNIT,
                                  .dtype = b->dtype,
                                  .max_tokens = TOKENS,
                                  .max_patches = PATCHES};
    judo_random_init init = {.seed = 1, .deviation = 0.02};
    judo_weight_source source = judo_random_init_source(&init);
    JUDO_TRY(judo_model_create(of, judo_device_cpu(), &options, &b->model));
    JUDO_TRY(judo_zero3_create(b->comm, judo_model_layout(b->model), judo_device_cpu(),
                               &b->sharding, &b->zero3));
    return judo_zero3_load(b->zero3, &source);
}

static void close_model(bench *b)
{
    judo_zero3_destroy(&b->zero3);
    judo_model_destroy(&b->model);
}

static judo_status step(bench *b, int64_t number)
{
    judo_batch batch;
    judo_adamw adamw = {.learning_rate = 1e-4f,
                        .beta1 = 0.9f,
                        .beta2 = 0.999f,
                        .epsilon = 1e-8f,
                        .step = number,
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

static judo_status train(bench *b, const judo_qwen_config *of)
{
    JUDO_TRY(open_model(b, of));
    for (int64_t number = 1; number <= STEPS; number++) {
        JUDO_TRY(step(b, number));
    }
    return JUDO_OK;
}

/* What libraries and messages take for good is there behind this. */
static judo_status warm_up(bench *b)
{
    judo_qwen_config small = config;
    small.text.num_layers = 2;
    judo_status status = train(b, &small);
    close_model(b);
    (void)malloc_trim(0);
    return status;
}

static int64_t allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static judo_status print_row(bench *b, int64_t allocated, int64_t resident)
{
    judo_zero3_bytes bytes;
    int64_t activations = judo_model_activation_bytes(b->model);
    JUDO_TRY(judo_zero3_plan(judo_model_layout(b->model), b->comm->size, &b->sharding, &bytes));
    int64_t most[2] = {allocated, resident};
    JUDO_TRY(judo_comm_max_i64(b->comm, most, 2));
    if (b->comm->rank == 0) {
        (void)printf("%d %lld %lld %lld %lld %lld %lld %lld %lld\n", b->comm->size,
                     (long long)(bytes.weights + bytes.compute), (long long)bytes.gradients,
                     (long long)bytes.moments,
                     (long long)(bytes.gathered + bytes.gradient_buffer),
                     (long long)activations, (long long)(bytes.total + activations),
                     (long long)most[0], (long long)most[1]);
    }
    return JUDO_OK;
}

static judo_status measure(bench *b)
{
    JUDO_TRY(build_batch(b));
    JUDO_TRY(warm_up(b));
    JUDO_TRY(judo_comm_barrier(b->comm));
    reset_peak();
    int64_t resident = process_bytes("VmRSS:");
    int64_t allocated = allocated_bytes();
    JUDO_TRY(train(b, &config));
    return print_row(b, allocated_bytes() - allocated, process_bytes("VmHWM:") - resident);
}

static judo_status choose_sharding(bench *b, int argc, char **argv)
{
    static const char *const names[] = {"none",  "zero1",  "zero2",
                                        "zero3", "hybrid", "resident"};
    const char *name = argc > 1 ? argv[1] : "zero3";
    const int num_names = (int)(sizeof names / sizeof names[0]);
    int chosen = 0;
    while (chosen < num_names && strcmp(names[chosen], name) != 0) {
        chosen++;
    }
    if (chosen == num_names) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "memory_bench: '%s': none, zero1, zero2, zero3, hybrid or resident",
                         name);
    }
    b->sharding = judo_zero3_stage(chosen < 3 ? chosen : 3);
    b->sharding.whole_weights = b->sharding.whole_weights || strcmp(name, "resident") == 0;
    b->sharding.group_size =
        strcmp(name, "hybrid") == 0 ? (b->comm->size + 1) / 2 : b->sharding.group_size;
    b->dtype = argc > 2 && strcmp(argv[2], "bf16") == 0 ? JUDO_BF16 : JUDO_F32;
    b->sharding.compute_dtype = b->dtype;
    return judo_comm_set_bucket(b->comm, BUCKET_BYTES);
}

int main(int argc, char **argv)
{
    judo_process process;
    bench b = {0};
    judo_status status = judo_process_begin(&process, JUDO_LOG_INFO);
    if (status == JUDO_OK) {
        judo_ops_cpu_set_threads(process.topology.threads);
        b.comm = process.comm;
        status = choose_sharding(&b, argc, argv);
    }
    if (status == JUDO_OK) {
        status = measure(&b);
    }
    close_model(&b);
    judo_batch_builder_destroy(&b.builder);
    judo_image_free(&b.image);
    return judo_process_end(&process, status);
}
