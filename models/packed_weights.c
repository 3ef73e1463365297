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

/* A copy: bytes into memory, and how many rows of the model's it holds; 0: none. */
struct judo_packed_matrix {
    int64_t offset, rows;
};

/* The last of the parameters that are multiplied as one with `place`, their first. */
static int last_of_matrix(const judo_model *model, int unit, int place)
{
    bool decoder = unit != judo_model_head_unit(model);
    if (decoder && place == JUDO_DECODER_Q_WEIGHT) {
        return JUDO_DECODER_V_WEIGHT;
    }
    return decoder && place == JUDO_DECODER_GATE_WEIGHT ? JUDO_DECODER_UP_WEIGHT : place;
}

/* Sets a unit's entries, if there is a list of them, and the sum of the bytes. */
static void place_unit(const judo_model *model, int unit, judo_dtype dtype,
                       judo_packed_weights *out)
{
    const judo_unit *range = &model->layout->units[unit];
    const judo_param *params = &model->layout->params[range->first_param];
    for (int i = 0, last; i < range->num_params; i = last + 1) {
        judo_tensor shape = judo_tensor_2d(NULL, dtype, 0, params[i].dims[1]);
        last = last_of_matrix(model, unit, i);
        for (int part = i; part <= last; part++) {
            shape.dims[0] += params[part].dims[0];
        }
        bool matrix = params[i].num_dims == 2;
        int64_t bytes = matrix ? model->ops->linear_packed_bytes(&shape) : 0;
        if (out->matrices && bytes > 0) {
            out->matrices[range->first_param + i] =
                (struct judo_packed_matrix){.offset = out->bytes, .rows = shape.dims[0]};
        }
        out->bytes += (bytes + 63) / 64 * 64;
    }
}

static void place(const judo_model *model, judo_dtype dtype, judo_packed_weights *out)
{
    for (int u = 0; u < model->layout->num_units; u++) {
        if (is_multiplied(model, u)) {
            place_unit(model, u, dtype, out);
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
        const struct judo_packed_matrix *matrix = &out->matrices[range->first_param + i];
        if (matrix->rows > 0) {
            judo_tensor weight =
                judo_unit_weight_rows(&view, i, last_of_matrix(model, unit, i));
            status = model->ops->linear_pack(out->memory + matrix->offset, &weight);
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
    if (!out->device->separate && 2 * out->bytes > available) { /* a device's is planned */
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
    packed.matrices = calloc((size_t)model->layout->num_params, sizeof *packed.matrices);
    if (!packed.matrices) {
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

const void *judo_packed_weights_find(const judo_packed_weights *packed, int param,
                                     const judo_tensor *matrix)
{
    bool found = packed && packed->memory && packed->matrices[param].rows == matrix->dims[0];
    return found ? packed->memory + packed->matrices[param].offset : NULL;
}

void judo_packed_weights_destroy(judo_packed_weights *packed)
{
    if (packed->memory) {
        packed->device->release(packed->memory);
    }
    free(packed->matrices);
    *packed = (judo_packed_weights){0};
}
