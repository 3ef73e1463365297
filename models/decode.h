/* models/decode.h: one token forward for a set of rows: the step that generation repeats. */
#ifndef JUDO_MODELS_DECODE_H
#define JUDO_MODELS_DECODE_H

#include "models/angle_table.h"
#include "models/kv_cache.h"
#include "models/block.h"
#include "models/packed_weights.h"
#include "models/qwen25vl.h"

/* Room for `max_rows` rows. */
typedef struct judo_decoder {
    judo_model *model;
    judo_params *params;
    judo_kv_cache *cache;
    const judo_angle_table *angles;
    judo_activation_arena arena;
    int32_t max_rows;
    int32_t *tokens;        /* [max_rows]: the places of their draws */
    int32_t *angle_rows;    /* [2 max_rows] of `angles`: cosines, then sines */
    int32_t *places;        /* [max_rows]: where keys and values go in the cache */
    judo_decode_row *views; /* [max_rows] */
    judo_packed_weights packed;
} judo_decoder;

/* A row of a step. */
typedef struct judo_decode_input {
    int32_t row;                      /* in the cache */
    int32_t token;                    /* the place of its newest token's draw */
    int32_t index;                    /* how many of its own tokens stand before it */
    int32_t angle;                    /* the token's row in the table of angles */
    int32_t prompt_begin, prompt_end; /* its prompt in the cache */
} judo_decode_input;

/* How the rows of a step draw their next tokens. */
typedef struct judo_decode_draw {
    const judo_draw_memory *memory;
    const judo_draw_row *rows;
    const judo_sampling *sampling;
    float logprob_temperature;
} judo_decode_draw;

/* `num_steps`: how many steps are likely; for a few it is not worth packing weights. */
judo_status judo_decoder_create(judo_model *model, judo_params *params, judo_kv_cache *cache,
                                const judo_angle_table *angles, int32_t max_rows,
                                int32_t num_steps, judo_decoder *out) JUDO_MUST_CHECK;
/* Bytes that it takes for good; with copies of weights only if all steps are worth them. */
int64_t judo_decoder_bytes(const judo_model *model, int32_t max_rows, int32_t num_steps);
void judo_decoder_destroy(judo_decoder *decoder);

/* Runs the rows' newest tokens through all layers, stores their keys and values, and draws
 * from logits[num_rows, vocab_size], which are destroyed. The host waits for nothing. */
judo_status judo_decoder_step(judo_decoder *decoder, const judo_decode_input *inputs,
                              int32_t num_rows, const judo_decode_draw *draw,
                              judo_tensor *logits) JUDO_MUST_CHECK;

/* Draws from logits that are there. */
judo_status judo_decoder_draw(judo_decoder *decoder, const judo_decode_draw *draw,
                              judo_tensor *logits) JUDO_MUST_CHECK;

/* logits[rows, vocab_size] of normed hidden states. */
judo_status judo_decoder_logits(judo_decoder *decoder, judo_tensor *logits,
                                const judo_tensor *hidden) JUDO_MUST_CHECK;

#endif
