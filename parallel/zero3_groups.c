/* parallel/zero3_groups.c: the ranks that shard among them, and those that store the same. */
#include "parallel/agree.h"
#include "parallel/zero3_state.h"

/* The group that this rank is in, and its number there. */
typedef struct membership {
    int group, rank;
    int size; /* of every group */
} membership;

static judo_status membership_of_node(judo_comm *comm, membership *out)
{
    judo_topology topology;
    JUDO_TRY(comm->ops->topology(comm, &topology));
    int64_t extremes[2] = {topology.local_size, -topology.local_size};
    JUDO_TRY(judo_comm_max_i64(comm, extremes, 2));
    if (extremes[0] != -extremes[1]) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "one machine has %lld ranks, another %lld: groups of machines need "
                         "the same number on each",
                         (long long)-extremes[1], (long long)extremes[0]);
    }
    *out = (membership){
        .group = topology.node, .rank = topology.local_rank, .size = topology.local_size};
    return JUDO_OK;
}

static judo_status membership_of(judo_comm *comm, const judo_zero3_options *options,
                                 membership *out)
{
    if (options->group_size == JUDO_GROUP_OF_NODE) {
        return membership_of_node(comm, out);
    }
    int size = options->group_size == 0 ? comm->size : options->group_size;
    if (size < 1 || comm->size % size != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%d ranks do not fill groups of %d", comm->size,
                         size);
    }
    *out = (membership){.group = comm->rank / size, .rank = comm->rank % size, .size = size};
    return JUDO_OK;
}

judo_status judo_zero3_group_size(judo_comm *comm, const judo_zero3_options *options, int *size)
{
    membership own;
    JUDO_TRY(membership_of(comm, options, &own));
    *size = own.size;
    return JUDO_OK;
}

static judo_status split(judo_zero3 *zero3)
{
    membership own;
    judo_comm *comm = zero3->comm;
    JUDO_TRY(membership_of(comm, &zero3->options, &own));
    JUDO_TRY(judo_zero3_tree_check(&zero3->options, comm->size, own.size));
    if (own.size == comm->size) {
        zero3->group_comm = comm;
        return JUDO_OK;
    }
    JUDO_TRY(judo_comm_split(comm, own.group, &zero3->group_comm));
    return judo_comm_split(comm, own.rank, &zero3->replica_comm);
}

judo_status judo_zero3_groups_open(judo_zero3 *zero3)
{
    JUDO_TRY(split(zero3));
    if (zero3->group_comm->size > 1) {
        JUDO_TRY(judo_comm_on_device(zero3->group_comm, zero3->device, &zero3->group_exchange));
    }
    return zero3->replica_comm == NULL ? JUDO_OK
                                       : judo_comm_on_device(zero3->replica_comm, zero3->device,
                                                             &zero3->replica_exchange);
}

/* What weights are gathered in, and gradients summed from and to. */
static judo_status lend_to(const judo_zero3 *zero3, judo_comm *exchange)
{
    const judo_zero3_bytes *bytes = &zero3->allocated;
    int64_t weights = bytes->compute > 0 ? bytes->compute : bytes->weights;
    JUDO_TRY(judo_comm_lend(exchange, zero3->compute, weights + bytes->gathered));
    JUDO_TRY(judo_comm_lend(exchange, zero3->gradients, bytes->gradients));
    return judo_comm_lend(exchange, zero3->gradient_room.buffer, bytes->gradient_buffer);
}

judo_status judo_zero3_groups_lend(const judo_zero3 *zero3)
{
    if (zero3->group_exchange != NULL) {
        JUDO_TRY(lend_to(zero3, zero3->group_exchange));
    }
    return zero3->replica_exchange != NULL ? lend_to(zero3, zero3->replica_exchange) : JUDO_OK;
}

static void close_exchange(judo_comm **exchange, const judo_comm *comm)
{
    if (*exchange != comm) {
        judo_comm_destroy(exchange);
    }
}

void judo_zero3_groups_close(judo_zero3 *zero3)
{
    close_exchange(&zero3->group_exchange, zero3->group_comm);
    close_exchange(&zero3->replica_exchange, zero3->replica_comm);
    if (zero3->group_comm != zero3->comm) {
        judo_comm_destroy(&zero3->group_comm);
    }
    judo_comm_destroy(&zero3->replica_comm);
}
