/* tests/bench/gpu/shape.c: the shape of Qwen2.5-VL-7B, weights for it, and its operations. */
#include "tests/bench/gpu/model.h"

#include <string.h>

static const judo_qwen_config seven_billion = {
    .text = {.vocab_size = 152064,
             .hidden_size = 3584,
             .intermediate_size = 18944,
             .num_layers = 28,
             .num_heads = 28,
             .num_kv_heads = 4,
             .head_dim = 128,
             .max_position_embeddings = 128000,
             .rope_theta = 1000000.0,
             .rms_norm_eps = 1e-6,
             .mrope_section = {16, 24, 24}},
    .vision = {.depth = 32,
               .hidden_size = 1280,
               .intermediate_size = 3420,
               .num_heads = 16,
               .head_dim = 80,
               .in_channels = 3,
               .patch_size = 14,
               .temporal_patch_size = 2,
               .spatial_merge_size = 2,
               .window_size = 112,
               .out_hidden_size = 3584,
               .rms_norm_eps = 1e-6,
               .rope_theta = 10000.0},
    .image_token_id = 151655,
    .video_token_id = 151656,
    .vision_start_token_id = 151652,
    .vision_end_token_id = 151653,
};

judo_qwen_config bench_config(const bench *b)
{
    judo_qwen_config config = seven_billion;
    if (b->small) {
        judo_qwen_text_config *text = &config.text;
        judo_qwen_vision_config *vision = &config.vision;
        text->vocab_size = 1000;
        text->hidden_size = vision->out_hidden_size = 64;
        text->intermediate_size = 96;
        text->num_layers = vision->depth = 2;
        text->num_heads = 4;
        text->num_kv_heads = 2;
        text->head_dim = 16;
        text->mrope_section[0] = 2;
        text->mrope_section[1] = text->mrope_section[2] = 3;
        vision->hidden_size = 32;
        vision->intermediate_size = 48;
        vision->num_heads = 2;
        vision->head_dim = 16;
        config.image_token_id = 990;
        config.video_token_id = 991;
        config.vision_start_token_id = 992;
        config.vision_end_token_id = 993;
        vision->full_attention[1] = true;
        return config;
    }
    for (int block = 7; block < 32; block += 8) {
        config.vision.full_attention[block] = true;
    }
    return config;
}

/* Uniform in [-0.035, 0.035): the deviation of a fresh model; norms are 1. */
static judo_status read_weights(void *context, const judo_param *param, int64_t first,
                                int64_t count, float *out)
{
    (void)context;
    bool norm = strstr(param->name, "norm") != NULL || strstr(param->name, "ln_q") != NULL;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        uint32_t h = (uint32_t)(first + i) * 2654435761u + (uint32_t)param->count;
        h = (h ^ h >> 15) * 2246822519u;
        out[i] = norm ? 1.0f : ((float)(h >> 8) * 0x1p-23f - 1.0f) * 0.035f;
    }
    return JUDO_OK;
}

judo_weight_source bench_weights(void)
{
    return (judo_weight_source){.context = NULL, .read = read_weights};
}

double bench_attention_pairs(const judo_attention_span *spans, int num_spans)
{
    double pairs = 0.0;
    for (int i = 0; i < num_spans; i++) {
        const judo_attention_span *s = &spans[i];
        double own = s->end - s->begin;
        pairs += own * (s->prefix_end - s->prefix_begin) + own * own * (s->causal ? 0.5 : 1.0);
    }
    return pairs;
}

static double vision_flops(const judo_qwen_vision_config *v, const judo_batch *batch)
{
    double p = batch->num_patches;
    double h = (double)v->hidden_size;
    double block = 4.0 * h * h + 3.0 * h * (double)v->intermediate_size;
    double merged = 4.0 * h;
    double merger = merged * merged + merged * (double)v->out_hidden_size;
    double window = (double)(v->window_size / v->patch_size);
    double pairs = 0.0;
    for (int32_t i = 0; i < batch->num_images; i++) {
        double patches = (double)batch->images[i].h * batch->images[i].w;
        for (int64_t d = 0; d < v->depth; d++) {
            double seen = v->full_attention[d] ? patches : window * window;
            pairs += patches * (seen < patches ? seen : patches);
        }
    }
    return 2.0 * p * (double)v->depth * block + 4.0 * h * pairs + 2.0 * p / 4.0 * merger;
}

double bench_flops(const judo_qwen_config *config, const judo_batch *batch)
{
    const judo_qwen_text_config *t = &config->text;
    double h = (double)t->hidden_size;
    double heads = (double)(t->num_heads * t->head_dim);
    double layer = 2.0 * h * heads + 2.0 * h * (double)(t->num_kv_heads * t->head_dim) +
                   3.0 * h * (double)t->intermediate_size;
    double flops = (double)t->num_layers *
                   (2.0 * layer * batch->num_tokens +
                    4.0 * heads * bench_attention_pairs(batch->spans, batch->num_spans));
    flops += 2.0 * (double)batch->num_targets * h * (double)t->vocab_size;
    return batch->num_patches > 0 ? flops + vision_flops(&config->vision, batch) : flops;
}
