/* parallel/zero3_memory.c: the arrays of a rank, and where in them things lie. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/zero3_state.h"

enum { REASON_BYTES = 256 };

void *judo_zero3_compute_at(const judo_zero3 *zero3, int unit, int64_t at)
{
    return (char *)zero3->compute +
           (zero3->places.own[unit] + at) * judo_dtype_bytes(zero3->base.compute_dtype);
}

float *judo_zero3_master_at(const judo_zero3 *zero3, int unit, int64_t at)
{
    if (zero3->master != NULL) {
        return zero3->master + zero3->map.position[unit] + at;
    }
    return zero3->base.compute_dtype == JUDO_F32 ? judo_zero3_compute_at(zero3, unit, at)
                                                 : NULL;
}

uint16_t *judo_zero3_low_at(const judo_zero3 *zero3, int unit, int64_t at)
{
    return zero3->low + zero3->map.position[unit] + at;
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

typedef judo_status (*allocator)(void **memory, int64_t bytes);

/* Touches every page now: what the plan promised is taken before the first step. */
static void *take(const judo_device *device, allocator allocate, int64_t bytes,
                  const char *purpose, judo_status *status)
{
    char reason[REASON_BYTES];
    void *memory = NULL;
    if (bytes == 0 || *status != JUDO_OK) {
        return NULL;
    }
    *status = allocate(&memory, bytes); /* slices are whole cache lines */
    if (*status != JUDO_OK) {
        (void)snprintf(reason, sizeof reason, "%s", judo_error_message());
        *status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s: %lld bytes (%s)", purpose,
                            (long long)bytes, reason);
        return NULL;
    }
    if (allocate == device->allocate) {
        *status = device->clear(memory, bytes, NULL);
    } else {
        memset(memory, 0, (size_t)bytes);
    }
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
    const judo_device *device = self->device;
    const allocator here = device->allocate;
    const allocator state = self->options.offload ? device->allocate_staging : here;
    const bool has_master = judo_zero3_has_master(&self->options);
    const bool has_halves = judo_zero3_has_halves(&self->options);
    judo_status status = JUDO_OK;
    self->compute =
        take(device, here, (bytes.compute > 0 ? bytes.compute : bytes.weights) + bytes.gathered,
             "the weights", &status);
    self->master =
        take(device, state, has_master ? bytes.weights : 0, "the master weights", &status);
    self->low = take(device, here, has_halves ? bytes.weights : 0,
                     "the lower halves of the master weights", &status);
    self->gradients = take(device, here, bytes.gradients, "the gradients", &status);
    self->first_moment =
        take(device, state, bytes.moments / 2, "the optimizer's first moment", &status);
    self->second_moment =
        take(device, state, bytes.moments / 2, "the optimizer's second moment", &status);
    self->gradient_room = (judo_zero3_gradient_room){
        .buffer = take(device, here, bytes.gradient_buffer, "a unit's gradient", &status),
        .count = bytes.gradient_buffer / (int64_t)sizeof(float),
        .lent_unit = -1};
    self->allocated = bytes;
    JUDO_TRY(status);
    JUDO_TRY(judo_zero3_tree_create(self));
    JUDO_TRY(judo_zero3_runs_create(self));
    JUDO_TRY(judo_zero3_offload_create(self));
    return device->stream_finish(NULL);
}

void judo_zero3_memory_destroy(judo_zero3 *self)
{
    judo_zero3_places_destroy(&self->places);
    judo_zero3_tree_destroy(&self->tree);
    judo_zero3_runs_destroy(&self->runs);
    free(self->order.follower);
    free(self->gathered);
    free(self->gradient_states);
    const judo_device *device = self->device;
    void (*const release_state)(void *) =
        self->options.offload ? device->release_staging : device->release;
    judo_zero3_offload_destroy(self);
    release_state(self->master);
    release_state(self->first_moment);
    release_state(self->second_moment);
    device->release(self->compute);
    device->release(self->low);
    device->release(self->gradients);
    device->release(self->gradient_room.buffer);
}
