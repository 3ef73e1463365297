/* runtime/params.c: parameters that live whole in one process. */
#include "runtime/params.h"

#include <stdlib.h>
#include <string.h>

struct judo_local_params {
    judo_params base;
    bool trainable;
    float **weights;  /* [num_units] */
    float **gradient; /* [num_units], NULL unless trainable */
};

judo_tensor judo_param_view(const judo_param *param, const judo_tensor *unit_buffer)
{
    judo_tensor view = {.dtype = unit_buffer->dtype, .num_dims = param->num_dims};
    view.data =
        (char *)unit_buffer->data + param->offset * judo_dtype_bytes(unit_buffer->dtype);
    memcpy(view.dims, param->dims, sizeof view.dims);
    return view;
}

static judo_status local_acquire(judo_params *params, int unit, int next_unit,
                                 judo_tensor *weights)
{
    judo_local_params *self = (judo_local_params *)params;
    (void)next_unit;
    *weights = judo_tensor_1d(self->weights[unit], JUDO_F32, params->layout->units[unit].count);
    return JUDO_OK;
}

static judo_status local_release(judo_params *params, int unit)
{
    (void)params;
    (void)unit;
    return JUDO_OK;
}

static judo_status local_gradient_begin(judo_params *params, int unit, judo_tensor *gradient)
{
    judo_local_params *self = (judo_local_params *)params;
    if (!self->trainable) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "gradient asked of parameters that are not trainable");
    }
    /* Adding straight to the sum over micro-batches is what gradient_end would do. */
    *gradient =
        judo_tensor_1d(self->gradient[unit], JUDO_F32, params->layout->units[unit].count);
    return JUDO_OK;
}

static judo_status local_gradient_end(judo_params *params, int unit)
{
    (void)params;
    (void)unit;
    return JUDO_OK;
}

static void local_poll(judo_params *params)
{
    (void)params;
}

static const judo_params_ops local_ops = {
    .acquire = local_acquire,
    .release = local_release,
    .gradient_begin = local_gradient_begin,
    .gradient_end = local_gradient_end,
    .poll = local_poll,
};

static float *allocate_unit(int64_t count)
{
    size_t bytes = ((size_t)count * sizeof(float) + 63u) / 64u * 64u;
    float *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (memory) {
        memset(memory, 0, bytes);
    }
    return memory;
}

judo_status judo_local_params_create(const judo_param_layout *layout, bool trainable,
                                     judo_local_params **out)
{
    judo_local_params *self = calloc(1, sizeof *self);
    size_t units = (size_t)layout->num_units;
    if (!self || !(self->weights = calloc(units, sizeof *self->weights)) ||
        !(self->gradient = calloc(units, sizeof *self->gradient))) {
        judo_local_params_destroy(&self);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d parameter units",
                         layout->num_units);
    }
    self->base = (judo_params){.ops = &local_ops, .layout = layout, .compute_dtype = JUDO_F32};
    self->trainable = trainable;
    for (int u = 0; u < layout->num_units; u++) {
        self->weights[u] = allocate_unit(layout->units[u].count);
        self->gradient[u] = trainable ? allocate_unit(layout->units[u].count) : NULL;
        if (!self->weights[u] || (trainable && !self->gradient[u])) {
            judo_local_params_destroy(&self);
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for parameter unit %s",
                             layout->units[u].name);
        }
    }
    *out = self;
    return JUDO_OK;
}

void judo_local_params_destroy(judo_local_params **params)
{
    judo_local_params *self = *params;
    if (!self) {
        return;
    }
    for (int u = 0; self->base.layout && u < self->base.layout->num_units; u++) {
        free(self->weights[u]);
        free(self->gradient[u]);
    }
    free(self->weights);
    free(self->gradient);
    free(self);
    *params = NULL;
}

judo_params *judo_local_params_base(judo_local_params *params)
{
    return &params->base;
}

judo_status judo_local_params_load(judo_local_params *params, const judo_weight_source *source)
{
    const judo_param_layout *layout = params->base.layout;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            const judo_param *param = &layout->params[p];
            JUDO_TRY(source->read(source->context, param, 0, param->count,
                                  params->weights[u] + param->offset));
        }
    }
    return JUDO_OK;
}

float *judo_local_params_weights(judo_local_params *params, int unit)
{
    return params->weights[unit];
}

float *judo_local_params_gradient(judo_local_params *params, int unit)
{
    return params->gradient[unit];
}

void judo_local_params_zero_gradients(judo_local_params *params)
{
    const judo_param_layout *layout = params->base.layout;
    for (int u = 0; params->trainable && u < layout->num_units; u++) {
        memset(params->gradient[u], 0, (size_t)layout->units[u].count * sizeof(float));
    }
}
