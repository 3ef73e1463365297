/* parallel/zero3_resident.c: all weights at once, for generation. */
#include "parallel/agree.h"
#include "parallel/zero3_state.h"

/* Gathers every unit in turn; copies them where they cannot stay. */
static judo_status visit_units(judo_zero3 *zero3, judo_params *copies)
{
    judo_params *params = &zero3->base;
    const judo_param_layout *layout = zero3->map.layout;
    for (int u = 0; u < layout->num_units; u++) {
        judo_tensor weights;
        judo_tensor copy;
        int next = u + 1 < layout->num_units ? u + 1 : -1;
        JUDO_TRY(params->ops->acquire(params, u, next, &weights));
        if (copies != NULL) {
            JUDO_TRY(copies->ops->acquire(copies, u, -1, &copy));
            JUDO_TRY(zero3->device->copy(copy.data, weights.data,
                                         weights.dims[0] * judo_dtype_bytes(weights.dtype),
                                         NULL));
        }
        JUDO_TRY(params->ops->release(params, u));
    }
    return JUDO_OK;
}

judo_status judo_zero3_gather_resident(judo_zero3 *zero3, judo_params **resident)
{
    if (zero3->places.room_count == 0) { /* every unit is whole */
        JUDO_TRY(visit_units(zero3, NULL));
        *resident = &zero3->base;
        return JUDO_OK;
    }
    judo_status status = JUDO_OK;
    if (zero3->resident == NULL) {
        status = judo_local_params_create(zero3->map.layout, zero3->device,
                                          zero3->base.compute_dtype, false, &zero3->resident);
    }
    JUDO_TRY(judo_agree(zero3->comm, status));
    judo_params *copies = judo_local_params_base(zero3->resident);
    JUDO_TRY(visit_units(zero3, copies));
    *resident = copies;
    return JUDO_OK;
}

void judo_zero3_release_resident(judo_zero3 *zero3)
{
    judo_local_params_destroy(&zero3->resident);
}
