/* parallel/comm_host_part.c: refusals, and what is passed on. */
#include "parallel/comm_host_part.h"

static judo_status refuse(const char *what)
{
    return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                     "%s on a communicator of a device's memory; the one that it was made from "
                     "does that",
                     what);
}

judo_status judo_host_part_broadcast(judo_comm *comm, int64_t sequence, void *data,
                                     int64_t bytes, int root)
{
    (void)comm;
    (void)sequence;
    (void)data;
    (void)bytes;
    (void)root;
    return refuse("broadcast");
}

judo_status judo_host_part_gather_bytes(judo_comm *comm, int64_t sequence, const void *data,
                                        const int64_t *offsets, char *out)
{
    (void)comm;
    (void)sequence;
    (void)data;
    (void)offsets;
    (void)out;
    return refuse("gather of bytes");
}

judo_status judo_host_part_split(judo_comm *comm, int color, judo_comm **out)
{
    (void)comm;
    (void)color;
    (void)out;
    return refuse("split");
}

judo_status judo_host_part_set_bucket(judo_comm *comm, int64_t bytes)
{
    (void)comm;
    (void)bytes;
    return refuse("another bucket");
}

judo_status judo_host_part_topology(judo_comm *comm, judo_topology *out)
{
    return comm->parent->ops->topology(comm->parent, out);
}

void judo_host_part_abort_job(judo_comm *comm, int exit_code)
{
    judo_comm_abort_job(comm->parent, exit_code);
}
