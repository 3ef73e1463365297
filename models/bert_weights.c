/* models/bert_weights.c: strict reading of a BERT encoder's weights. */
#include "models/bert.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/params.h"
#include "runtime/safetensors.h"

/* A dimension by its meaning. */
typedef enum extent {
    NONE,
    HIDDEN,
    INNER,
    WORDS,
    POSITIONS,
    TYPES,
} extent;

typedef struct tensor_plan {
    const char *name;
    extent rows, columns; /* columns NONE: a vector */
} tensor_plan;

static const tensor_plan embedding_plans[JUDO_BERT_EMBEDDINGS] = {
    [JUDO_BERT_WORDS] = {"embeddings.word_embeddings.weight", WORDS, HIDDEN},
    [JUDO_BERT_POSITIONS] = {"embeddings.position_embeddings.weight", POSITIONS, HIDDEN},
    [JUDO_BERT_TYPES] = {"embeddings.token_type_embeddings.weight", TYPES, HIDDEN},
    [JUDO_BERT_NORM_WEIGHT] = {"embeddings.LayerNorm.weight", HIDDEN, NONE},
    [JUDO_BERT_NORM_BIAS] = {"embeddings.LayerNorm.bias", HIDDEN, NONE},
};

static const tensor_plan layer_plans[JUDO_BERT_LAYER] = {
    [JUDO_BERT_QUERY_WEIGHT] = {"attention.self.query.weight", HIDDEN, HIDDEN},
    [JUDO_BERT_QUERY_BIAS] = {"attention.self.query.bias", HIDDEN, NONE},
    [JUDO_BERT_KEY_WEIGHT] = {"attention.self.key.weight", HIDDEN, HIDDEN},
    [JUDO_BERT_KEY_BIAS] = {"attention.self.key.bias", HIDDEN, NONE},
    [JUDO_BERT_VALUE_WEIGHT] = {"attention.self.value.weight", HIDDEN, HIDDEN},
    [JUDO_BERT_VALUE_BIAS] = {"attention.self.value.bias", HIDDEN, NONE},
    [JUDO_BERT_OUT_WEIGHT] = {"attention.output.dense.weight", HIDDEN, HIDDEN},
    [JUDO_BERT_OUT_BIAS] = {"attention.output.dense.bias", HIDDEN, NONE},
    [JUDO_BERT_NORM1_WEIGHT] = {"attention.output.LayerNorm.weight", HIDDEN, NONE},
    [JUDO_BERT_NORM1_BIAS] = {"attention.output.LayerNorm.bias", HIDDEN, NONE},
    [JUDO_BERT_UP_WEIGHT] = {"intermediate.dense.weight", INNER, HIDDEN},
    [JUDO_BERT_UP_BIAS] = {"intermediate.dense.bias", INNER, NONE},
    [JUDO_BERT_DOWN_WEIGHT] = {"output.dense.weight", HIDDEN, INNER},
    [JUDO_BERT_DOWN_BIAS] = {"output.dense.bias", HIDDEN, NONE},
    [JUDO_BERT_NORM2_WEIGHT] = {"output.LayerNorm.weight", HIDDEN, NONE},
    [JUDO_BERT_NORM2_BIAS] = {"output.LayerNorm.bias", HIDDEN, NONE},
};

enum { ALIGNMENT = 64, MAX_NAME = 96 };

static int64_t extent_size(const judo_bert_config *config, extent kind)
{
    switch (kind) {
    case HIDDEN:
        return config->hidden_size;
    case INNER:
        return config->intermediate_size;
    case WORDS:
        return config->vocab_size;
    case POSITIONS:
        return config->max_positions;
    case TYPES:
        return config->num_types;
    case NONE:
        break;
    }
    return 1;
}

static judo_tensor plan_tensor(const judo_bert_config *config, const tensor_plan *plan,
                               judo_dtype dtype, void *data)
{
    int64_t rows = extent_size(config, plan->rows);
    return plan->columns == NONE
               ? judo_tensor_1d(data, dtype, rows)
               : judo_tensor_2d(data, dtype, rows, extent_size(config, plan->columns));
}

static int64_t padded_bytes(const judo_bert_config *config, const tensor_plan *plan,
                            judo_dtype dtype)
{
    int64_t count = extent_size(config, plan->rows) * extent_size(config, plan->columns);
    return (count * judo_dtype_bytes(dtype) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int64_t judo_bert_weights_bytes(const judo_bert_config *config, judo_dtype dtype)
{
    int64_t outside = 0;
    int64_t inside = 0;
    for (int i = 0; i < JUDO_BERT_EMBEDDINGS; i++) {
        outside += padded_bytes(config, &embedding_plans[i], dtype);
    }
    for (int i = 0; i < JUDO_BERT_LAYER; i++) {
        inside += padded_bytes(config, &layer_plans[i], dtype);
    }
    return outside + inside * config->num_layers;
}

/* What a load works on. */
typedef struct loader {
    const judo_safetensors *file;
    const char *path;
    const judo_bert_config *config;
    judo_dtype dtype;
    judo_device_feed feed;
    const judo_safetensors_entry *entry; /* being read */
    char *next;                          /* memory not yet given to a tensor */
    int num_found;
} loader;

static judo_status read_entry(void *context, const judo_param *param, int64_t first,
                              int64_t count, float *out)
{
    const loader *l = context;
    (void)param;
    return judo_safetensors_read(l->file, l->entry, first, count, out);
}

/* Reads a whole entry as the tensor's dtype. */
static judo_status read_values(loader *l, const judo_safetensors_entry *entry,
                               const judo_tensor *tensor)
{
    const judo_weight_source source = {.context = l, .read = read_entry};
    l->entry = entry;
    return judo_weight_source_send(&source, NULL, 0, judo_tensor_count(tensor), l->dtype,
                                   &l->feed, tensor->data);
}

static judo_status load_tensor(loader *l, const char *name, const tensor_plan *plan,
                               judo_tensor *out)
{
    char prefixed[MAX_NAME + 8];
    (void)snprintf(prefixed, sizeof prefixed, "bert.%s", name);
    const judo_safetensors_entry *plain = judo_safetensors_find(l->file, name);
    const judo_safetensors_entry *entry =
        plain ? plain : judo_safetensors_find(l->file, prefixed);
    if (!entry) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH, "%s: tensor %s is missing", l->path, name);
    }
    judo_tensor tensor = plan_tensor(l->config, plan, l->dtype, l->next);
    if (entry->num_dims != tensor.num_dims ||
        memcmp(entry->dims, tensor.dims, (size_t)tensor.num_dims * sizeof *tensor.dims) != 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: tensor %s has %d dimensions, the first %" PRId64
                         "; config.json asks for %d, the first %" PRId64,
                         l->path, name, entry->num_dims, entry->dims[0], tensor.num_dims,
                         tensor.dims[0]);
    }
    JUDO_TRY(read_values(l, entry, &tensor));
    l->next += padded_bytes(l->config, plan, l->dtype);
    l->num_found++;
    *out = tensor;
    return JUDO_OK;
}

static bool is_unused(const char *name)
{
    const char *bare = strncmp(name, "bert.", 5) == 0 ? name + 5 : name;
    return strncmp(bare, "pooler.", 7) == 0 || strcmp(bare, "embeddings.position_ids") == 0;
}

/* Every tensor that is wanted was found: one more is one too many. */
static judo_status check_count(const loader *l)
{
    int wanted = 0;
    for (int i = 0; i < judo_safetensors_count(l->file); i++) {
        wanted += !is_unused(judo_safetensors_entry_at(l->file, i)->name);
    }
    if (wanted != l->num_found) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: %d tensors where a BERT encoder of config.json's size has %d; is "
                         "it another model's?",
                         l->path, wanted, l->num_found);
    }
    return JUDO_OK;
}

static judo_status load_all(loader *l, judo_bert_weights *weights)
{
    for (int i = 0; i < JUDO_BERT_EMBEDDINGS; i++) {
        JUDO_TRY(load_tensor(l, embedding_plans[i].name, &embedding_plans[i],
                             &weights->embeddings[i]));
    }
    for (int layer = 0; layer < (int)l->config->num_layers; layer++) {
        for (int i = 0; i < JUDO_BERT_LAYER; i++) {
            char name[MAX_NAME];
            (void)snprintf(name, sizeof name, "encoder.layer.%d.%s", layer,
                           layer_plans[i].name);
            JUDO_TRY(load_tensor(l, name, &layer_plans[i], &weights->layers[layer][i]));
        }
    }
    return check_count(l);
}

static judo_status allocate_and_load(loader *l, judo_bert_weights *weights)
{
    weights->layers = calloc((size_t)l->config->num_layers, sizeof *weights->layers);
    if (!weights->layers) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a list of weights", l->path);
    }
    weights->bytes = judo_bert_weights_bytes(l->config, l->dtype);
    JUDO_TRY(weights->device->allocate(&weights->memory, weights->bytes));
    l->next = weights->memory;
    JUDO_TRY(judo_feed_open(weights->device, &l->feed));
    judo_status status = load_all(l, weights);
    judo_status closed = judo_feed_close(&l->feed);
    return status != JUDO_OK ? status : closed;
}

judo_status judo_bert_weights_load(const char *folder, const judo_bert_config *config,
                                   const judo_device *device, judo_dtype dtype,
                                   judo_bert_weights *out)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: path is too long", folder);
    }
    judo_safetensors *file = NULL;
    JUDO_TRY(judo_safetensors_open(path, &file));
    judo_bert_weights weights = {.device = device};
    loader l = {.file = file, .path = path, .config = config, .dtype = dtype};
    judo_status status = allocate_and_load(&l, &weights);
    judo_safetensors_close(&file);
    if (status != JUDO_OK) {
        judo_bert_weights_destroy(&weights);
        return status;
    }
    *out = weights;
    return JUDO_OK;
}

void judo_bert_weights_destroy(judo_bert_weights *weights)
{
    if (weights->device) {
        weights->device->release(weights->memory);
    }
    free(weights->layers);
    *weights = (judo_bert_weights){0};
}
