/* models/decoder_block.c: where the decoder keeps a block's weights. */
#include "models/decoder_block.h"

typedef judo_tensor (*view_function)(const judo_unit_view *view, int first, int last);

judo_block_shape judo_decoder_block_shape(const judo_qwen_text_config *config)
{
    return (judo_block_shape){.hidden = config->hidden_size,
                              .num_heads = config->num_heads,
                              .num_kv_heads = config->num_kv_heads,
                              .head_dim = config->head_dim,
                              .intermediate = config->intermediate_size,
                              .epsilon = (float)config->rms_norm_eps};
}

static judo_block_tensors views(const judo_unit_view *view, view_function of)
{
    return (judo_block_tensors){
        .norm1 = of(view, JUDO_DECODER_NORM1, JUDO_DECODER_NORM1),
        .norm2 = of(view, JUDO_DECODER_NORM2, JUDO_DECODER_NORM2),
        .qkv_weight = of(view, JUDO_DECODER_Q_WEIGHT, JUDO_DECODER_V_WEIGHT),
        .qkv_bias = of(view, JUDO_DECODER_Q_BIAS, JUDO_DECODER_V_BIAS),
        .out_weight = of(view, JUDO_DECODER_OUT_WEIGHT, JUDO_DECODER_OUT_WEIGHT),
        .gate_up_weight = of(view, JUDO_DECODER_GATE_WEIGHT, JUDO_DECODER_UP_WEIGHT),
        .down_weight = of(view, JUDO_DECODER_DOWN_WEIGHT, JUDO_DECODER_DOWN_WEIGHT),
    };
}

judo_block_tensors judo_decoder_block_weights(const judo_unit_view *view)
{
    return views(view, judo_unit_weight_rows);
}

judo_block_tensors judo_decoder_block_gradients(const judo_unit_view *view)
{
    return views(view, judo_unit_gradient_rows);
}
