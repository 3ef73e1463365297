/* launch/new_model.c: config files in the hub's shape. */
#include "launch/new_model.h"

#include <stdio.h>

#include "models/hf_config.h"
#include "runtime/file.h"
#include "runtime/json.h"

/* Offsets of Qwen2.5's special tokens from the first one, <|endoftext|>. */
enum {
    ENDOFTEXT = 0,
    IM_END = 2,
    VISION_START = 9,
    VISION_END = 10,
    VISION_PAD = 11,
    IMAGE_PAD = 12,
    VIDEO_PAD = 13
};

static judo_status write_file(const char *folder, const char *name, judo_json_writer *w)
{
    char path[1200];
    JUDO_TRY(judo_json_writer_check(w));
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    judo_status status = judo_file_replace(path, w->text, w->length);
    judo_json_writer_clear(w);
    return status;
}

static void put_strings(judo_json_writer *w, const char *key, const char *only)
{
    judo_json_begin_array(w, key);
    judo_json_put_string(w, NULL, only);
    judo_json_end_array(w);
}

static void put_vision(judo_json_writer *w, const judo_new_model *m)
{
    judo_json_begin_object(w, "vision_config");
    judo_json_put_int(w, "depth", m->vision_depth);
    judo_json_put_string(w, "hidden_act", "silu");
    judo_json_put_int(w, "hidden_size", m->vision_hidden);
    judo_json_put_int(w, "intermediate_size", m->vision_ffn);
    judo_json_put_int(w, "num_heads", m->vision_heads);
    judo_json_put_int(w, "in_chans", 3);
    judo_json_put_int(w, "out_hidden_size", m->hidden);
    judo_json_put_int(w, "patch_size", 14);
    judo_json_put_int(w, "spatial_merge_size", 2);
    judo_json_put_int(w, "spatial_patch_size", 14);
    judo_json_put_int(w, "temporal_patch_size", 2);
    judo_json_put_int(w, "tokens_per_second", 2);
    judo_json_put_int(w, "window_size", 112);
    judo_json_begin_array(w, "fullatt_block_indexes");
    /* Every block sees the whole image, as a shallow tower needs. */
    for (int64_t block = 0; block < m->vision_depth; block++) {
        judo_json_put_int(w, NULL, block);
    }
    judo_json_end_array(w);
    judo_json_end_object(w);
}

static void put_rope(judo_json_writer *w, const judo_new_model *m)
{
    /* Qwen's shares of 16 : 24 : 24. */
    int64_t half = m->hidden / m->heads / 2;
    int64_t side = half * 3 / 8;
    judo_json_begin_object(w, "rope_scaling");
    judo_json_put_string(w, "type", "mrope");
    judo_json_begin_array(w, "mrope_section");
    judo_json_put_int(w, NULL, half - 2 * side);
    judo_json_put_int(w, NULL, side);
    judo_json_put_int(w, NULL, side);
    judo_json_end_array(w);
    judo_json_end_object(w);
}

static void put_config(judo_json_writer *w, const judo_new_model *m)
{
    judo_json_begin_object(w, NULL);
    put_strings(w, "architectures", "Qwen2_5_VLForConditionalGeneration");
    judo_json_put_string(w, "model_type", "qwen2_5_vl");
    judo_json_put_double(w, "attention_dropout", 0.0);
    judo_json_put_int(w, "bos_token_id", m->special_base + ENDOFTEXT);
    judo_json_put_int(w, "eos_token_id", m->special_base + IM_END);
    judo_json_put_int(w, "vision_start_token_id", m->special_base + VISION_START);
    judo_json_put_int(w, "vision_end_token_id", m->special_base + VISION_END);
    judo_json_put_int(w, "vision_token_id", m->special_base + VISION_PAD);
    judo_json_put_int(w, "image_token_id", m->special_base + IMAGE_PAD);
    judo_json_put_int(w, "video_token_id", m->special_base + VIDEO_PAD);
    judo_json_put_string(w, "hidden_act", "silu");
    judo_json_put_int(w, "hidden_size", m->hidden);
    judo_json_put_double(w, "initializer_range", 0.04);
    judo_json_put_int(w, "intermediate_size", m->ffn);
    judo_json_put_int(w, "max_position_embeddings", 32768);
    judo_json_put_int(w, "max_window_layers", m->layers);
    judo_json_put_int(w, "num_attention_heads", m->heads);
    judo_json_put_int(w, "num_hidden_layers", m->layers);
    judo_json_put_int(w, "num_key_value_heads", m->kv_heads);
    judo_json_put_double(w, "rms_norm_eps", 1e-6);
    /* Prompts are short: a small base lets the slowest frequency still tell neighbours apart.
     */
    judo_json_put_double(w, "rope_theta", 10.0);
    judo_json_put_int(w, "sliding_window", 32768);
    judo_json_put_bool(w, "use_sliding_window", false);
    judo_json_put_bool(w, "tie_word_embeddings", true);
    judo_json_put_string(w, "torch_dtype", "float32");
    judo_json_put_bool(w, "use_cache", true);
    judo_json_put_int(w, "vocab_size", m->vocab);
    put_rope(w, m);
    put_vision(w, m);
    judo_json_end_object(w);
}

static void put_numbers(judo_json_writer *w, const char *key, double a, double b, double c)
{
    judo_json_begin_array(w, key);
    judo_json_put_double(w, NULL, a);
    judo_json_put_double(w, NULL, b);
    judo_json_put_double(w, NULL, c);
    judo_json_end_array(w);
}

static void put_preprocessor(judo_json_writer *w)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_int(w, "min_pixels", 3136);
    judo_json_put_int(w, "max_pixels", 12845056);
    judo_json_put_int(w, "patch_size", 14);
    judo_json_put_int(w, "temporal_patch_size", 2);
    judo_json_put_int(w, "merge_size", 2);
    put_numbers(w, "image_mean", 0.48145466, 0.4578275, 0.40821073);
    put_numbers(w, "image_std", 0.26862954, 0.26130258, 0.27577711);
    judo_json_put_string(w, "image_processor_type", "Qwen2VLImageProcessor");
    judo_json_put_string(w, "processor_class", "Qwen2_5_VLProcessor");
    judo_json_end_object(w);
}

static void put_generation(judo_json_writer *w, const judo_new_model *m)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_int(w, "bos_token_id", m->special_base + ENDOFTEXT);
    judo_json_put_int(w, "pad_token_id", m->special_base + ENDOFTEXT);
    judo_json_begin_array(w, "eos_token_id");
    judo_json_put_int(w, NULL, m->special_base + IM_END);
    judo_json_put_int(w, NULL, m->special_base + ENDOFTEXT);
    judo_json_end_array(w);
    judo_json_put_bool(w, "do_sample", false);
    judo_json_end_object(w);
}

judo_status judo_new_model_check(const judo_new_model *model)
{
    judo_qwen_config config;
    judo_json_writer w = {0};
    const int64_t blocks[] = {model->layers, model->vision_depth};
    for (int i = 0; i < 2; i++) {
        if (blocks[i] < 1 || blocks[i] > JUDO_QWEN_MAX_LAYERS) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s %lld must be 1 to %d",
                             i == 0 ? "--layers" : "--vision-depth", (long long)blocks[i],
                             JUDO_QWEN_MAX_LAYERS);
        }
    }
    put_config(&w, model);
    judo_status status = judo_json_writer_check(&w);
    if (status == JUDO_OK) {
        status = judo_qwen_config_parse(w.text, w.length, "sizes of the new model", &config);
    }
    judo_json_writer_free(&w);
    return status;
}

judo_status judo_new_model_write_configs(const char *folder, const judo_new_model *model)
{
    judo_json_writer w = {0};
    put_config(&w, model);
    judo_status status = write_file(folder, "config.json", &w);
    if (status == JUDO_OK) {
        put_preprocessor(&w);
        status = write_file(folder, "preprocessor_config.json", &w);
    }
    if (status == JUDO_OK) {
        put_generation(&w, model);
        status = write_file(folder, "generation_config.json", &w);
    }
    judo_json_writer_free(&w);
    return status;
}
