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
    const int64_t compute = judo_dtype_bytes(options->compute_dtype);
    const bool is_f32 = options->compute_dtype == JUDO_F32;
    judo_zero3_bytes bytes = {.weights = is_f32 || !options->frozen ? map->total * element : 0,
                              .compute = is_f32 ? 0 : map->total * compute,
                              .gathered = judo_zero3_arena_count(map, options) * compute};
    if (!options->frozen) {
        bytes.gradients = map->trainable_total * element;
        bytes.moments = 2 * bytes.gradients;
        bytes.gradient_buffer = map->size > 1 ? largest * element : 0;
    }
    bytes.total = bytes.weights + bytes.compute + bytes.gradients + bytes.moments +
                  bytes.gathered + bytes.gradient_buffer;
    return bytes;
}

static judo_status check_options(const judo_zero3_options *options)
{
    const judo_dtype dtypes[2] = {options->compute_dtype, options->gradient_dtype};
    for (int i = 0; i < 2; i++) {
        if (dtypes[i] != JUDO_F32 && dtypes[i] != JUDO_BF16) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s in %s: F32 and BF16 are built",
                             i == 0 ? "weights" : "gradients", judo_dtype_name(dtypes[i]));
        }
    }
    return JUDO_OK;
}

judo_status judo_zero3_plan(const judo_param_layout *layout, int num_ranks,
                            const judo_zero3_options *options, judo_zero3_bytes *out)
{
    judo_shard_map map;
    JUDO_TRY(check_options(options));
    JUDO_TRY(judo_shard_map_create(&map, layout, 0, num_ranks));
    *out = plan_of(&map, options);
    judo_shard_map_destroy(&map);
    return JUDO_OK;
}

/* Touches every page now: what the plan promised is taken before the first step. */
static void *take(int64_t bytes, const char *purpose, judo_status *status)
{
    if (bytes == 0 || *status != JUDO_OK) {
        return NULL;
    }
    void *memory = aligned_alloc(64, (size_t)bytes); /* slices are whole cache lines */
    if (memory == NULL) {
        *status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s: %lld bytes", purpose,
                            (long long)bytes);
        return NULL;
    }
    memset(memory, 0, (size_t)bytes);
    return memory;
}

static judo_status allocate(judo_zero3 *self)
{
    judo_zero3_bytes bytes = plan_of(&self->map, &self->options);
    self->gathered = calloc((size_t)self->map.layout->num_units + 1, sizeof *self->gathered);
    if (self->gathered == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d units",
                         self->map.layout->num_units);
    }
    const bool is_f32 = self->base.compute_dtype == JUDO_F32;
    judo_status status = JUDO_OK;
    self->arena_count = bytes.gathered / judo_dtype_bytes(self->base.compute_dtype);
    self->master = take(bytes.weights, "the weight shard", &status);
    self->compute = is_f32 ? self->master : take(bytes.compute, "the compute weights", &status);
    self->gradients = take(bytes.gradients, "the gradient shard", &status);
    self->first_moment = take(bytes.moments / 2, "the optimizer's first moment", &status);
    self->second_moment = take(bytes.moments / 2, "the optimizer's second moment", &status);
    self->arena = take(bytes.gathered, "gathered units", &status);
    self->gradient_buffer = take(bytes.gradient_buffer, "a unit's gradient", &status);
    self->allocated = bytes;
    return status;
}

static void free_all(judo_zero3 *self)
{
    judo_local_params_destroy(&self->resident);
    judo_shard_map_destroy(&self->map);
    free(self->gathered);
    if (self->compute != self->master) {
        free(self->compute);
    }
    free(self->master);
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
    JUDO_TRY(check_options(options));
    judo_zero3 *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for sharded parameters");
    }
    self->base = (judo_params){.ops = &judo_zero3_params_ops,
                               .layout = layout,
                               .compute_dtype = options->compute_dtype};
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
    zero3->stale = true;
    return judo_zero3_arena_forget(zero3);
}

void *judo_zero3_compute_at(const judo_zero3 *zero3, int64_t position)
{
    return (char *)zero3->compute + position * judo_dtype_bytes(zero3->base.compute_dtype);
}

void *judo_zero3_gathered_at(const judo_zero3 *zero3, int unit)
{
    return zero3->arena +
           zero3->gathered[unit].offset * judo_dtype_bytes(zero3->base.compute_dtype);
}

void judo_zero3_refresh(judo_zero3 *zero3)
{
    if (zero3->stale && zero3->master != NULL && zero3->compute != zero3->master) {
        judo_convert_from_f32(zero3->compute, zero3->base.compute_dtype, zero3->master,
                              zero3->map.total);
    }
    zero3->stale = false;
}

judo_zero3_owned judo_zero3_owned_part(judo_zero3 *zero3, int param)
{
    judo_shard_range range = judo_shard_range_of(&zero3->map, param);
    bool trainable = range.trainable_position >= 0 && zero3->first_moment != NULL;
    int64_t at = range.trainable_position;
    return (judo_zero3_owned){.first = range.first,
                              .count = range.count,
                              .weights = zero3->master ? zero3->master + range.position : NULL,
                              .first_moment = trainable ? zero3->first_moment + at : NULL,
                              .second_moment = trainable ? zero3->second_moment + at : NULL};
}

/* Of weights that exist in bf16 only. */
static judo_status visit_widened(const judo_zero3 *zero3, int param, judo_zero3_visit visit,
                                 void *context)
{
    enum { BLOCK = 4096 };

    float block[BLOCK];
    judo_shard_range range = judo_shard_range_of(&zero3->map, param);
    for (int64_t at = 0; at < range.count; at += BLOCK) {
        int64_t part = range.count - at < BLOCK ? range.count - at : BLOCK;
        judo_convert_to_f32(block, judo_zero3_compute_at(zero3, range.position + at),
                            zero3->base.compute_dtype, part);
        JUDO_TRY(visit(context, param, range.first + at, part, block));
    }
    return JUDO_OK;
}

judo_status judo_zero3_for_each_owned(judo_zero3 *zero3, judo_zero3_visit visit, void *context)
{
    for (int p = 0; p < zero3->map.layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        if (zero3->master == NULL) {
            JUDO_TRY(visit_widened(zero3, p, visit, context));
        } else if (part.count > 0) {
            JUDO_TRY(visit(context, p, part.first, part.count, part.weights));
        }
    }
    return JUDO_OK;
}

static judo_status read_owned(judo_zero3 *zero3, const judo_weight_source *source)
{
    const judo_param_layout *layout = zero3->map.layout;
    for (int p = 0; p < layout->num_params; p++) {
        judo_shard_range range = judo_shard_range_of(&zero3->map, p);
        bool master = zero3->master != NULL;
        if (range.count > 0) {
            JUDO_TRY(
                judo_weight_source_read(source, &layout->params[p], range.first, range.count,
                                        master ? JUDO_F32 : zero3->base.compute_dtype,
                                        master ? (void *)(zero3->master + range.position)
                                               : judo_zero3_compute_at(zero3, range.position)));
        }
    }
    return JUDO_OK;
}

judo_status judo_zero3_load(judo_zero3 *zero3, const judo_weight_source *source)
{
    JUDO_TRY(judo_zero3_weights_changed(zero3));
    return judo_agree(zero3->comm, read_owned(zero3, source));
}
