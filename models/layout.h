/* models/layout.h: the units of Qwen2.5-VL and where each weight stands in its unit. */
#ifndef JUDO_MODELS_LAYOUT_H
#define JUDO_MODELS_LAYOUT_H

#include <stdbool.h>

#include "models/hf_config.h"
#include "runtime/params.h"

/* Parts that can be frozen. The head is the final norm and, unless tied, lm_head; a tied head
 * follows the embeddings. */
typedef struct judo_freeze {
    bool vision_tower, merger, embeddings, text_decoder, head;
} judo_freeze;

/* The units by their place: embed, vision.patch, vision.block.*, merger, decoder.*, head. */
typedef struct judo_qwen_units {
    int embed, patch, first_vision_block, merger, first_decoder, head;
} judo_qwen_units;

/* Places of the parameters within their units, in the layout's order. What is multiplied
 * together stands together (judo_unit_weight_rows). */
enum { JUDO_EMBED_TOKENS };

enum { JUDO_PATCH_PROJECTION };

enum {
    JUDO_VISION_NORM1,
    JUDO_VISION_NORM2,
    JUDO_VISION_QKV_WEIGHT,
    JUDO_VISION_QKV_BIAS,
    JUDO_VISION_OUT_WEIGHT,
    JUDO_VISION_OUT_BIAS,
    JUDO_VISION_GATE_WEIGHT,
    JUDO_VISION_UP_WEIGHT,
    JUDO_VISION_GATE_BIAS,
    JUDO_VISION_UP_BIAS,
    JUDO_VISION_DOWN_WEIGHT,
    JUDO_VISION_DOWN_BIAS
};

enum {
    JUDO_MERGER_NORM,
    JUDO_MERGER_FIRST_WEIGHT,
    JUDO_MERGER_FIRST_BIAS,
    JUDO_MERGER_SECOND_WEIGHT,
    JUDO_MERGER_SECOND_BIAS
};

enum {
    JUDO_DECODER_NORM1,
    JUDO_DECODER_NORM2,
    JUDO_DECODER_Q_WEIGHT,
    JUDO_DECODER_K_WEIGHT,
    JUDO_DECODER_V_WEIGHT,
    JUDO_DECODER_Q_BIAS,
    JUDO_DECODER_K_BIAS,
    JUDO_DECODER_V_BIAS,
    JUDO_DECODER_OUT_WEIGHT,
    JUDO_DECODER_GATE_WEIGHT,
    JUDO_DECODER_UP_WEIGHT,
    JUDO_DECODER_DOWN_WEIGHT
};

enum { JUDO_HEAD_NORM, JUDO_HEAD_LM };

/* Builds the layout; free with judo_qwen_layout_destroy. */
judo_status judo_qwen_layout_create(const judo_qwen_config *config, const judo_freeze *freeze,
                                    judo_param_layout **out) JUDO_MUST_CHECK;
void judo_qwen_layout_destroy(judo_param_layout **layout);
judo_qwen_units judo_qwen_units_of(const judo_qwen_config *config);

/* One acquired unit: its weights and, while it collects a gradient, that. */
typedef struct judo_unit_view {
    const judo_param_layout *layout;
    int unit;
    judo_tensor weights;
    judo_tensor gradient;                     /* data is NULL when none is wanted */
    const struct judo_packed_weights *packed; /* copies for decoding, or NULL */
} judo_unit_view;

/* The unit's parameter `place`. */
judo_tensor judo_unit_weight(const judo_unit_view *view, int place);
/* Its gradient; data is NULL when none is wanted. */
judo_tensor judo_unit_gradient(const judo_unit_view *view, int place);
/* The parameters from `first` to `last` as one: their rows, or elements of vectors, one behind
 * the other, as they lie in the unit (runtime/params.h: densely, in the layout's order). All
 * must have rows of one length. */
judo_tensor judo_unit_weight_rows(const judo_unit_view *view, int first, int last);
/* Likewise; data is NULL when none is wanted. */
judo_tensor judo_unit_gradient_rows(const judo_unit_view *view, int first, int last);

#endif
