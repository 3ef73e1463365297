/* models/packed_weights.c: which matrices are packed, and packing them. */
#include "models/packed_weights.h"

#include <stdlib.h>

#include "models/model_state.h"

/* Decoding multiplies by the matrices of the decoder's blocks and of the head. */
static bool is_multiplied(const judo_model *model, int unit)
{
    int decoder = model->units.first_decoder;
    return unit == judo_model_head_unit(model) ||
           (unit >= decoder && unit < decoder + (int)model->config.text.num_layers);
}

/* Sets the offsets, if there is a list of them, and the sum of the bytes. */
static void place(const judo_model *model, judo_dtype dtype, judo_packed_weights *out)
{
    for (int u = 0; u < model->layout->num_units; u++) {
        const judo_unit *unit = &model->layout->units[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            const judo_param *param = &model->layout->params[p];
            int64_t bytes = 0;
            if (is_multiplied(model, u) && param->num_dims == 2) {
                judo_tensor shape = judo_tensor_2d(NULL, dtype, param->dims[0], param->dims[1]);
                bytes = model->ops->linear_packed_bytes(&shape);
            }
            if (out->offsets) {
                out->offsets[p] = bytes > 0 ? out->bytes : -1;
            }
            out->bytes += (bytes + 63) / 64 * 64;
        }
    }
}

static judo_status pack_unit(judo_model *model, judo_params *params, int unit,
                             judo_packed_weights *out)
{
    judo_unit_view view = {.layout = model->layout, .unit = unit};
    JUDO_TRY(params->ops->acquire(params, unit, -1, &view.weights));
    judo_status status = JUDO_OK;
    const judo_unit *range = &model->layout->units[unit];
    for (int i = 0; i < range->num_params && status == JUDO_OK; i++) {
        int64_t offset = out->offsets[range->first_param + i];
        if (offset >= 0) {
            judo_tensor weight = judo_unit_weight(&view, i);
            status = model->ops->linear_pack(out->memory + offset, &weight);
        }
    }
    judo_status released = params->ops->release(params, unit);
    return status != JUDO_OK ? status : released;
}

static judo_status pack_all(judo_model *model, judo_params *params, judo_packed_weights *out)
{
    for (int u = 0; u < model->layout->num_units; u++) {
        if (is_multiplied(model, u)) {
            JUDO_TRY(pack_unit(model, params, u, out));
        }
    }
    return JUDO_OK;
}

/* Without room for copies everything stays as it is. */
static judo_status allocate(judo_packed_weights *out)
{
    int64_t available = 0;
    int64_t total = 0;
    void *memory = NULL;
    JUDO_TRY(out->device->memory(&available, &total));
    if (2 * out->bytes > available) {
        return JUDO_OK;
    }
    judo_status status = out->device->allocate(&memory, out->bytes);
    if (status == JUDO_ERROR_MEMORY) {
        judo_error_clear();
        return JUDO_OK;
    }
    out->memory = memory;
    return status;
}

judo_status judo_packed_weights_create(judo_model *model, judo_params *params,
                                       judo_packed_weights *out)
{
    judo_packed_weights packed = {0};
    packed.offsets = calloc((size_t)model->layout->num_params, sizeof *packed.offsets);
    if (!packed.offsets) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a list of weights");
    }
    place(model, params->compute_dtype, &packed);
    packed.device = model->device;
    judo_status status = packed.bytes > 0 ? allocate(&packed) : JUDO_OK;
    if (status == JUDO_OK && packed.memory) {
        status = pack_all(model, params, &packed);
    }
    if (status != JUDO_OK) {
        judo_packed_weights_destroy(&packed);
        return status;
    }
    *out = packed;
    return JUDO_OK;
}

int64_t judo_packed_weights_bytes(const judo_model *model, judo_dtype dtype)
{
    judo_packed_weights packed = {0};
    place(model, dtype, &packed);
    return packed.bytes;
}

void judo_packed_weights_destroy(judo_packed_weights *packed)
{
    if (packed->memory) {
        packed->device->release(packed->memory);
    }
    free(packed->offsets);
    *packed = (judo_packed_weights){0};
}
