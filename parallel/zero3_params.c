/* parallel/zero3_params.c: the params contract, and whole copies for generation. */
#include <string.h>

#include "parallel/agree.h"
#include "parallel/zero3_state.h"

static judo_zero3 *self_of(judo_params *params)
{
    return (judo_zero3 *)params;
}

static judo_status check_unit(const judo_zero3 *zero3, int unit)
{
    if (unit < 0 || unit >= zero3->map.layout->num_units) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "parameter unit %d of %d", unit,
                         zero3->map.layout->num_units);
    }
    return JUDO_OK;
}

static judo_status zero3_acquire(judo_params *params, int unit, int next_unit,
                                 judo_tensor *weights)
{
    judo_zero3 *zero3 = self_of(params);
    JUDO_TRY(check_unit(zero3, unit));
    const judo_unit *described = &zero3->map.layout->units[unit];
    if (zero3->gathered[unit].state == JUDO_GATHER_HELD) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "unit %s acquired twice at once",
                         described->name);
    }
    judo_zero3_refresh(zero3);
    if (zero3->map.size == 1) {
        zero3->gathered[unit].state = JUDO_GATHER_HELD;
        *weights = judo_tensor_1d(judo_zero3_compute_at(zero3, zero3->map.position[unit]),
                                  params->compute_dtype, described->count);
        return JUDO_OK;
    }
    JUDO_TRY(judo_zero3_arena_acquire(zero3, unit));
    if (next_unit >= 0 && !zero3->options.no_prefetch) {
        JUDO_TRY(check_unit(zero3, next_unit));
        JUDO_TRY(judo_zero3_arena_prefetch(zero3, next_unit));
    }
    *weights = judo_tensor_1d(judo_zero3_gathered_at(zero3, unit), params->compute_dtype,
                              described->count);
    return JUDO_OK;
}

static judo_status zero3_release(judo_params *params, int unit)
{
    judo_zero3 *zero3 = self_of(params);
    JUDO_TRY(check_unit(zero3, unit));
    if (zero3->gathered[unit].state != JUDO_GATHER_HELD) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "unit %s released but not held",
                         zero3->map.layout->units[unit].name);
    }
    zero3->gathered[unit].state = JUDO_GATHER_CACHED;
    return JUDO_OK;
}

static judo_status zero3_gradient_begin(judo_params *params, int unit, judo_tensor *gradient)
{
    judo_zero3 *zero3 = self_of(params);
    JUDO_TRY(check_unit(zero3, unit));
    const judo_unit *described = &zero3->map.layout->units[unit];
    if (zero3->gradients == NULL || zero3->map.trainable_position[unit] < 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient asked of the frozen unit %s",
                         described->name);
    }
    if (zero3->gradient_unit >= 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient of unit %s begun within that of %s",
                         described->name, zero3->map.layout->units[zero3->gradient_unit].name);
    }
    /* On one rank the sum over micro-batches is the shard itself: adding to it is the
     * reduction. */
    float *buffer = zero3->gradients + zero3->map.trainable_position[unit];
    if (zero3->map.size > 1) {
        buffer = zero3->gradient_buffer;
        memset(buffer, 0, (size_t)judo_shard_padded_count(&zero3->map, unit) * sizeof(float));
    }
    zero3->gradient_unit = unit;
    *gradient = judo_tensor_1d(buffer, JUDO_F32, described->count);
    return JUDO_OK;
}

static judo_status zero3_gradient_end(judo_params *params, int unit)
{
    judo_zero3 *zero3 = self_of(params);
    if (unit < 0 || zero3->gradient_unit != unit) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient of unit %d ended but not begun", unit);
    }
    zero3->gradient_unit = -1;
    if (zero3->map.size == 1) {
        return JUDO_OK;
    }
    judo_reduction reduction = {.shard = zero3->gradients + zero3->map.trainable_position[unit],
                                .values = zero3->gradient_buffer,
                                .slice = zero3->map.slice[unit],
                                .wire = zero3->options.gradient_dtype,
                                .add = true};
    return judo_comm_reduce_scatter(zero3->comm, &reduction);
}

static void zero3_poll(judo_params *params)
{
    judo_comm_poll(self_of(params)->comm);
}

const judo_params_ops judo_zero3_params_ops = {
    .acquire = zero3_acquire,
    .release = zero3_release,
    .gradient_begin = zero3_gradient_begin,
    .gradient_end = zero3_gradient_end,
    .poll = zero3_poll,
};

static judo_status copy_units(judo_zero3 *zero3)
{
    const judo_param_layout *layout = zero3->map.layout;
    judo_params *resident = judo_local_params_base(zero3->resident);
    for (int u = 0; u < layout->num_units; u++) {
        judo_tensor weights;
        judo_tensor copy;
        int next = u + 1 < layout->num_units ? u + 1 : -1;
        JUDO_TRY(resident->ops->acquire(resident, u, -1, &copy));
        JUDO_TRY(zero3_acquire(&zero3->base, u, next, &weights));
        memcpy(copy.data, weights.data,
               (size_t)(weights.dims[0] * judo_dtype_bytes(weights.dtype)));
        JUDO_TRY(zero3_release(&zero3->base, u));
    }
    return JUDO_OK;
}

judo_status judo_zero3_gather_resident(judo_zero3 *zero3, judo_params **resident)
{
    if (zero3->map.size == 1) {
        *resident = &zero3->base;
        return JUDO_OK;
    }
    judo_status status = JUDO_OK;
    if (zero3->resident == NULL) {
        status = judo_local_params_create(zero3->map.layout, zero3->base.compute_dtype, false,
                                          &zero3->resident);
    }
    JUDO_TRY(judo_agree(zero3->comm, status));
    JUDO_TRY(copy_units(zero3));
    *resident = judo_local_params_base(zero3->resident);
    return JUDO_OK;
}

int64_t judo_zero3_resident_bytes(const judo_param_layout *layout, int num_ranks,
                                  const judo_zero3_options *options)
{
    return num_ranks > 1 ? judo_local_params_bytes(layout, options->compute_dtype, false) : 0;
}

void judo_zero3_release_resident(judo_zero3 *zero3)
{
    judo_local_params_destroy(&zero3->resident);
}
