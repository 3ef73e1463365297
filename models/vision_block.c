/* models/vision_block.c: where the vision tower keeps a block's weights. */
#include "models/vision_block.h"

typedef judo_tensor (*view_function)(const judo_unit_view *view, int first, int last);

judo_block_shape judo_vision_block_shape(const judo_qwen_vision_config *config)
{
    return (judo_block_shape){.hidden = config->hidden_size,
                              .num_heads = config->num_heads,
                              .num_kv_heads = config->num_heads,
                              .head_dim = config->head_dim,
                              .intermediate = config->intermediate_size,
                              .epsilon = (float)config->rms_norm_eps};
}

static judo_block_tensors views(const judo_unit_view *view, view_function of)
{
    return (judo_block_tensors){
        .norm1 = of(view, JUDO_VISION_NORM1, JUDO_VISION_NORM1),
        .norm2 = of(view, JUDO_VISION_NORM2, JUDO_VISION_NORM2),
        .qkv_weight = of(view, JUDO_VISION_QKV_WEIGHT, JUDO_VISION_QKV_WEIGHT),
        .qkv_bias = of(view, JUDO_VISION_QKV_BIAS, JUDO_VISION_QKV_BIAS),
        .out_weight = of(view, JUDO_VISION_OUT_WEIGHT, JUDO_VISION_OUT_WEIGHT),
        .out_bias = of(view, JUDO_VISION_OUT_BIAS, JUDO_VISION_OUT_BIAS),
        .gate_up_weight = of(view, JUDO_VISION_GATE_WEIGHT, JUDO_VISION_UP_WEIGHT),
        .gate_up_bias = of(view, JUDO_VISION_GATE_BIAS, JUDO_VISION_UP_BIAS),
        .down_weight = of(view, JUDO_VISION_DOWN_WEIGHT, JUDO_VISION_DOWN_WEIGHT),
        .down_bias = of(view, JUDO_VISION_DOWN_BIAS, JUDO_VISION_DOWN_BIAS),
    };
}

judo_block_tensors judo_vision_block_weights(const judo_unit_view *view)
{
    return views(view, judo_unit_weight_rows);
}

judo_block_tensors judo_vision_block_gradients(const judo_unit_view *view)
{
    return views(view, judo_unit_gradient_rows);
}
