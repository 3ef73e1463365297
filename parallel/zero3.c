/* parallel/zero3.c: planning, creation, loading and views of sharded parameters. */
#include "parallel/zero3.h"

#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/zero3_state.h"

static judo_zero3_bytes plan_of(const judo_shard_map *map, const judo_zero3_options *options)
{
    const int64_t element = sizeof(float);
    int64_t largest = 0;
    for (int u = 0; u < map->layout->num_units; u++) {
        int64_t count = judo_shard_padded_count(map, u);
        if (map->trainable_position[u] >= 0 && count > largest) {
            largest = count;
        }
    }
    judo_zero3_bytes bytes = {.weights = map->total * element,
                              .gathered = judo_zero3_arena_count(map, options) * element};
    if (!options->frozen) {
        bytes.gradients = map->trainable_total * element;
        bytes.moments = 2 * bytes.gradients;
        bytes.gradient_buffer = map->size > 1 ? largest * element : 0;
    }
    bytes.total = bytes.weights + bytes.gradients + bytes.moments + bytes.gathered +
                  bytes.gradient_buffer;
    return bytes;
}

judo_status judo_zero3_plan(const judo_param_layout *layout, int num_ranks,
                            const judo_zero3_options *options, judo_zero3_bytes *out)
{
    judo_shard_map map;
    JUDO_TRY(judo_shard_map_create(&map, layout, 0, num_ranks));
    *out = plan_of(&map, options);
    judo_shard_map_destroy(&map);
    return JUDO_OK;
}

/* Touches every page now: what the plan promised is taken before the first step. */
static judo_status take(float **out, int64_t bytes, const char *purpose)
{
    if (bytes == 0) {
        return JUDO_OK;
    }
    *out = aligned_alloc(64, (size_t)bytes); /* slices are whole cache lines */
    if (*out == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s: %lld bytes", purpose,
                         (long long)bytes);
    }
    memset(*out, 0, (size_t)bytes);
    return JUDO_OK;
}

static judo_status allocate(judo_zero3 *self)
{
    judo_zero3_bytes bytes = plan_of(&self->map, &self->options);
    self->gathered = calloc((size_t)self->map.layout->num_units + 1, sizeof *self->gathered);
    if (self->gathered == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d units",
                         self->map.layout->num_units);
    }
    self->arena_count = bytes.gathered / (int64_t)sizeof(float);
    JUDO_TRY(take(&self->weights, bytes.weights, "the weight shard"));
    JUDO_TRY(take(&self->gradients, bytes.gradients, "the gradient shard"));
    JUDO_TRY(take(&self->first_moment, bytes.moments / 2, "the optimizer's first moment"));
    JUDO_TRY(take(&self->second_moment, bytes.moments / 2, "the optimizer's second moment"));
    JUDO_TRY(take(&self->arena, bytes.gathered, "gathered units"));
    JUDO_TRY(take(&self->gradient_buffer, bytes.gradient_buffer, "a unit's gradient"));
    self->allocated = bytes;
    return JUDO_OK;
}

static void free_all(judo_zero3 *self)
{
    judo_local_params_destroy(&self->resident);
    judo_shard_map_destroy(&self->map);
    free(self->gathered);
    free(self->weights);
    free(self->gradients);
    free(self->first_moment);
    free(self->second_moment);
    free(self->arena);
    free(self->gradient_buffer);
    free(self);
}

static judo_status create_local(judo_comm *comm, const judo_param_layout *layout,
                                const judo_ops *ops, const judo_zero3_options *options,
                                judo_zero3 **out)
{
    judo_zero3 *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for sharded parameters");
    }
    self->base = (judo_params){
        .ops = &judo_zero3_params_ops, .layout = layout, .compute_dtype = JUDO_F32};
    self->comm = comm;
    self->ops = ops;
    self->options = *options;
    self->gradient_unit = -1;
    judo_status status = judo_shard_map_create(&self->map, layout, comm->rank, comm->size);
    if (status == JUDO_OK) {
        status = allocate(self);
    }
    if (status != JUDO_OK) {
        free_all(self);
        return status;
    }
    *out = self;
    return JUDO_OK;
}

judo_status judo_zero3_create(judo_comm *comm, const judo_param_layout *layout,
                              const judo_ops *ops, const judo_zero3_options *options,
                              judo_zero3 **out)
{
    judo_zero3 *self = NULL;
    judo_status status = judo_agree(comm, create_local(comm, layout, ops, options, &self));
    if (status != JUDO_OK) {
        if (self != NULL) {
            free_all(self);
        }
        return status;
    }
    *out = self;
    return JUDO_OK;
}

void judo_zero3_destroy(judo_zero3 **zero3)
{
    judo_zero3 *self = *zero3;
    if (self == NULL) {
        return;
    }
    *zero3 = NULL;
    /* A gather that cannot end may still write to this memory: it is left to the process's end.
     */
    if (self->comm->broken || judo_zero3_arena_forget(self) != JUDO_OK) {
        return;
    }
    free_all(self);
}

judo_params *judo_zero3_params(judo_zero3 *zero3)
{
    return &zero3->base;
}

judo_zero3_bytes judo_zero3_allocated(const judo_zero3 *zero3)
{
    return zero3->allocated;
}

const judo_param_layout *judo_zero3_layout(const judo_zero3 *zero3)
{
    return zero3->map.layout;
}

judo_status judo_zero3_weights_changed(judo_zero3 *zero3)
{
    return judo_zero3_arena_forget(zero3);
}

judo_zero3_owned judo_zero3_owned_part(judo_zero3 *zero3, int param)
{
    judo_shard_range range = judo_shard_range_of(&zero3->map, param);
    bool trainable = range.trainable_position >= 0 && zero3->first_moment != NULL;
    int64_t at = range.trainable_position;
    return (judo_zero3_owned){.first = range.first,
                              .count = range.count,
                              .weights = zero3->weights + range.position,
                              .first_moment = trainable ? zero3->first_moment + at : NULL,
                              .second_moment = trainable ? zero3->second_moment + at : NULL};
}

judo_status judo_zero3_for_each_owned(judo_zero3 *zero3, judo_zero3_visit visit, void *context)
{
    for (int p = 0; p < zero3->map.layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        if (part.count > 0) {
            JUDO_TRY(visit(context, p, part.first, part.count, part.weights));
        }
    }
    return JUDO_OK;
}

static judo_status read_owned(judo_zero3 *zero3, const judo_weight_source *source)
{
    const judo_param_layout *layout = zero3->map.layout;
    for (int p = 0; p < layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        if (part.count > 0) {
            JUDO_TRY(source->read(source->context, &layout->params[p], part.first, part.count,
                                  part.weights));
        }
    }
    return JUDO_OK;
}

judo_status judo_zero3_load(judo_zero3 *zero3, const judo_weight_source *source)
{
    JUDO_TRY(judo_zero3_weights_changed(zero3));
    return judo_agree(zero3->comm, read_owned(zero3, source));
}
