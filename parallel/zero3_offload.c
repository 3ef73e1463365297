/* parallel/zero3_offload.c: fp32 weights and moments in host memory, updated by the CPU while
 * gradients come from the device and weights go back. */
#include <stdlib.h>

#include "parallel/zero3_state.h"

static int64_t rounded_bytes(const judo_zero3_options *options)
{
    return options->compute_dtype == JUDO_F32 ? 0 : JUDO_OFFLOAD_BLOCK * 2;
}

int64_t judo_zero3_offload_bytes(const judo_zero3_options *options)
{
    return 2 * (JUDO_OFFLOAD_BLOCK * (int64_t)sizeof(float) + rounded_bytes(options));
}

judo_status judo_zero3_offload_create(judo_zero3 *zero3)
{
    const judo_device *device = zero3->device;
    judo_zero3_offload *own = &zero3->offload;
    for (int i = 0; zero3->options.offload && i < 2; i++) {
        void *gradient = NULL;
        void *rounded = NULL;
        JUDO_TRY(
            device->allocate_staging(&gradient, JUDO_OFFLOAD_BLOCK * (int64_t)sizeof(float)));
        own->gradient[i] = gradient;
        JUDO_TRY(device->allocate_staging(&rounded, rounded_bytes(&zero3->options)));
        own->rounded[i] = rounded;
        JUDO_TRY(device->stream_create(&own->queue[i]));
    }
    return JUDO_OK;
}

void judo_zero3_offload_destroy(judo_zero3 *zero3)
{
    const judo_device *device = zero3->device;
    judo_zero3_offload *own = &zero3->offload;
    for (int i = 0; i < 2; i++) {
        if (own->queue[i] != NULL) {
            device->stream_destroy(own->queue[i]);
        }
        device->release_staging(own->gradient[i]);
        device->release_staging(own->rounded[i]);
    }
}

/* At most JUDO_OFFLOAD_BLOCK elements of what a rank stores of a parameter. */
typedef struct block {
    int param; /* num_params: none is left */
    judo_shard_range range;
    int64_t at, count;
} block;

static block next_block(const judo_zero3 *zero3, block before)
{
    block next = before;
    next.at = before.at + before.count;
    while (next.param < zero3->map.layout->num_params &&
           (next.at >= next.range.count || next.range.frozen)) {
        next.at = 0;
        next.param++;
        if (next.param < zero3->map.layout->num_params) {
            next.range = judo_shard_stored(&zero3->map, next.param);
        }
    }
    int64_t left = next.range.count - next.at;
    next.count = left < JUDO_OFFLOAD_BLOCK ? left : JUDO_OFFLOAD_BLOCK;
    return next;
}

static bool is_there(const judo_zero3 *zero3, const block *b)
{
    return b->param < zero3->map.layout->num_params;
}

static judo_status fetch_gradient(judo_zero3 *zero3, const block *b, int turn)
{
    if (!is_there(zero3, b)) {
        return JUDO_OK;
    }
    return zero3->device->copy(
        zero3->offload.gradient[turn],
        judo_zero3_gradient_at(zero3, b->range.unit, b->range.at + b->at),
        b->count * (int64_t)sizeof(float), zero3->offload.queue[turn]);
}

static judo_status update_block(judo_zero3 *zero3, const block *b, int turn,
                                const judo_adamw *options)
{
    const judo_zero3_offload *own = &zero3->offload;
    const int unit = b->range.unit;
    const int64_t place = b->range.at + b->at;
    const int64_t moment = zero3->map.trainable_position[unit] + place;
    const bool is_f32 = zero3->base.compute_dtype == JUDO_F32;
    float *master = judo_zero3_master_at(zero3, unit, place);
    const judo_adamw adamw = judo_zero3_adamw_of(zero3, options, b->param);
    JUDO_TRY(zero3->device->stream_finish(own->queue[turn]));
    JUDO_TRY(judo_ops_cpu()->adamw(
        master, zero3->first_moment + moment, zero3->second_moment + moment,
        is_f32 ? NULL : own->rounded[turn], own->gradient[turn], b->count, &adamw));
    return zero3->device->copy(judo_zero3_compute_at(zero3, unit, place),
                               is_f32 ? (const void *)master : own->rounded[turn],
                               b->count * judo_dtype_bytes(zero3->base.compute_dtype),
                               own->queue[turn]);
}

judo_status judo_zero3_offload_update(judo_zero3 *zero3, const judo_adamw *options)
{
    const block before = {.param = -1};
    block own = next_block(zero3, before);
    int turn = 0;
    JUDO_TRY(zero3->device->stream_finish(NULL)); /* gradients are final */
    JUDO_TRY(fetch_gradient(zero3, &own, turn));
    while (is_there(zero3, &own)) {
        block next = next_block(zero3, own);
        JUDO_TRY(fetch_gradient(zero3, &next, 1 - turn));
        JUDO_TRY(update_block(zero3, &own, turn, options));
        own = next;
        turn = 1 - turn;
    }
    JUDO_TRY(zero3->device->stream_finish(zero3->offload.queue[0]));
    return zero3->device->stream_finish(zero3->offload.queue[1]);
}

judo_status judo_zero3_offload_refresh(judo_zero3 *zero3, int unit)
{
    enum { BLOCK = 16384 };

    uint16_t rounded[BLOCK];
    const judo_dtype dtype = zero3->base.compute_dtype;
    const int64_t count = zero3->map.slice[unit];
    if (dtype == JUDO_F32) {
        return zero3->device->copy(judo_zero3_compute_at(zero3, unit, 0),
                                   judo_zero3_master_at(zero3, unit, 0),
                                   count * (int64_t)sizeof(float), NULL);
    }
    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t part = count - at < BLOCK ? count - at : BLOCK;
        judo_convert_from_f32(rounded, dtype, judo_zero3_master_at(zero3, unit, at), part);
        JUDO_TRY(zero3->device->copy(judo_zero3_compute_at(zero3, unit, at), rounded,
                                     part * judo_dtype_bytes(dtype), NULL));
    }
    return JUDO_OK;
}
