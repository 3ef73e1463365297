/* parallel/zero3_files.c: what a rank owns, as files see it: reading, visiting, and making
 * copies follow. */
#include "parallel/agree.h"
#include "parallel/zero3_state.h"

judo_zero3_owned judo_zero3_owned_part(judo_zero3 *zero3, int param)
{
    judo_shard_range range = judo_shard_owned(&zero3->map, param);
    int64_t moment = zero3->map.trainable_position[range.unit] + range.at;
    bool has_moments = !range.frozen && zero3->first_moment != NULL;
    return (judo_zero3_owned){.first = range.first,
                              .count = range.count,
                              .weights = judo_zero3_master_at(zero3, range.unit, range.at),
                              .first_moment = has_moments ? zero3->first_moment + moment : NULL,
                              .second_moment =
                                  has_moments ? zero3->second_moment + moment : NULL};
}

bool judo_zero3_owned_is_on_host(const judo_zero3 *zero3)
{
    return !zero3->device->separate || zero3->options.offload;
}

enum { BLOCK = 16384 }; /* elements that pass through the host at once */

/* Of weights that the host cannot read, or that exist in bf16 or in halves only. */
static judo_status visit_blocks(const judo_zero3 *zero3, int param, judo_zero3_visit visit,
                                void *context)
{
    float block[BLOCK];
    judo_shard_range range = judo_shard_owned(&zero3->map, param);
    for (int64_t at = 0; at < range.count; at += BLOCK) {
        int64_t part = range.count - at < BLOCK ? range.count - at : BLOCK;
        JUDO_TRY(judo_zero3_get_weights(zero3, param, at, part, block));
        JUDO_TRY(visit(context, param, range.first + at, part, block));
    }
    return JUDO_OK;
}

judo_status judo_zero3_for_each_owned(judo_zero3 *zero3, judo_zero3_visit visit, void *context)
{
    for (int p = 0; p < zero3->map.layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        if (part.weights == NULL || !judo_zero3_owned_is_on_host(zero3)) {
            JUDO_TRY(visit_blocks(zero3, p, visit, context));
        } else if (part.count > 0) {
            JUDO_TRY(visit(context, p, part.first, part.count, part.weights));
        }
    }
    return JUDO_OK;
}

static judo_status read_blocks(judo_zero3 *zero3, const judo_weight_source *source, int param,
                               const judo_shard_range *range)
{
    float block[BLOCK];
    for (int64_t at = 0; at < range->count; at += BLOCK) {
        int64_t part = range->count - at < BLOCK ? range->count - at : BLOCK;
        JUDO_TRY(judo_weight_source_read(source, &zero3->map.layout->params[param],
                                         range->first + at, part, JUDO_F32, block));
        JUDO_TRY(judo_zero3_put_weights(zero3, param, at, part, block));
    }
    return JUDO_OK;
}

static judo_status read_owned(judo_zero3 *zero3, const judo_weight_source *source)
{
    const judo_param_layout *layout = zero3->map.layout;
    for (int p = 0; p < layout->num_params; p++) {
        judo_shard_range range = judo_shard_owned(&zero3->map, p);
        if (range.count == 0) {
            continue;
        }
        float *master = judo_zero3_master_at(zero3, range.unit, range.at);
        void *out = master ? master : judo_zero3_compute_at(zero3, range.unit, range.at);
        judo_dtype dtype = master ? JUDO_F32 : zero3->base.compute_dtype;
        if (judo_zero3_owned_is_on_host(zero3) && !judo_zero3_is_split(zero3)) {
            JUDO_TRY(judo_weight_source_read(source, &layout->params[p], range.first,
                                             range.count, dtype, out));
        } else {
            JUDO_TRY(read_blocks(zero3, source, p, &range));
        }
    }
    return zero3->device->stream_finish(NULL);
}

judo_status judo_zero3_load(judo_zero3 *zero3, const judo_weight_source *source)
{
    JUDO_TRY(judo_zero3_weights_changed(zero3));
    return judo_agree(zero3->comm, read_owned(zero3, source));
}

/* Every rank of the replicas has read its part of `slice`. */
static judo_status share_slice(judo_zero3 *zero3, int unit, void *slice, int64_t element)
{
    int64_t bytes = judo_shard_part(&zero3->map, unit) * element;
    judo_comm *replicas =
        judo_zero3_owned_is_on_host(zero3) ? zero3->replica_comm : zero3->replica_exchange;
    return judo_comm_all_gather(replicas, (char *)slice + zero3->map.replica * bytes, bytes,
                                slice);
}

static judo_status share_unit(judo_zero3 *zero3, int unit)
{
    const int64_t f32 = sizeof(float);
    int64_t moment = zero3->map.trainable_position[unit];
    float *master = judo_zero3_master_at(zero3, unit, 0);
    if (master != NULL) {
        JUDO_TRY(share_slice(zero3, unit, master, f32));
    } else {
        JUDO_TRY(share_slice(zero3, unit, judo_zero3_compute_at(zero3, unit, 0),
                             judo_dtype_bytes(zero3->base.compute_dtype)));
    }
    if (judo_zero3_is_split(zero3)) {
        uint16_t *low = judo_zero3_low_at(zero3, unit, 0);
        JUDO_TRY(share_slice(zero3, unit, low, sizeof *low));
    }
    if (zero3->first_moment != NULL && moment >= 0) {
        JUDO_TRY(share_slice(zero3, unit, zero3->first_moment + moment, f32));
        JUDO_TRY(share_slice(zero3, unit, zero3->second_moment + moment, f32));
    }
    return JUDO_OK;
}

static judo_status round_unit(judo_zero3 *zero3, int unit)
{
    const int64_t count = zero3->map.slice[unit];
    judo_tensor rounded =
        judo_tensor_1d(judo_zero3_compute_at(zero3, unit, 0), zero3->base.compute_dtype, count);
    judo_tensor master = judo_tensor_1d(judo_zero3_master_at(zero3, unit, 0), JUDO_F32, count);
    return zero3->device->ops->convert(&rounded, &master);
}

judo_status judo_zero3_refresh(judo_zero3 *zero3)
{
    if (!zero3->stale) {
        return JUDO_OK;
    }
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        if (zero3->replica_comm != NULL) {
            JUDO_TRY(share_unit(zero3, u));
        }
        if (zero3->options.offload) {
            JUDO_TRY(judo_zero3_offload_refresh(zero3, u));
        } else if (zero3->master != NULL) {
            JUDO_TRY(round_unit(zero3, u));
        }
    }
    zero3->stale = false;
    return JUDO_OK;
}
