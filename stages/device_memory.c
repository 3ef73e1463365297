/* stages/device_memory.c: whether a plan has room, taking it, and holding the job to it. */
#include "stages/device_memory.h"

#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/device_places.h"
#include "parallel/replica_check.h"
#include "runtime/device_pool.h"
#include "runtime/memory.h"

static const double mb = 1e-6;

/* Ranks that have this rank's device. Collective. */
static judo_status count_sharers(const judo_job *job, int64_t *out)
{
    judo_device_place *places = NULL;
    if (job->only_planned || !job->device->collectives) { /* nothing says which it is */
        *out = 1;
        return JUDO_OK;
    }
    JUDO_TRY(judo_device_places(job->comm, job->device, &places));
    const judo_device_place *own = &places[job->comm->rank];
    int64_t count = 1;
    for (int r = 0; r < job->comm->size; r++) {
        count += r != job->comm->rank && places[r].node == own->node &&
                 strncmp(places[r].name, own->name, sizeof own->name) == 0;
    }
    free(places);
    *out = count;
    return JUDO_OK;
}

static judo_status host_memory_available(const judo_job *job, int64_t *out)
{
    judo_topology topology;
    JUDO_TRY(job->comm->ops->topology(job->comm, &topology));
    *out = judo_memory_available() / topology.local_size;
    return JUDO_OK;
}

judo_status judo_device_memory_available(const judo_job *job, int64_t *out)
{
    if (job->rank_memory > 0) {
        *out = job->rank_memory;
        return JUDO_OK;
    }
    if (!job->device->separate) {
        return host_memory_available(job, out);
    }
    int64_t sharers = 1;
    int64_t total = 0;
    int64_t available = 0;
    JUDO_TRY(count_sharers(job, &sharers));
    JUDO_TRY(judo_agree(job->comm, job->device->memory(&available, &total)));
    *out = available / sharers;
    return JUDO_OK;
}

judo_status judo_device_memory_missing(const judo_job *job, const judo_memory_plan *plan,
                                       int64_t *missing)
{
    int64_t available = 0;
    JUDO_TRY(judo_device_memory_available(job, &available));
    *missing = plan->table.total - available;
    return judo_comm_max_i64(job->comm, missing, 1);
}

judo_status judo_device_memory_check(const judo_job *job, const judo_memory_plan *plan)
{
    int64_t missing = 0;
    int64_t available = 0;
    JUDO_TRY(judo_device_memory_missing(job, plan, &missing));
    if (missing <= 0) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_device_memory_available(job, &available));
    if (!job->only_planned) {
        JUDO_INFO("memory     %.1f MB of the device are free for rank 0",
                  mb * (double)available);
    }
    if (plan->movable > 0 && job->device->separate) {
        JUDO_INFO("memory     zero.offload_optimizer=cpu would move %.1f MB to the host",
                  mb * (double)plan->movable);
    }
    return JUDO_FAIL(
        JUDO_ERROR_MEMORY,
        "device: its memory is short by %.1f MB on some rank (the table above says "
        "for what): more ranks, zero.stage=3, zero.resident_weights=no, "
        "model.activation_checkpointing=unit, model.dtype=bf16, zero.split_master=true, "
        "zero.gradient_storage=bf16, %ssmaller train.max_tokens or fewer completions at once "
        "need less",
        mb * (double)missing, job->device->separate ? "zero.offload_optimizer=cpu, " : "");
}

static judo_status take_block(const judo_job *job, const judo_memory_plan *plan)
{
    char table[JUDO_MEMORY_TABLE_BYTES];
    judo_memory_table_write(&plan->table, true, table);
    JUDO_TRY(judo_device_pool_reserve(plan->table.pool, table));
    return job->config->run.check_replicas_every > 0
               ? judo_device_pool_keep_staging(JUDO_REPLICA_CHECK_BYTES)
               : JUDO_OK;
}

judo_status judo_device_memory_reserve(const judo_job *job, const judo_memory_plan *plan)
{
    if (!job->device->separate) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_device_memory_check(job, plan));
    return judo_agree(job->comm, take_block(job, plan));
}

void judo_device_memory_watch(judo_job *job, int64_t step)
{
    const judo_device *device = job->device;
    int64_t asked = device->allocations ? device->allocations() : 0;
    if (step == job->first_step) {
        job->allocations = asked;
    } else if (asked != job->allocations + job->late_allocations) {
        if (job->late_allocations == 0) {
            JUDO_WARNING("device %s: memory was asked for %lld times in step %lld, where "
                         "all of it should have been there: the plan lacks something",
                         device->name, (long long)(asked - job->allocations), (long long)step);
        }
        job->late_allocations = asked - job->allocations;
    }
}

void judo_device_memory_report(const judo_job *job)
{
    if (job->device->separate) {
        judo_pool_facts facts = judo_device_pool_facts();
        JUDO_INFO("memory     at most %.1f of the device's block of %.1f MB was used; %lld "
                  "allocations behind the first step",
                  mb * (double)facts.peak, mb * (double)facts.capacity,
                  (long long)job->late_allocations);
    }
}
