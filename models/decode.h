/* models/decode.h: one token forward for a set of rows: the step that generation repeats. */
#ifndef JUDO_MODELS_DECODE_H
#define JUDO_MODELS_DECODE_H

#include "models/kv_cache.h"
#include "models/block.h"
#include "models/input_staging.h"
#include "models/packed_weights.h"
#include "models/qwen25vl.h"

/* Room for `max_rows` rows. */
typedef struct judo_decoder {
    judo_model *model;
    judo_params *params;
    judo_kv_cache *cache;
    judo_activation_arena arena;
    judo_input_staging staging;
    int32_t max_rows;
    int32_t *tokens, *positions; /* [max_rows], [3, max_rows] */
    int32_t *places;             /* [max_rows]: where keys and values go in the cache */
    judo_decode_row *views;      /* [max_rows] */
    judo_packed_weights packed;
    judo_replay **replays; /* [max_rows + 1]: the step of so many rows; NULL: not met yet */
} judo_decoder;

/* A row of a step. */
typedef struct judo_decode_input {
    int32_t row;                      /* in the cache */
    int32_t token;                    /* the row's newest token */
    int32_t index;                    /* how many of its own tokens stand before it */
    int32_t position;                 /* M-RoPE position, equal on the three axes */
    int32_t prompt_begin, prompt_end; /* its prompt in the cache */
} judo_decode_input;

/* `num_steps`: how many steps are likely; for a few it is not worth packing weights. */
judo_status judo_decoder_create(judo_model *model, judo_params *params, judo_kv_cache *cache,
                                int32_t max_rows, int32_t num_steps,
                                judo_decoder *out) JUDO_MUST_CHECK;
/* Bytes that it takes for good; with copies of weights only if all steps are worth them. */
int64_t judo_decoder_bytes(const judo_model *model, int32_t max_rows, int32_t num_steps);
void judo_decoder_destroy(judo_decoder *decoder);

/* Runs the rows through all layers and stores their keys and values; logits[num_rows,
 * vocab_size]. */
judo_status judo_decoder_step(judo_decoder *decoder, const judo_decode_input *inputs,
                              int32_t num_rows, judo_tensor *logits) JUDO_MUST_CHECK;

/* logits[rows, vocab_size] of normed hidden states. */
judo_status judo_decoder_logits(judo_decoder *decoder, judo_tensor *logits,
                                const judo_tensor *hidden) JUDO_MUST_CHECK;

#endif
