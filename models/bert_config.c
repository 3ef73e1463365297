/* models/bert_config.c: config.json of a BERT encoder. */
#include "models/bert.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/json.h"

static judo_status require_string(const judo_json *root, const char *path, const char *key,
                                  const char *wanted)
{
    const char *value = NULL;
    JUDO_TRY(judo_json_get_string_or(root, key, path, wanted, &value));
    if (strcmp(value, wanted) != 0) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: %s is \"%.60s\"; judo computes only \"%s\"", path, key, value,
                         wanted);
    }
    return JUDO_OK;
}

static judo_status read_size(const judo_json *root, const char *path, const char *key,
                             int64_t most, int64_t *out)
{
    JUDO_TRY(judo_json_get_int(root, key, path, out));
    if (*out < 1 || *out > most) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s is %" PRId64 ", but must be 1 to %" PRId64,
                         path, key, *out, most);
    }
    return JUDO_OK;
}

static judo_status read_config(const judo_json *root, const char *path, judo_bert_config *out)
{
    const char *type = NULL;
    JUDO_TRY(judo_json_get_string(root, "model_type", path, &type));
    JUDO_TRY(require_string(root, path, "model_type", "bert"));
    JUDO_TRY(require_string(root, path, "hidden_act", "gelu"));
    JUDO_TRY(require_string(root, path, "position_embedding_type", "absolute"));
    JUDO_TRY(read_size(root, path, "hidden_size", 8192, &out->hidden_size));
    JUDO_TRY(read_size(root, path, "num_hidden_layers", 128, &out->num_layers));
    JUDO_TRY(read_size(root, path, "num_attention_heads", 256, &out->num_heads));
    JUDO_TRY(read_size(root, path, "intermediate_size", 32768, &out->intermediate_size));
    JUDO_TRY(read_size(root, path, "vocab_size", 1000000, &out->vocab_size));
    JUDO_TRY(read_size(root, path, "max_position_embeddings", 32768, &out->max_positions));
    JUDO_TRY(read_size(root, path, "type_vocab_size", 16, &out->num_types));
    JUDO_TRY(
        judo_json_get_double_or(root, "layer_norm_eps", path, 1e-12, &out->layer_norm_eps));
    if (!isfinite(out->layer_norm_eps) || out->layer_norm_eps < 0.0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: layer_norm_eps is %g", path,
                         out->layer_norm_eps);
    }
    if (out->hidden_size % out->num_heads != 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: hidden_size %" PRId64 " is no multiple of %" PRId64 " heads",
                         path, out->hidden_size, out->num_heads);
    }
    return JUDO_OK;
}

judo_status judo_bert_config_load(const char *folder, judo_bert_config *out)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/config.json", folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: path is too long", folder);
    }
    judo_json *root = NULL;
    JUDO_TRY(judo_json_load(path, &root));
    judo_bert_config config = {0};
    judo_status status = read_config(root, path, &config);
    judo_json_free(&root);
    JUDO_TRY(status);
    *out = config;
    return JUDO_OK;
}
