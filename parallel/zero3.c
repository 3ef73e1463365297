/* parallel/zero3.c: the life of sharded parameters. */
#include "parallel/zero3.h"

#include <stdlib.h>

#include "parallel/agree.h"
#include "parallel/zero3_state.h"

static void free_all(judo_zero3 *self)
{
    judo_local_params_destroy(&self->resident);
    judo_zero3_memory_destroy(self);
    judo_shard_map_destroy(&self->map);
    free(self);
}

static judo_status create_shell(judo_comm *comm, const judo_param_layout *layout,
                                const judo_device *device, const judo_zero3_options *options,
                                judo_zero3 **out)
{
    JUDO_TRY(judo_zero3_options_check(options));
    judo_zero3 *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for sharded parameters");
    }
    self->base = (judo_params){.ops = &judo_zero3_params_ops,
                               .layout = layout,
                               .compute_dtype = options->compute_dtype};
    self->comm = comm;
    self->device = device;
    self->options = *options;
    self->options.offload = options->offload && device->separate && !options->frozen;
    *out = self;
    return JUDO_OK;
}

static judo_status fill(judo_zero3 *self)
{
    const judo_comm *group = self->group_comm;
    const judo_comm *replicas = self->replica_comm;
    JUDO_TRY(judo_shard_map_create(&self->map, self->base.layout, group->rank, group->size,
                                   replicas ? replicas->rank : 0,
                                   replicas ? replicas->size : 1));
    return judo_zero3_memory_create(self);
}

judo_status judo_zero3_create(judo_comm *comm, const judo_param_layout *layout,
                              const judo_device *device, const judo_zero3_options *options,
                              judo_zero3 **out)
{
    judo_zero3 *self = NULL;
    judo_status status = judo_agree(comm, create_shell(comm, layout, device, options, &self));
    if (self == NULL) {
        return status;
    }
    if (status == JUDO_OK) {
        status = judo_zero3_groups_open(self);
    }
    if (status == JUDO_OK) {
        status = judo_agree(comm, fill(self));
    }
    if (status == JUDO_OK) {
        status = judo_agree(comm, judo_zero3_groups_lend(self));
    }
    if (status != JUDO_OK) {
        judo_zero3_groups_close(self);
        free_all(self);
        return status;
    }
    *out = self;
    return JUDO_OK;
}

static judo_status finish_communication(judo_zero3 *self)
{
    if (self->group_exchange != NULL) {
        JUDO_TRY(judo_comm_reduce_scatter_finish(self->group_exchange));
    }
    JUDO_TRY(judo_zero3_arena_forget(self));
    return self->device->stream_finish(NULL);
}

void judo_zero3_destroy(judo_zero3 **zero3)
{
    judo_zero3 *self = *zero3;
    if (self == NULL) {
        return;
    }
    *zero3 = NULL;
    /* What cannot end may still write to this memory: it is left to the process's end. */
    if (judo_comm_is_broken(self->comm) || finish_communication(self) != JUDO_OK) {
        return;
    }
    judo_zero3_groups_close(self);
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

/* Of a communicator and of its twin for the device's memory, less what `outer` is. */
static int64_t scratch_of(const judo_comm *outer, const judo_comm *comm,
                          const judo_comm *exchange)
{
    int64_t bytes = comm != NULL && comm != outer ? comm->scratch_bytes : 0;
    return bytes + (exchange != NULL && exchange != comm ? exchange->scratch_bytes : 0);
}

int64_t judo_zero3_exchange_bytes(const judo_zero3 *zero3)
{
    return scratch_of(zero3->comm, zero3->group_comm, zero3->group_exchange) +
           scratch_of(zero3->comm, zero3->replica_comm, zero3->replica_exchange);
}

const judo_device *judo_zero3_device(const judo_zero3 *zero3)
{
    return zero3->device;
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
