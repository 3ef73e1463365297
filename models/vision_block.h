/* models/vision_block.h: a block of the vision tower in terms of models/block.h. */
#ifndef JUDO_MODELS_VISION_BLOCK_H
#define JUDO_MODELS_VISION_BLOCK_H

#include "models/block.h"
#include "models/layout.h"

judo_block_shape judo_vision_block_shape(const judo_qwen_vision_config *config);
/* Views of an acquired unit's weights; the fused qkv matrix as its three parts. */
judo_block_tensors judo_vision_block_weights(const judo_unit_view *view);
judo_block_tensors judo_vision_block_gradients(const judo_unit_view *view);

#endif
