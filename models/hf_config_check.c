/* models/hf_config_check.c: which sizes a Qwen2.5-VL model may have. */
#include <inttypes.h>

#include "models/hf_config.h"

typedef struct range {
    const char *key;
    int64_t value, low, high;
} range;

static judo_status check_ranges(const range *ranges, int count, const char *source)
{
    for (int i = 0; i < count; i++) {
        const range *r = &ranges[i];
        if (r->value < r->low || r->value > r->high) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: %s is %" PRId64 "; it must lie in [%" PRId64 ", %" PRId64 "]",
                             source, r->key, r->value, r->low, r->high);
        }
    }
    return JUDO_OK;
}

static judo_status check_text(const judo_qwen_text_config *t, const char *source)
{
    const range ranges[] = {
        {"vocab_size", t->vocab_size, 1, 1 << 22},
        {"hidden_size", t->hidden_size, 1, 1 << 17},
        {"intermediate_size", t->intermediate_size, 1, 1 << 19},
        {"num_hidden_layers", t->num_layers, 1, JUDO_QWEN_MAX_LAYERS},
        {"num_attention_heads", t->num_heads, 1, 1024},
        {"num_key_value_heads", t->num_kv_heads, 1, t->num_heads},
        {"head_dim", t->head_dim, 2, 1024},
        {"max_position_embeddings", t->max_position_embeddings, 1, 1 << 24},
        {"mrope_section[0]", t->mrope_section[0], 0, 512},
        {"mrope_section[1]", t->mrope_section[1], 0, 512},
        {"mrope_section[2]", t->mrope_section[2], 0, 512},
    };
    JUDO_TRY(check_ranges(ranges, (int)(sizeof ranges / sizeof *ranges), source));
    if (t->num_heads % t->num_kv_heads) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: num_attention_heads %" PRId64
                         " is no multiple of num_key_value_heads %" PRId64,
                         source, t->num_heads, t->num_kv_heads);
    }
    int64_t sections = t->mrope_section[0] + t->mrope_section[1] + t->mrope_section[2];
    if (t->head_dim % 2 || sections != t->head_dim / 2) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: mrope_section sums to %" PRId64
                         "; it must be half of the head dimension %" PRId64,
                         source, sections, t->head_dim);
    }
    if (!(t->rms_norm_eps > 0.0 && t->rms_norm_eps < 1.0) ||
        !(t->rope_theta >= 1.0 && t->rope_theta < 1e12)) {
        return JUDO_FAIL(
            JUDO_ERROR_FORMAT,
            "%s: rms_norm_eps %g must lie in (0, 1) and rope_theta %g in [1, 1e12)", source,
            t->rms_norm_eps, t->rope_theta);
    }
    return JUDO_OK;
}

static judo_status check_vision_shape(const judo_qwen_vision_config *v, const char *source)
{
    if (v->hidden_size % v->num_heads || v->head_dim != v->hidden_size / v->num_heads ||
        v->head_dim % 4) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: vision hidden_size %" PRId64 " over num_heads %" PRId64
                         " must be a multiple of 4 (two rotary axes)",
                         source, v->hidden_size, v->num_heads);
    }
    int64_t cell = v->patch_size * v->spatial_merge_size;
    if (v->window_size < cell || v->window_size % cell) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: window_size %" PRId64
                         " must be a multiple of patch_size * spatial_merge_size = %" PRId64,
                         source, v->window_size, cell);
    }
    if (!(v->rope_theta >= 1.0 && v->rope_theta < 1e12)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: vision rope_theta %g must lie in [1, 1e12)",
                         source, v->rope_theta);
    }
    return JUDO_OK;
}

static judo_status check_vision(const judo_qwen_vision_config *v, const char *source)
{
    const range ranges[] = {
        {"vision depth", v->depth, 1, JUDO_QWEN_MAX_LAYERS},
        {"vision hidden_size", v->hidden_size, 1, 1 << 17},
        {"vision intermediate_size", v->intermediate_size, 1, 1 << 19},
        {"vision num_heads", v->num_heads, 1, 1024},
        {"vision in_channels", v->in_channels, 3, 3}, /* pixels are RGB */
        {"patch_size", v->patch_size, 1, 256},
        {"temporal_patch_size", v->temporal_patch_size, 1, 16},
        {"spatial_merge_size", v->spatial_merge_size, 1, 16},
        {"window_size", v->window_size, 1, 1 << 16},
    };
    JUDO_TRY(check_ranges(ranges, (int)(sizeof ranges / sizeof *ranges), source));
    return check_vision_shape(v, source);
}

judo_status judo_qwen_config_check(const judo_qwen_config *config, const char *source)
{
    JUDO_TRY(check_text(&config->text, source));
    JUDO_TRY(check_vision(&config->vision, source));
    if (config->vision.out_hidden_size != config->text.hidden_size) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: vision out_hidden_size %" PRId64
                         " must equal the text hidden_size %" PRId64,
                         source, config->vision.out_hidden_size, config->text.hidden_size);
    }
    const range ids[] = {
        {"image_token_id", config->image_token_id, 0, config->text.vocab_size - 1},
    };
    return check_ranges(ids, 1, source);
}

int64_t judo_qwen_patch_values(const judo_qwen_config *config)
{
    const judo_qwen_vision_config *v = &config->vision;
    return v->in_channels * v->temporal_patch_size * v->patch_size * v->patch_size;
}

int64_t judo_qwen_patch_bytes(const judo_qwen_config *config)
{
    const judo_qwen_vision_config *v = &config->vision;
    return v->in_channels * v->patch_size * v->patch_size;
}

int64_t judo_qwen_merge_unit(const judo_qwen_config *config)
{
    return config->vision.spatial_merge_size * config->vision.spatial_merge_size;
}
