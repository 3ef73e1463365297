/* parallel/zero3_weights.c: the weights that a rank owns, as fp32 in host memory, however and
 * wherever they are kept. */
#include "parallel/zero3_state.h"
#include "runtime/ops/split_weight.h"

enum { BLOCK = 16384 }; /* elements that pass through the host at once */

/* Elements of a unit that this rank stores. */
typedef struct block {
    int unit;
    int64_t at, count;
} block;

static judo_status get_halves(const judo_zero3 *zero3, const block *b, float *out)
{
    uint16_t high[BLOCK];
    uint16_t low[BLOCK];
    const judo_device *device = zero3->device;
    const int64_t bytes = b->count * (int64_t)sizeof *low;
    JUDO_TRY(device->copy(high, judo_zero3_compute_at(zero3, b->unit, b->at), bytes, NULL));
    JUDO_TRY(device->copy(low, judo_zero3_low_at(zero3, b->unit, b->at), bytes, NULL));
    JUDO_TRY(device->stream_finish(NULL));
    for (int64_t i = 0; i < b->count; i++) {
        out[i] = judo_weight_join(high[i], low[i]);
    }
    return JUDO_OK;
}

/* A copy from the host's memory has taken it when it returns. */
static judo_status put_halves(const judo_zero3 *zero3, const block *b, const float *values)
{
    uint16_t high[BLOCK];
    uint16_t low[BLOCK];
    const judo_device *device = zero3->device;
    const int64_t bytes = b->count * (int64_t)sizeof *low;
    for (int64_t i = 0; i < b->count; i++) {
        judo_split_weight halves = judo_weight_split(values[i]);
        high[i] = halves.high;
        low[i] = halves.low;
    }
    JUDO_TRY(device->copy(judo_zero3_compute_at(zero3, b->unit, b->at), high, bytes, NULL));
    return device->copy(judo_zero3_low_at(zero3, b->unit, b->at), low, bytes, NULL);
}

static judo_status get_whole(const judo_zero3 *zero3, const block *b, float *out)
{
    float raw[BLOCK];
    const float *master = judo_zero3_master_at(zero3, b->unit, b->at);
    const judo_dtype dtype = master ? JUDO_F32 : zero3->base.compute_dtype;
    const void *there = master ? master : judo_zero3_compute_at(zero3, b->unit, b->at);
    JUDO_TRY(zero3->device->copy(raw, there, b->count * judo_dtype_bytes(dtype), NULL));
    JUDO_TRY(zero3->device->stream_finish(NULL));
    judo_convert_to_f32(out, raw, dtype, b->count);
    return JUDO_OK;
}

static judo_status put_whole(const judo_zero3 *zero3, const block *b, const float *values)
{
    uint16_t rounded[BLOCK];
    float *master = judo_zero3_master_at(zero3, b->unit, b->at);
    if (master != NULL) {
        return zero3->device->copy(master, values, b->count * (int64_t)sizeof *values, NULL);
    }
    const judo_dtype dtype = zero3->base.compute_dtype;
    judo_convert_from_f32(rounded, dtype, values, b->count);
    return zero3->device->copy(judo_zero3_compute_at(zero3, b->unit, b->at), rounded,
                               b->count * judo_dtype_bytes(dtype), NULL);
}

/* Elements of a parameter's owned part from `at` on, no more than are left. */
static block next_block(const judo_zero3 *zero3, int param, int64_t at, int64_t left)
{
    judo_shard_range range = judo_shard_owned(&zero3->map, param);
    return (block){
        .unit = range.unit, .at = range.at + at, .count = left < BLOCK ? left : BLOCK};
}

judo_status judo_zero3_get_weights(const judo_zero3 *zero3, int param, int64_t at,
                                   int64_t count, float *out)
{
    const bool split = judo_zero3_is_split(zero3);
    for (int64_t done = 0; done < count; done += BLOCK) {
        const block b = next_block(zero3, param, at + done, count - done);
        JUDO_TRY(split ? get_halves(zero3, &b, out + done) : get_whole(zero3, &b, out + done));
    }
    return JUDO_OK;
}

judo_status judo_zero3_put_weights(judo_zero3 *zero3, int param, int64_t at, int64_t count,
                                   const float *values)
{
    const bool split = judo_zero3_is_split(zero3);
    for (int64_t done = 0; done < count; done += BLOCK) {
        const block b = next_block(zero3, param, at + done, count - done);
        JUDO_TRY(split ? put_halves(zero3, &b, values + done)
                       : put_whole(zero3, &b, values + done));
    }
    return JUDO_OK;
}

bool judo_zero3_is_split(const judo_zero3 *zero3)
{
    return zero3->low != NULL;
}
