/* parallel/zero3_gradient.c: gradients from the model's hands into the sum over ranks. */
#include <string.h>

#include "parallel/zero3_state.h"

static bool is_whole(const judo_zero3 *zero3)
{
    return judo_zero3_gradients_are_whole(&zero3->options, zero3->map.size);
}

static bool is_lent(const judo_zero3 *zero3)
{
    return judo_zero3_gradients_are_lent(&zero3->options, zero3->map.size);
}

static bool is_rounded(const judo_zero3 *zero3)
{
    return zero3->options.gradient_storage != JUDO_F32;
}

/* All that is kept of the unit's gradient: the slice, or the slices of the whole group. */
static judo_tensor kept(const judo_zero3 *zero3, int unit)
{
    const judo_shard_map *map = &zero3->map;
    const int64_t slice = map->slice[unit];
    return is_whole(zero3) ? judo_zero3_gradient_part(zero3, unit, -map->rank * slice,
                                                      judo_shard_padded_count(map, unit))
                           : judo_zero3_gradient_part(zero3, unit, 0, slice);
}

static judo_status clear(const judo_zero3 *zero3, void *from, const void *to)
{
    return zero3->device->clear(from, (const char *)to - (char *)from, NULL);
}

/* Micro-batches may go on behind a norm: what is summed already counts on its owner only. */
static judo_status prepare_to_add(judo_zero3 *zero3, int unit)
{
    if (zero3->gradient_states[unit] == JUDO_GRADIENT_REDUCED) {
        const judo_tensor all = kept(zero3, unit);
        const int64_t part = judo_shard_part(&zero3->map, unit);
        const int64_t owned = zero3->map.replica * part;
        const char *end =
            (char *)all.data + judo_tensor_count(&all) * judo_dtype_bytes(all.dtype);
        JUDO_TRY(clear(zero3, all.data, judo_zero3_gradient_at(zero3, unit, owned)));
        JUDO_TRY(clear(zero3, judo_zero3_gradient_at(zero3, unit, owned + part), end));
    }
    zero3->gradient_states[unit] = JUDO_GRADIENT_LOCAL;
    return JUDO_OK;
}

/* To all that is kept of the unit. */
static judo_status add_rounded(judo_zero3 *zero3, int unit, float *values)
{
    judo_tensor sums = kept(zero3, unit);
    const judo_tensor added = judo_tensor_1d(values, JUDO_F32, judo_tensor_count(&sums));
    return zero3->device->ops->add_rounded(&sums, &added);
}

static judo_status finish_sum(judo_zero3 *zero3)
{
    judo_zero3_gradient_room *room = &zero3->gradient_room;
    const int unit = room->summed_unit;
    const bool arrives = room->summed_count > 0 && is_rounded(zero3);
    if (zero3->group_exchange != NULL) {
        JUDO_TRY(judo_comm_reduce_scatter_finish(zero3->group_exchange));
    }
    room->summed_count = 0;
    if (arrives) {
        float *slice = room->buffer + room->summed_first;
        JUDO_TRY(add_rounded(zero3, unit, slice + zero3->map.rank * zero3->map.slice[unit]));
    }
    return judo_zero3_tree_take(zero3);
}

/* Room beside the gradient that is being summed, at one end of the buffer or the other. */
static judo_status find_room(judo_zero3 *zero3, int64_t count)
{
    judo_zero3_gradient_room *room = &zero3->gradient_room;
    int64_t summed_end = room->summed_first + room->summed_count;
    if (room->summed_count == 0 || count <= room->summed_first) {
        room->lent_first = 0;
    } else if (room->count - count >= summed_end) {
        room->lent_first = room->count - count;
    } else {
        JUDO_TRY(finish_sum(zero3));
        room->lent_first = 0;
    }
    return JUDO_OK;
}

judo_status judo_zero3_gradient_begin(judo_params *params, int unit, judo_tensor *gradient)
{
    judo_zero3 *zero3 = (judo_zero3 *)params;
    judo_zero3_gradient_room *room = &zero3->gradient_room;
    const judo_unit *units = zero3->map.layout->units;
    if (unit < 0 || unit >= zero3->map.layout->num_units) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient asked of parameter unit %d", unit);
    }
    if (zero3->gradients == NULL || zero3->map.trainable_position[unit] < 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient asked of the frozen unit %s",
                         units[unit].name);
    }
    if (room->lent_unit >= 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient of unit %s begun within that of %s",
                         units[unit].name, units[room->lent_unit].name);
    }
    void *buffer = kept(zero3, unit).data;
    if (!is_lent(zero3)) {
        int64_t count = judo_shard_padded_count(&zero3->map, unit);
        JUDO_TRY(find_room(zero3, count));
        buffer = room->buffer + room->lent_first;
        JUDO_TRY(zero3->device->clear(buffer, count * (int64_t)sizeof(float), NULL));
    }
    JUDO_TRY(prepare_to_add(zero3, unit));
    room->lent_unit = unit;
    *gradient = judo_tensor_1d(buffer, JUDO_F32, units[unit].count);
    return JUDO_OK;
}

judo_status judo_zero3_gradient_end(judo_params *params, int unit)
{
    judo_zero3 *zero3 = (judo_zero3 *)params;
    judo_zero3_gradient_room *room = &zero3->gradient_room;
    if (unit < 0 || room->lent_unit != unit) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "gradient of unit %d ended but not begun", unit);
    }
    room->lent_unit = -1;
    if (is_lent(zero3)) {
        return JUDO_OK; /* what was added to is the sum over micro-batches */
    }
    float *values = room->buffer + room->lent_first;
    if (is_whole(zero3)) {
        return add_rounded(zero3, unit, values);
    }
    const int64_t slice = zero3->map.slice[unit];
    judo_reduction reduction = {.shard = judo_zero3_gradient_at(zero3, unit, 0),
                                .values = values,
                                .slice = slice,
                                .wire = zero3->options.gradient_dtype,
                                .add = true};
    if (is_rounded(zero3)) { /* once the sum is there */
        JUDO_TRY(finish_sum(zero3));
        reduction.shard = values + zero3->map.rank * slice;
        reduction.add = false;
    }
    if (zero3->tree.num_levels > 0) {
        JUDO_TRY(finish_sum(zero3));
        JUDO_TRY(judo_zero3_tree_sum(zero3, unit, reduction.values));
    } else {
        judo_comm_set_unit(zero3->group_exchange, zero3->map.layout->units[unit].name);
        JUDO_TRY(judo_comm_reduce_scatter_start(zero3->group_exchange, &reduction));
    }
    room->summed_unit = unit;
    room->summed_first = room->lent_first;
    room->summed_count = judo_shard_padded_count(&zero3->map, unit);
    return zero3->options.no_overlap ? finish_sum(zero3) : JUDO_OK;
}

/* Over `comm`, in place: slice `comm->rank` of `values` becomes the sum of all ranks'. */
static judo_status reduce_in_place(const judo_zero3 *zero3, judo_comm *comm, float *values,
                                   int64_t slice)
{
    judo_reduction reduction = {.shard = values + comm->rank * slice,
                                .values = values,
                                .slice = slice,
                                .wire = zero3->options.gradient_dtype};
    return judo_comm_reduce_scatter(comm, &reduction);
}

/* All that the group keeps of a unit's gradient, and its slice in that, to what is owned. */
static judo_status reduce_unit(const judo_zero3 *zero3, int unit, float *all, float *slice)
{
    const judo_shard_map *map = &zero3->map;
    const char *name = map->layout->units[unit].name;
    if (is_whole(zero3) && map->size > 1) {
        judo_comm_set_unit(zero3->group_exchange, name);
        JUDO_TRY(reduce_in_place(zero3, zero3->group_exchange, all, map->slice[unit]));
    }
    if (zero3->replica_comm != NULL) {
        judo_comm_set_unit(zero3->replica_exchange, name);
        JUDO_TRY(
            reduce_in_place(zero3, zero3->replica_exchange, slice, judo_shard_part(map, unit)));
    }
    return JUDO_OK;
}

/* The same by way of fp32 in the buffer: rounded once for both sums. */
static judo_status reduce_rounded(const judo_zero3 *zero3, int unit)
{
    const judo_shard_map *map = &zero3->map;
    const judo_tensor sums = kept(zero3, unit);
    const int64_t part = judo_shard_part(map, unit);
    if (map->size * map->num_replicas == 1 || (!is_whole(zero3) && !zero3->replica_comm)) {
        return JUDO_OK;
    }
    float *all = zero3->gradient_room.buffer;
    float *slice = all + (is_whole(zero3) ? map->rank * map->slice[unit] : 0);
    judo_tensor wide = judo_tensor_1d(all, JUDO_F32, judo_tensor_count(&sums));
    JUDO_TRY(zero3->device->ops->convert(&wide, &sums));
    JUDO_TRY(reduce_unit(zero3, unit, all, slice));
    judo_tensor owned = judo_zero3_gradient_part(zero3, unit, map->replica * part, part);
    const judo_tensor sum = judo_tensor_1d(slice + map->replica * part, JUDO_F32, part);
    return zero3->device->ops->convert(&owned, &sum);
}

judo_status judo_zero3_gradients_reduce(judo_zero3 *zero3)
{
    JUDO_TRY(finish_sum(zero3));
    judo_zero3_tree_collect(zero3);
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        if (zero3->gradient_states[u] != JUDO_GRADIENT_LOCAL) {
            continue;
        }
        JUDO_TRY(is_rounded(zero3) ? reduce_rounded(zero3, u)
                                   : reduce_unit(zero3, u, kept(zero3, u).data,
                                                 judo_zero3_gradient_at(zero3, u, 0)));
        zero3->gradient_states[u] = JUDO_GRADIENT_REDUCED;
    }
    return JUDO_OK;
}

judo_status judo_zero3_gradients_share(judo_zero3 *zero3)
{
    for (int u = 0; zero3->replica_comm != NULL && u < zero3->map.layout->num_units; u++) {
        if (zero3->gradient_states[u] == JUDO_GRADIENT_REDUCED) {
            int64_t part = judo_shard_part(&zero3->map, u);
            JUDO_TRY(judo_comm_all_gather(
                zero3->replica_exchange,
                judo_zero3_gradient_at(zero3, u, part * zero3->map.replica),
                part * judo_dtype_bytes(zero3->options.gradient_storage),
                judo_zero3_gradient_at(zero3, u, 0)));
        }
    }
    return JUDO_OK;
}

judo_status judo_zero3_zero_gradients(judo_zero3 *zero3)
{
    zero3->gradient_room.lent_unit = -1;
    if (zero3->gradients == NULL) {
        return JUDO_OK;
    }
    JUDO_TRY(finish_sum(zero3));
    judo_zero3_tree_forget(zero3);
    JUDO_TRY(zero3->device->clear(zero3->gradients, zero3->allocated.gradients, NULL));
    memset(zero3->gradient_states, 0,
           (size_t)zero3->map.layout->num_units * sizeof *zero3->gradient_states);
    return JUDO_OK;
}
