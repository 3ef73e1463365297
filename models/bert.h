/* models/bert.h: BERT as a sentence encoder (Devlin et al. 2019; Reimers and Gurevych 2019) of
 * any width, inference only, in F32 or BF16. */
#ifndef JUDO_MODELS_BERT_H
#define JUDO_MODELS_BERT_H

#include <stdint.h>

#include "runtime/device.h"

typedef struct judo_bert_config {
    int64_t hidden_size, num_layers, num_heads, intermediate_size;
    int64_t vocab_size, max_positions, num_types;
    double layer_norm_eps;
} judo_bert_config;

/* The tensors outside the layers and those of a layer, in the order of their memory. */
enum {
    JUDO_BERT_WORDS,
    JUDO_BERT_POSITIONS,
    JUDO_BERT_TYPES,
    JUDO_BERT_NORM_WEIGHT,
    JUDO_BERT_NORM_BIAS,
    JUDO_BERT_EMBEDDINGS,
};

enum {
    JUDO_BERT_QUERY_WEIGHT,
    JUDO_BERT_QUERY_BIAS,
    JUDO_BERT_KEY_WEIGHT,
    JUDO_BERT_KEY_BIAS,
    JUDO_BERT_VALUE_WEIGHT,
    JUDO_BERT_VALUE_BIAS,
    JUDO_BERT_OUT_WEIGHT,
    JUDO_BERT_OUT_BIAS,
    JUDO_BERT_NORM1_WEIGHT,
    JUDO_BERT_NORM1_BIAS,
    JUDO_BERT_UP_WEIGHT,
    JUDO_BERT_UP_BIAS,
    JUDO_BERT_DOWN_WEIGHT,
    JUDO_BERT_DOWN_BIAS,
    JUDO_BERT_NORM2_WEIGHT,
    JUDO_BERT_NORM2_BIAS,
    JUDO_BERT_LAYER,
};

typedef struct judo_bert_weights {
    const judo_device *device; /* whose memory it is */
    void *memory;
    int64_t bytes;
    judo_tensor embeddings[JUDO_BERT_EMBEDDINGS];
    judo_tensor (*layers)[JUDO_BERT_LAYER]; /* [num_layers] */
} judo_bert_weights;

/* Reads FOLDER/config.json: a BERT with exact GELU and absolute positions. */
judo_status judo_bert_config_load(const char *folder, judo_bert_config *out) JUDO_MUST_CHECK;

/* Reads FOLDER/model.safetensors as `dtype` into the device's memory. Names may begin with
 * "bert."; the pooler and position_ids are passed over; anything else that is missing,
 * unexpected or of another shape is JUDO_ERROR_MISMATCH. */
judo_status judo_bert_weights_load(const char *folder, const judo_bert_config *config,
                                   const judo_device *device, judo_dtype dtype,
                                   judo_bert_weights *out) JUDO_MUST_CHECK;
int64_t judo_bert_weights_bytes(const judo_bert_config *config, judo_dtype dtype);
void judo_bert_weights_destroy(judo_bert_weights *weights);

typedef struct judo_bert judo_bert;

/* Reads a whole folder; weights and activations are of `dtype`, JUDO_ERROR_UNSUPPORTED unless
 * it is F32 or BF16. `device` is
 * borrowed. */
judo_status judo_bert_open(const char *folder, judo_dtype dtype, const judo_device *device,
                           judo_bert **out) JUDO_MUST_CHECK;
void judo_bert_close(judo_bert **bert);
/* Bytes of the device that an encoder of that folder will take, weights and activations. */
judo_status judo_bert_plan(const char *folder, judo_dtype dtype,
                           int64_t *bytes) JUDO_MUST_CHECK;
const judo_bert_config *judo_bert_config_of(const judo_bert *bert);

/* embeddings[count, hidden_size], on the host: the mean of a text's last hidden states, divided
 * by its L2 norm; both in fp32 whatever the states are. Text i is ids[offsets[i] ..
 * offsets[i+1]), 1 to `max_tokens` of them. A text's bits do not depend on the other texts. */
judo_status judo_bert_embed(judo_bert *bert, const int32_t *ids, const int32_t *offsets,
                            int32_t count, int32_t max_tokens,
                            float *embeddings) JUDO_MUST_CHECK;

#endif
