/* parallel/zero3_memory.c: the arrays of a rank, and where in them things lie. */
#include <stdlib.h>
#include <string.h>

#include "parallel/zero3_state.h"
#include "runtime/memory.h"

void *judo_zero3_compute_at(const judo_zero3 *zero3, int unit, int64_t at)
{
    return (char *)zero3->compute +
           (zero3->places.own[unit] + at) * judo_dtype_bytes(zero3->base.compute_dtype);
}

float *judo_zero3_master_at(const judo_zero3 *zero3, int unit, int64_t at)
{
    if (zero3->base.compute_dtype == JUDO_F32) {
        return judo_zero3_compute_at(zero3, unit, at);
    }
    return zero3->master ? zero3->master + zero3->map.position[unit] + at : NULL;
}

float *judo_zero3_gradient_at(const judo_zero3 *zero3, int unit, int64_t at)
{
    const judo_shard_map *map = &zero3->map;
    float *shard = zero3->gradients + map->trainable_position[unit] + at;
    if (judo_zero3_gradients_are_whole(&zero3->options, map->size)) {
        shard += map->trainable_position[unit] * (map->size - 1) + map->rank * map->slice[unit];
    }
    return shard;
}

void *judo_zero3_gathered_at(const judo_zero3 *zero3, int unit)
{
    return (char *)zero3->compute +
           zero3->gathered[unit].offset * judo_dtype_bytes(zero3->base.compute_dtype);
}

/* Touches every page now: what the plan promised is taken before the first step. */
static void *take(int64_t bytes, const char *purpose, judo_status *status)
{
    if (bytes == 0 || *status != JUDO_OK) {
        return NULL;
    }
    void *memory = judo_memory_take((size_t)bytes); /* slices are whole cache lines */
    if (memory == NULL) {
        *status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s: %lld bytes", purpose,
                            (long long)bytes);
        return NULL;
    }
    memset(memory, 0, (size_t)bytes);
    return memory;
}

static judo_status take_tables(judo_zero3 *self)
{
    size_t units = (size_t)self->map.layout->num_units;
    self->gathered = calloc(units + 1, sizeof *self->gathered);
    self->gradient_states = calloc(units + 1, sizeof *self->gradient_states);
    bool learns = self->options.prefetch > 1;
    if (learns) {
        self->order.follower = malloc((units * units + 1) * sizeof *self->order.follower);
    }
    if (!self->gathered || !self->gradient_states || (learns && !self->order.follower)) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %zu units", units);
    }
    for (size_t i = 0; learns && i < units * units; i++) {
        self->order.follower[i] = -1;
    }
    self->order.unit = self->order.next = -1;
    return JUDO_OK;
}

judo_status judo_zero3_memory_create(judo_zero3 *self)
{
    JUDO_TRY(judo_zero3_places_create(&self->map, &self->options, &self->places));
    JUDO_TRY(take_tables(self));
    const judo_zero3_bytes bytes =
        judo_zero3_bytes_of(&self->map, &self->places, &self->options);
    const bool is_f32 = self->base.compute_dtype == JUDO_F32;
    judo_status status = JUDO_OK;
    self->compute =
        take((is_f32 ? bytes.weights : bytes.compute) + bytes.gathered, "the weights", &status);
    self->master = is_f32 ? NULL : take(bytes.weights, "the master weights", &status);
    self->gradients = take(bytes.gradients, "the gradients", &status);
    self->first_moment = take(bytes.moments / 2, "the optimizer's first moment", &status);
    self->second_moment = take(bytes.moments / 2, "the optimizer's second moment", &status);
    self->gradient_room = (judo_zero3_gradient_room){
        .buffer = take(bytes.gradient_buffer, "a unit's gradient", &status),
        .count = bytes.gradient_buffer / (int64_t)sizeof(float),
        .lent_unit = -1};
    self->allocated = bytes;
    JUDO_TRY(status);
    return judo_zero3_tree_create(self);
}

void judo_zero3_memory_destroy(judo_zero3 *self)
{
    judo_zero3_places_destroy(&self->places);
    judo_zero3_tree_destroy(&self->tree);
    free(self->order.follower);
    free(self->gathered);
    free(self->gradient_states);
    free(self->compute);
    free(self->master);
    free(self->gradients);
    free(self->first_moment);
    free(self->second_moment);
    free(self->gradient_room.buffer);
}
