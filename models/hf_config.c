/* models/hf_config.c: config.json of Qwen2.5-VL, old (flat) and new (nested) form. */
#include "models/hf_config.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "runtime/json.h"

/* What is read now: the node and the names that errors use. */
typedef struct reader {
    const judo_json *node;
    char source[PATH_MAX + 64];
} reader;

static judo_status read_int(const reader *r, const char *key, int64_t *out)
{
    return judo_json_get_int(r->node, key, r->source, out);
}

static reader reader_of(const judo_json *node, const char *path, const char *section)
{
    reader r = {.node = node};
    int room = (int)sizeof r.source - 40; /* for the section's name */
    (void)snprintf(r.source, sizeof r.source, "%.*s%s%s", room, path, section ? ":" : "",
                   section ? section : "");
    return r;
}

static judo_status require_string(const reader *r, const char *key, const char *wanted)
{
    const char *value = NULL;
    JUDO_TRY(judo_json_get_string(r->node, key, r->source, &value));
    if (strcmp(value, wanted) != 0) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: %s is \"%s\"; judo computes only \"%s\"",
                         r->source, key, value, wanted);
    }
    return JUDO_OK;
}

/* "rope_scaling" of hub files, "rope_parameters" of transformers 5. */
static judo_status read_mrope(const reader *text, judo_qwen_text_config *out)
{
    const char *key = "rope_scaling";
    const judo_json *rope = judo_json_get(text->node, key);
    if (!judo_json_is_object(rope)) {
        key = "rope_parameters";
        rope = judo_json_get(text->node, key);
    }
    if (!judo_json_is_object(rope)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: rope_scaling (or rope_parameters) with mrope_section is missing",
                         text->source);
    }
    reader r = reader_of(rope, text->source, key);
    const char *type_keys[] = {"type", "rope_type"};
    for (int i = 0; i < 2; i++) {
        const char *type = NULL;
        JUDO_TRY(judo_json_get_string_or(rope, type_keys[i], r.source, "default", &type));
        if (strcmp(type, "mrope") != 0 && strcmp(type, "default") != 0) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                             "%s: %s is \"%s\"; judo computes only \"mrope\" (\"default\")",
                             r.source, type_keys[i], type);
        }
    }
    const judo_json *section = judo_json_get(rope, "mrope_section");
    if (!judo_json_is_array(section) || judo_json_size(section) != 3) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: mrope_section must be three integers",
                         r.source);
    }
    for (int i = 0; i < 3; i++) {
        judo_status status =
            judo_json_as_int(judo_json_at(section, i), r.source, &out->mrope_section[i]);
        JUDO_TRY(status);
    }
    const reader *theta = judo_json_get(rope, "rope_theta") ? &r : text;
    return judo_json_get_double(theta->node, "rope_theta", theta->source, &out->rope_theta);
}

static judo_status reject_unsupported_text(const reader *r)
{
    JUDO_TRY(require_string(r, "hidden_act", "silu"));
    bool sliding = false;
    JUDO_TRY(judo_json_get_bool_or(r->node, "use_sliding_window", r->source, false, &sliding));
    if (sliding) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: use_sliding_window is true; judo computes full attention only",
                         r->source);
    }
    double dropout = 0.0;
    JUDO_TRY(judo_json_get_double_or(r->node, "attention_dropout", r->source, 0.0, &dropout));
    if (dropout != 0.0) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: attention_dropout is %g; judo computes none", r->source, dropout);
    }
    return JUDO_OK;
}

static judo_status read_text(const reader *r, judo_qwen_text_config *out)
{
    JUDO_TRY(reject_unsupported_text(r));
    JUDO_TRY(read_int(r, "vocab_size", &out->vocab_size));
    JUDO_TRY(read_int(r, "hidden_size", &out->hidden_size));
    JUDO_TRY(read_int(r, "intermediate_size", &out->intermediate_size));
    JUDO_TRY(read_int(r, "num_hidden_layers", &out->num_layers));
    JUDO_TRY(read_int(r, "num_attention_heads", &out->num_heads));
    JUDO_TRY(read_int(r, "num_key_value_heads", &out->num_kv_heads));
    JUDO_TRY(read_int(r, "max_position_embeddings", &out->max_position_embeddings));
    JUDO_TRY(judo_json_get_double(r->node, "rms_norm_eps", r->source, &out->rms_norm_eps));
    int64_t even_share = out->num_heads > 0 ? out->hidden_size / out->num_heads : 0;
    JUDO_TRY(judo_json_get_int_or(r->node, "head_dim", r->source, even_share, &out->head_dim));
    return read_mrope(r, out);
}

static judo_status read_full_attention(const reader *r, judo_qwen_vision_config *out)
{
    const judo_json *list = judo_json_get(r->node, "fullatt_block_indexes");
    if (!judo_json_is_array(list)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: fullatt_block_indexes must be a list of blocks", r->source);
    }
    for (const judo_json *item = judo_json_first(list); item; item = judo_json_next(item)) {
        int64_t block = -1;
        JUDO_TRY(judo_json_as_int(item, r->source, &block));
        if (block < 0 || block >= out->depth || block >= JUDO_QWEN_MAX_LAYERS) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: fullatt_block_indexes has block %" PRId64
                             ", but there are %" PRId64,
                             r->source, block, out->depth);
        }
        out->full_attention[block] = true;
    }
    return JUDO_OK;
}

/* The rotary base of the vision tower is a constant except in files of transformers 5. */
static judo_status read_vision_theta(const reader *r, judo_qwen_vision_config *out)
{
    const judo_json *rope = judo_json_get(r->node, "rope_parameters");
    out->rope_theta = 10000.0;
    if (!judo_json_is_object(rope)) {
        return JUDO_OK;
    }
    return judo_json_get_double_or(rope, "rope_theta", r->source, 10000.0, &out->rope_theta);
}

static judo_status read_vision(const reader *r, judo_qwen_vision_config *out)
{
    JUDO_TRY(require_string(r, "hidden_act", "silu"));
    JUDO_TRY(read_int(r, "depth", &out->depth));
    JUDO_TRY(read_int(r, "hidden_size", &out->hidden_size));
    JUDO_TRY(read_int(r, "intermediate_size", &out->intermediate_size));
    JUDO_TRY(read_int(r, "num_heads", &out->num_heads));
    JUDO_TRY(read_int(r, "patch_size", &out->patch_size));
    JUDO_TRY(read_int(r, "spatial_merge_size", &out->spatial_merge_size));
    JUDO_TRY(read_int(r, "window_size", &out->window_size));
    JUDO_TRY(read_int(r, "out_hidden_size", &out->out_hidden_size));
    JUDO_TRY(judo_json_get_int_or(r->node, "temporal_patch_size", r->source, 2,
                                  &out->temporal_patch_size));
    /* Hub files say in_chans, the library in_channels; both mean the same 3. */
    const char *channels = judo_json_get(r->node, "in_channels") ? "in_channels" : "in_chans";
    JUDO_TRY(judo_json_get_int_or(r->node, channels, r->source, 3, &out->in_channels));
    out->head_dim = out->num_heads > 0 ? out->hidden_size / out->num_heads : 0;
    out->rms_norm_eps = 1e-6; /* fixed in the reference; no key for it */
    JUDO_TRY(read_vision_theta(r, out));
    return read_full_attention(r, out);
}

static judo_status read_root(const judo_json *root, const char *path, judo_qwen_config *out)
{
    reader top = reader_of(root, path, NULL);
    JUDO_TRY(require_string(&top, "model_type", "qwen2_5_vl"));
    const judo_json *nested = judo_json_get(root, "text_config");
    reader text = judo_json_is_object(nested) ? reader_of(nested, path, "text_config") : top;
    JUDO_TRY(read_text(&text, &out->text));
    /* Writers disagree on where the flag stands; set in either place, it counts. */
    bool outer = false;
    bool inner = false;
    JUDO_TRY(judo_json_get_bool_or(root, "tie_word_embeddings", path, false, &outer));
    JUDO_TRY(
        judo_json_get_bool_or(text.node, "tie_word_embeddings", text.source, false, &inner));
    out->text.tie_word_embeddings = outer || inner;
    const judo_json *vision = judo_json_get(root, "vision_config");
    if (!judo_json_is_object(vision)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: vision_config is missing", path);
    }
    reader tower = reader_of(vision, path, "vision_config");
    JUDO_TRY(read_vision(&tower, &out->vision));
    JUDO_TRY(read_int(&top, "image_token_id", &out->image_token_id));
    JUDO_TRY(judo_json_get_int_or(root, "video_token_id", path, 151656, &out->video_token_id));
    JUDO_TRY(judo_json_get_int_or(root, "vision_start_token_id", path, 151652,
                                  &out->vision_start_token_id));
    JUDO_TRY(judo_json_get_int_or(root, "vision_end_token_id", path, 151653,
                                  &out->vision_end_token_id));
    return judo_qwen_config_check(out, path);
}

judo_status judo_qwen_config_parse(const char *text, size_t length, const char *source,
                                   judo_qwen_config *out)
{
    judo_json *document = NULL;
    judo_qwen_config config = {0};
    JUDO_TRY(judo_json_parse(text, length, source, &document));
    judo_status status = read_root(document, source, &config);
    judo_json_free(&document);
    JUDO_TRY(status);
    *out = config;
    return JUDO_OK;
}

judo_status judo_qwen_config_load(const char *directory, judo_qwen_config *out)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/config.json", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: path is too long", directory);
    }
    judo_json *document = NULL;
    JUDO_TRY(judo_json_load(path, &document));
    judo_qwen_config config = {0};
    judo_status status = read_root(document, path, &config);
    judo_json_free(&document);
    JUDO_TRY(status);
    *out = config;
    return JUDO_OK;
}
