/* models/decoder_block.h: a decoder block in terms of models/block.h. */
#ifndef JUDO_MODELS_DECODER_BLOCK_H
#define JUDO_MODELS_DECODER_BLOCK_H

#include "models/block.h"
#include "models/layout.h"

judo_block_shape judo_decoder_block_shape(const judo_qwen_text_config *config);
/* Views of an acquired unit's weights and gradients. */
judo_block_tensors judo_decoder_block_weights(const judo_unit_view *view);
judo_block_tensors judo_decoder_block_gradients(const judo_unit_view *view);

#endif
