/* tests/bench/decode_bench.c: tokens per second of generation, text prompts, random weights.
 * Usage: judo_bench_decode [THREADS [demo|large|half [PROMPTS PER_PROMPT [NEW_TOKENS
 * [f32|bf16]]]]] half: blocks as in a model of half a billion parameters, 8 of its 24, and a
 * smaller vocabulary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/generate.h"
#include "models/random_init.h"
#include "runtime/dtype_choice.h"

enum { PROMPT_TOKENS = 200, MOST_PROMPTS = 64 };

static const judo_qwen_config demo = {
    .text = {.vocab_size = 1100,
             .hidden_size = 256,
             .intermediate_size = 704,
             .num_layers = 5,
             .num_heads = 8,
             .num_kv_heads = 2,
             .head_dim = 32,
             .max_position_embeddings = 4096,
             .rope_theta = 10000.0,
             .rms_norm_eps = 1e-6,
             .mrope_section = {4, 6, 6},
             .tie_word_embeddings = true},
    .vision = {.depth = 1,
               .hidden_size = 64,
               .intermediate_size = 128,
               .num_heads = 2,
               .head_dim = 32,
               .in_channels = 3,
               .patch_size = 14,
               .temporal_patch_size = 2,
               .spatial_merge_size = 2,
               .window_size = 112,
               .out_hidden_size = 256,
               .rms_norm_eps = 1e-6,
               .rope_theta = 10000.0,
               .full_attention = {true}},
    .image_token_id = 1003,
    .video_token_id = 1004,
    .vision_start_token_id = 1001,
    .vision_end_token_id = 1002,
};

static judo_qwen_config large(void)
{
    judo_qwen_config config = demo;
    config.text.vocab_size = 16384;
    config.text.hidden_size = 1024;
    config.text.intermediate_size = 2816;
    config.text.num_layers = 12;
    config.text.num_heads = 16;
    config.text.num_kv_heads = 4;
    config.text.head_dim = 64;
    config.text.mrope_section[0] = 8;
    config.text.mrope_section[1] = config.text.mrope_section[2] = 12;
    config.vision.out_hidden_size = 1024;
    return config;
}

static judo_qwen_config half(void)
{
    judo_qwen_config config = large();
    config.text.hidden_size = config.vision.out_hidden_size = 896;
    config.text.intermediate_size = 4864;
    config.text.num_layers = 8;
    config.text.num_heads = 14;
    config.text.num_kv_heads = 2;
    return config;
}

typedef struct bench {
    judo_model *model;
    judo_local_params *params;
    judo_batch prompts;
    int32_t tokens[MOST_PROMPTS * PROMPT_TOKENS], positions[3 * MOST_PROMPTS * PROMPT_TOKENS];
    judo_attention_span spans[MOST_PROMPTS];
    uint64_t keys[MOST_PROMPTS];
} bench;

/* The process's own time on one thread: other work on the machine does not count. */
static double now(void)
{
    struct timespec t;
    (void)clock_gettime(
        judo_ops_cpu_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static judo_status bench_open(bench *b, const judo_qwen_config *config, judo_dtype dtype,
                              int32_t num_prompts)
{
    int32_t total = num_prompts * PROMPT_TOKENS;
    judo_model_options options = {.forward_only = true, .dtype = dtype, .max_tokens = total};
    judo_random_init init = {.seed = 1, .deviation = 0.02};
    judo_weight_source source = judo_random_init_source(&init);
    JUDO_TRY(judo_model_create(config, judo_device_cpu(), &options, &b->model));
    JUDO_TRY(judo_local_params_create(judo_model_layout(b->model), judo_device_cpu(), dtype,
                                      false, &b->params));
    JUDO_TRY(judo_local_params_load(b->params, &source));
    for (int32_t i = 0; i < total; i++) {
        b->tokens[i] = i * 7919 % 1000;
        for (int axis = 0; axis < 3; axis++) {
            b->positions[axis * total + i] = i % PROMPT_TOKENS;
        }
    }
    for (int32_t p = 0; p < num_prompts; p++) {
        b->keys[p] = (uint64_t)p;
        b->spans[p] = (judo_attention_span){
            .begin = p * PROMPT_TOKENS, .end = (p + 1) * PROMPT_TOKENS, .causal = true};
    }
    b->prompts = (judo_batch){.num_tokens = total,
                              .tokens = b->tokens,
                              .positions = b->positions,
                              .num_spans = num_prompts,
                              .spans = b->spans};
    return JUDO_OK;
}

static void bench_close(bench *b)
{
    judo_local_params_destroy(&b->params);
    judo_model_destroy(&b->model);
    free(b);
}

static judo_status time_call(bench *b, int32_t per_prompt, int32_t new_tokens, double *seconds)
{
    judo_generate_options options = {
        .sampling = {.temperature = 0.9f, .top_p = 1.0f, .repetition_penalty = 1.0f},
        .max_new_tokens = new_tokens,
        .logprob_temperature = 0.9f,
    };
    judo_generation out;
    JUDO_TRY(judo_generation_create(b->prompts.num_spans * per_prompt, new_tokens, &out));
    double start = now();
    judo_status status = judo_generate(b->model, judo_local_params_base(b->params), &b->prompts,
                                       b->keys, per_prompt, &options, &out);
    *seconds = now() - start;
    judo_generation_free(&out);
    return status;
}

static judo_status measure(bench *b, int32_t per_prompt, int32_t new_tokens)
{
    double prefill = 1e30;
    double whole = 1e30;
    for (int i = 0; i < 4; i++) {
        double seconds = 0.0;
        JUDO_TRY(time_call(b, per_prompt, 1, &seconds));
        prefill = seconds < prefill ? seconds : prefill;
        JUDO_TRY(time_call(b, per_prompt, new_tokens, &seconds));
        whole = seconds < whole ? seconds : whole;
    }
    int32_t rows = b->prompts.num_spans * per_prompt;
    (void)printf("%d rows of %d tokens: prefill %.1f ms, step %.3f ms, %.0f tokens/s\n", rows,
                 new_tokens, 1e3 * prefill, 1e3 * (whole - prefill) / (new_tokens - 1),
                 rows * new_tokens / whole);
    return JUDO_OK;
}

int main(int argc, char **argv)
{
    int32_t num_prompts = argc > 4 ? atoi(argv[3]) : 2;
    int32_t per_prompt = argc > 4 ? atoi(argv[4]) : 8;
    int32_t new_tokens = argc > 5 ? atoi(argv[5]) : 128;
    const char *size = argc > 2 ? argv[2] : "demo";
    judo_qwen_config config = strcmp(size, "large") == 0  ? large()
                              : strcmp(size, "half") == 0 ? half()
                                                          : demo;
    judo_dtype dtype = JUDO_F32;
    if (num_prompts < 1 || num_prompts > MOST_PROMPTS || per_prompt < 1 || new_tokens < 2) {
        (void)fprintf(stderr, "1 to %d prompts, 1 or more completions of 2 or more tokens\n",
                      MOST_PROMPTS);
        return JUDO_ERROR_ARGUMENT;
    }
    judo_ops_cpu_set_threads(argc > 1 ? atoi(argv[1]) : 2);
    bench *b = calloc(1, sizeof *b);
    if (!b) {
        return JUDO_ERROR_MEMORY;
    }
    judo_status status = judo_dtype_parse(argc > 6 ? argv[6] : "f32", "dtype", &dtype);
    if (status == JUDO_OK) {
        status = bench_open(b, &config, dtype, num_prompts);
    }
    if (status == JUDO_OK) {
        status = measure(b, per_prompt, new_tokens);
    }
    bench_close(b);
    if (status != JUDO_OK) {
        (void)fprintf(stderr, "%s\n", judo_error_message());
    }
    return (int)status;
}
