/* models/vision_block.c: where the vision tower keeps a block's weights. */
#include "models/vision_block.h"

typedef judo_tensor (*view_function)(const judo_unit_view *view, int place);

judo_block_shape judo_vision_block_shape(const judo_qwen_vision_config *config)
{
    return (judo_block_shape){.hidden = config->hidden_size,
                              .num_heads = config->num_heads,
                              .num_kv_heads = config->num_heads,
                              .head_dim = config->head_dim,
                              .intermediate = config->intermediate_size,
                              .epsilon = (float)config->rms_norm_eps};
}

/* Rows are q, then k, then v: each third is a matrix (or bias) of its own. */
static judo_tensor third(judo_tensor fused, int part)
{
    if (!fused.data) {
        return fused;
    }
    fused.dims[0] /= 3;
    fused.data =
        (char *)fused.data + part * judo_tensor_count(&fused) * judo_dtype_bytes(fused.dtype);
    return fused;
}

static judo_block_tensors views(const judo_unit_view *view, view_function of)
{
    judo_tensor weight = of(view, JUDO_VISION_QKV_WEIGHT);
    judo_tensor bias = of(view, JUDO_VISION_QKV_BIAS);
    return (judo_block_tensors){
        .norm1 = of(view, JUDO_VISION_NORM1),
        .norm2 = of(view, JUDO_VISION_NORM2),
        .q_weight = third(weight, 0),
        .q_bias = third(bias, 0),
        .k_weight = third(weight, 1),
        .k_bias = third(bias, 1),
        .v_weight = third(weight, 2),
        .v_bias = third(bias, 2),
        .out_weight = of(view, JUDO_VISION_OUT_WEIGHT),
        .out_bias = of(view, JUDO_VISION_OUT_BIAS),
        .gate_weight = of(view, JUDO_VISION_GATE_WEIGHT),
        .gate_bias = of(view, JUDO_VISION_GATE_BIAS),
        .up_weight = of(view, JUDO_VISION_UP_WEIGHT),
        .up_bias = of(view, JUDO_VISION_UP_BIAS),
        .down_weight = of(view, JUDO_VISION_DOWN_WEIGHT),
        .down_bias = of(view, JUDO_VISION_DOWN_BIAS),
    };
}

judo_block_tensors judo_vision_block_weights(const judo_unit_view *view)
{
    return views(view, judo_unit_weight);
}

judo_block_tensors judo_vision_block_gradients(const judo_unit_view *view)
{
    return views(view, judo_unit_gradient);
}
