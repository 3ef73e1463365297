/* runtime/params.c: parameters that live whole in one process. */
#include "runtime/params.h"

#include <stdlib.h>
#include <string.h>

struct judo_local_params {
    judo_params base;
    const judo_device *device;
    bool trainable;
    void **weights;  /* [num_units], of base.compute_dtype */
    void **gradient; /* [num_units], fp32; NULL unless trainable */
};

judo_tensor judo_param_view(const judo_param *param, const judo_tensor *unit_buffer)
{
    judo_tensor view = {.dtype = unit_buffer->dtype, .num_dims = param->num_dims};
    view.data =
        (char *)unit_buffer->data + param->offset * judo_dtype_bytes(unit_buffer->dtype);
    memcpy(view.dims, param->dims, sizeof view.dims);
    return view;
}

judo_status judo_weight_source_read(const judo_weight_source *source, const judo_param *param,
                                    int64_t first, int64_t count, judo_dtype dtype, void *out)
{
    enum { BLOCK = 4096 };

    float block[BLOCK];
    if (dtype == JUDO_F32) {
        return source->read(source->context, param, first, count, out);
    }
    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t part = count - at < BLOCK ? count - at : BLOCK;
        JUDO_TRY(source->read(source->context, param, first + at, part, block));
        judo_convert_from_f32((char *)out + at * judo_dtype_bytes(dtype), dtype, block, part);
    }
    return JUDO_OK;
}

judo_status judo_weight_source_send(const judo_weight_source *source, const judo_param *param,
                                    int64_t first, int64_t count, judo_dtype dtype,
                                    judo_device_feed *feed, void *out)
{
    int64_t width = judo_dtype_bytes(dtype);
    int64_t piece = JUDO_FEED_PIECE / width;
    for (int64_t at = 0; at < count; at += piece) {
        int64_t part = count - at < piece ? count - at : piece;
        void *to = (char *)out + at * width;
        void *place = NULL;
        JUDO_TRY(judo_feed_place(feed, to, &place));
        JUDO_TRY(judo_weight_source_read(source, param, first + at, part, dtype, place));
        JUDO_TRY(judo_feed_send(feed, to, part * width));
    }
    return JUDO_OK;
}

static judo_status local_acquire(judo_params *params, int unit, int next_unit,
                                 judo_tensor *weights)
{
    judo_local_params *self = (judo_local_params *)params;
    (void)next_unit;
    *weights = judo_tensor_1d(self->weights[unit], params->compute_dtype,
                              params->layout->units[unit].count);
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

/* Whole cache lines. */
static int64_t unit_bytes(const judo_unit *unit, judo_dtype dtype)
{
    int64_t bytes = (unit->count * judo_dtype_bytes(dtype) + 63) / 64 * 64;
    return bytes > 0 ? bytes : 64;
}

static judo_status allocate_unit(const judo_device *device, const judo_unit *unit,
                                 judo_dtype dtype, void **out)
{
    int64_t bytes = unit_bytes(unit, dtype);
    JUDO_TRY(device->allocate(out, bytes));
    return device->clear(*out, bytes, NULL);
}

int64_t judo_local_params_bytes(const judo_param_layout *layout, judo_dtype dtype,
                                bool trainable)
{
    int64_t bytes = 0;
    for (int u = 0; u < layout->num_units; u++) {
        bytes += unit_bytes(&layout->units[u], dtype);
        bytes += trainable ? unit_bytes(&layout->units[u], JUDO_F32) : 0;
    }
    return bytes;
}

static judo_status allocate_units(judo_local_params *self)
{
    const judo_param_layout *layout = self->base.layout;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        JUDO_TRY(
            allocate_unit(self->device, unit, self->base.compute_dtype, &self->weights[u]));
        if (self->trainable) {
            JUDO_TRY(allocate_unit(self->device, unit, JUDO_F32, &self->gradient[u]));
        }
    }
    return JUDO_OK;
}

judo_status judo_local_params_create(const judo_param_layout *layout, const judo_device *device,
                                     judo_dtype dtype, bool trainable, judo_local_params **out)
{
    if (dtype != JUDO_F32 && dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "weights of type %s: F32 and BF16 are built",
                         judo_dtype_name(dtype));
    }
    judo_local_params *self = calloc(1, sizeof *self);
    size_t units = (size_t)layout->num_units;
    if (!self || !(self->weights = calloc(units, sizeof *self->weights)) ||
        !(self->gradient = calloc(units, sizeof *self->gradient))) {
        judo_local_params_destroy(&self);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d parameter units",
                         layout->num_units);
    }
    self->base = (judo_params){.ops = &local_ops, .layout = layout, .compute_dtype = dtype};
    self->trainable = trainable;
    self->device = device;
    judo_status status = allocate_units(self);
    if (status != JUDO_OK) {
        judo_local_params_destroy(&self);
        return status;
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
    for (int u = 0; self->device && u < self->base.layout->num_units; u++) {
        self->device->release(self->weights[u]);
        self->device->release(self->gradient[u]);
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

static judo_status load_units(judo_local_params *params, const judo_weight_source *source,
                              judo_device_feed *feed)
{
    const judo_param_layout *layout = params->base.layout;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            const judo_param *param = &layout->params[p];
            judo_dtype dtype = params->base.compute_dtype;
            char *out = (char *)params->weights[u] + param->offset * judo_dtype_bytes(dtype);
            JUDO_TRY(judo_weight_source_send(source, param, 0, param->count, dtype, feed, out));
        }
    }
    return JUDO_OK;
}

judo_status judo_local_params_load(judo_local_params *params, const judo_weight_source *source)
{
    judo_device_feed feed;
    JUDO_TRY(judo_feed_open(params->device, &feed));
    judo_status status = load_units(params, source, &feed);
    judo_status closed = judo_feed_close(&feed);
    return status != JUDO_OK ? status : closed;
}

float *judo_local_params_weights(judo_local_params *params, int unit)
{
    return params->base.compute_dtype == JUDO_F32 ? params->weights[unit] : NULL;
}

float *judo_local_params_gradient(judo_local_params *params, int unit)
{
    return params->gradient[unit];
}

judo_status judo_local_params_zero_gradients(judo_local_params *params)
{
    const judo_param_layout *layout = params->base.layout;
    for (int u = 0; params->trainable && u < layout->num_units; u++) {
        int64_t bytes = layout->units[u].count * (int64_t)sizeof(float);
        JUDO_TRY(params->device->clear(params->gradient[u], bytes, NULL));
    }
    return JUDO_OK;
}
