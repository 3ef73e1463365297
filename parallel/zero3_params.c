/* parallel/zero3_params.c: the params contract: weights lent and fetched ahead. */
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

/* Fetches `next` and, as far as they are known, the units behind it. */
static judo_status fetch_ahead(judo_zero3 *zero3, int unit, int next)
{
    judo_zero3_order *order = &zero3->order;
    const int num_units = zero3->map.layout->num_units;
    if (order->follower != NULL) {
        if (order->unit >= 0 && order->next == unit) {
            order->follower[order->unit * num_units + unit] = next;
        }
        order->unit = next >= 0 ? unit : -1;
        order->next = next;
    }
    int depth = zero3->options.prefetch > 0 ? zero3->options.prefetch : 1;
    for (int i = 0; i < depth && next >= 0; i++) {
        JUDO_TRY(judo_zero3_arena_prefetch(zero3, next));
        int behind = order->follower ? order->follower[unit * num_units + next] : -1;
        unit = next;
        next = behind;
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
    JUDO_TRY(judo_zero3_refresh(zero3));
    JUDO_TRY(judo_zero3_arena_acquire(zero3, unit));
    if (next_unit >= 0 && !zero3->options.no_prefetch) {
        JUDO_TRY(check_unit(zero3, next_unit));
        JUDO_TRY(fetch_ahead(zero3, unit, next_unit));
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

static void zero3_poll(judo_params *params)
{
    judo_comm *exchange = self_of(params)->group_exchange;
    if (exchange != NULL) {
        judo_comm_poll(exchange);
    }
}

const judo_params_ops judo_zero3_params_ops = {
    .acquire = zero3_acquire,
    .release = zero3_release,
    .gradient_begin = judo_zero3_gradient_begin,
    .gradient_end = judo_zero3_gradient_end,
    .poll = zero3_poll,
};
