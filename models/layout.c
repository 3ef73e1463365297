/* models/layout.c: the list of units and parameters of Qwen2.5-VL. */
#include "models/layout.h"

#include "models/packed_weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_PER_BLOCK = 12 };

/* Appends to arrays that are large enough by construction. */
typedef struct builder {
    judo_param_layout *layout;
    bool frozen; /* of the unit being built */
} builder;

static void begin_unit(builder *b, bool frozen, const char *format, int index)
{
    judo_unit *unit = &b->layout->units[b->layout->num_units++];
    (void)snprintf(unit->name, sizeof unit->name, "%s", format);
    if (index >= 0) {
        (void)snprintf(unit->name, sizeof unit->name, "%s.%d", format, index);
    }
    unit->first_param = b->layout->num_params;
    unit->frozen = frozen;
    b->frozen = frozen;
}

/* Adds parameter prefix + suffix; a matrix decays, a vector does not. */
static void add(builder *b, const char *prefix, const char *suffix, int num_dims, ...)
{
    judo_unit *unit = &b->layout->units[b->layout->num_units - 1];
    judo_param *param = &b->layout->params[b->layout->num_params++];
    (void)snprintf(param->name, sizeof param->name, "%s%s", prefix, suffix);
    param->num_dims = num_dims;
    param->count = 1;
    va_list dims;
    va_start(dims, num_dims);
    for (int i = 0; i < num_dims; i++) {
        param->dims[i] = va_arg(dims, int64_t);
        param->count *= param->dims[i];
    }
    va_end(dims);
    param->offset = unit->count;
    param->decay = num_dims > 1;
    param->frozen = b->frozen;
    unit->count += param->count;
    unit->num_params++;
}

static void add_vision_block(builder *b, const judo_qwen_vision_config *v, int index)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "visual.blocks.%d.", index);
    int64_t hidden = v->hidden_size;
    int64_t inner = v->intermediate_size;
    add(b, prefix, "norm1.weight", 1, hidden);
    add(b, prefix, "norm2.weight", 1, hidden);
    add(b, prefix, "attn.qkv.weight", 2, 3 * hidden, hidden);
    add(b, prefix, "attn.qkv.bias", 1, 3 * hidden);
    add(b, prefix, "attn.proj.weight", 2, hidden, hidden);
    add(b, prefix, "attn.proj.bias", 1, hidden);
    add(b, prefix, "mlp.gate_proj.weight", 2, inner, hidden);
    add(b, prefix, "mlp.up_proj.weight", 2, inner, hidden);
    add(b, prefix, "mlp.gate_proj.bias", 1, inner);
    add(b, prefix, "mlp.up_proj.bias", 1, inner);
    add(b, prefix, "mlp.down_proj.weight", 2, hidden, inner);
    add(b, prefix, "mlp.down_proj.bias", 1, hidden);
}

static void add_merger(builder *b, const judo_qwen_config *config)
{
    const char *prefix = "visual.merger.";
    int64_t wide = config->vision.hidden_size * judo_qwen_merge_unit(config);
    int64_t out = config->vision.out_hidden_size;
    add(b, prefix, "ln_q.weight", 1, config->vision.hidden_size);
    add(b, prefix, "mlp.0.weight", 2, wide, wide);
    add(b, prefix, "mlp.0.bias", 1, wide);
    add(b, prefix, "mlp.2.weight", 2, out, wide);
    add(b, prefix, "mlp.2.bias", 1, out);
}

static void add_decoder(builder *b, const judo_qwen_text_config *t, int index)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "model.layers.%d.", index);
    int64_t hidden = t->hidden_size;
    int64_t queries = t->num_heads * t->head_dim;
    int64_t keys = t->num_kv_heads * t->head_dim;
    add(b, prefix, "input_layernorm.weight", 1, hidden);
    add(b, prefix, "post_attention_layernorm.weight", 1, hidden);
    add(b, prefix, "self_attn.q_proj.weight", 2, queries, hidden);
    add(b, prefix, "self_attn.k_proj.weight", 2, keys, hidden);
    add(b, prefix, "self_attn.v_proj.weight", 2, keys, hidden);
    add(b, prefix, "self_attn.q_proj.bias", 1, queries);
    add(b, prefix, "self_attn.k_proj.bias", 1, keys);
    add(b, prefix, "self_attn.v_proj.bias", 1, keys);
    add(b, prefix, "self_attn.o_proj.weight", 2, hidden, queries);
    add(b, prefix, "mlp.gate_proj.weight", 2, t->intermediate_size, hidden);
    add(b, prefix, "mlp.up_proj.weight", 2, t->intermediate_size, hidden);
    add(b, prefix, "mlp.down_proj.weight", 2, hidden, t->intermediate_size);
}

static void build(builder *b, const judo_qwen_config *config, const judo_freeze *freeze)
{
    const judo_qwen_text_config *t = &config->text;
    const judo_qwen_vision_config *v = &config->vision;
    begin_unit(b, freeze->embeddings, "embed", -1);
    add(b, "model.", "embed_tokens.weight", 2, t->vocab_size, t->hidden_size);
    begin_unit(b, freeze->vision_tower, "vision.patch", -1);
    add(b, "visual.patch_embed.", "proj.weight", 5, v->hidden_size, v->in_channels,
        v->temporal_patch_size, v->patch_size, v->patch_size);
    for (int i = 0; i < (int)v->depth; i++) {
        begin_unit(b, freeze->vision_tower, "vision.block", i);
        add_vision_block(b, v, i);
    }
    begin_unit(b, freeze->merger, "merger", -1);
    add_merger(b, config);
    for (int i = 0; i < (int)t->num_layers; i++) {
        begin_unit(b, freeze->text_decoder, "decoder", i);
        add_decoder(b, t, i);
    }
    begin_unit(b, freeze->head, "head", -1);
    add(b, "model.", "norm.weight", 1, t->hidden_size);
    if (!t->tie_word_embeddings) {
        add(b, "lm_head", ".weight", 2, t->vocab_size, t->hidden_size);
    }
}

judo_status judo_qwen_layout_create(const judo_qwen_config *config, const judo_freeze *freeze,
                                    judo_param_layout **out)
{
    static const judo_freeze nothing;
    size_t blocks = (size_t)(config->vision.depth + config->text.num_layers);
    judo_param_layout *layout = calloc(1, sizeof *layout);
    if (!layout || !(layout->units = calloc(blocks + 4, sizeof *layout->units)) ||
        !(layout->params = calloc(blocks * PARAMS_PER_BLOCK + 9, sizeof *layout->params))) {
        judo_qwen_layout_destroy(&layout);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the list of parameters");
    }
    build(&(builder){.layout = layout}, config, freeze ? freeze : &nothing);
    /* A tied head hands in the embedding's gradient beside the embedding itself. */
    layout->units[judo_qwen_units_of(config).embed].gradient_parts =
        config->text.tie_word_embeddings ? 2 : 1;
    *out = layout;
    return JUDO_OK;
}

void judo_qwen_layout_destroy(judo_param_layout **layout)
{
    if (*layout) {
        free((*layout)->units);
        free((*layout)->params);
        free(*layout);
        *layout = NULL;
    }
}

judo_qwen_units judo_qwen_units_of(const judo_qwen_config *config)
{
    judo_qwen_units units = {.embed = 0, .patch = 1, .first_vision_block = 2};
    units.merger = units.first_vision_block + (int)config->vision.depth;
    units.first_decoder = units.merger + 1;
    units.head = units.first_decoder + (int)config->text.num_layers;
    return units;
}

/* The run of parameters from `first` to `last` inside its unit's buffer. */
static judo_tensor rows_between(const judo_unit_view *view, const judo_tensor *buffer,
                                int first, int last)
{
    const judo_param *params =
        &view->layout->params[view->layout->units[view->unit].first_param];
    judo_tensor rows = judo_param_view(&params[first], buffer);
    for (int place = first + 1; place <= last; place++) {
        rows.dims[0] += params[place].dims[0];
    }
    return rows;
}

judo_tensor judo_unit_weight_rows(const judo_unit_view *view, int first, int last)
{
    judo_tensor weight = rows_between(view, &view->weights, first, last);
    weight.packed = judo_packed_weights_find(
        view->packed, view->layout->units[view->unit].first_param + first, &weight);
    return weight;
}

judo_tensor judo_unit_weight(const judo_unit_view *view, int place)
{
    return judo_unit_weight_rows(view, place, place);
}

judo_tensor judo_unit_gradient_rows(const judo_unit_view *view, int first, int last)
{
    return view->gradient.data ? rows_between(view, &view->gradient, first, last)
                               : (judo_tensor){0};
}

judo_tensor judo_unit_gradient(const judo_unit_view *view, int place)
{
    return judo_unit_gradient_rows(view, place, place);
}
