/* parallel/work_meter.c: a communicator's functions that wait, with a clock around them.
 */
#include "parallel/work_meter.h"

#include "runtime/log.h"

static struct {
    const judo_comm_ops *inner;
    judo_comm_ops timed;
    double waited;
} meter;

static judo_status timed_wait(judo_comm *comm, int request)
{
    double began = judo_clock();
    judo_status status = meter.inner->wait(comm, request);
    meter.waited += judo_clock() - began;
    return status;
}

static judo_status timed_reduce_start(judo_comm *comm, int64_t sequence,
                                      const judo_reduction *reduction)
{
    double began = judo_clock();
    judo_status status = meter.inner->reduce_start(comm, sequence, reduction);
    meter.waited += judo_clock() - began;
    return status;
}

static judo_status timed_reduce_finish(judo_comm *comm)
{
    double began = judo_clock();
    judo_status status = meter.inner->reduce_finish(comm);
    meter.waited += judo_clock() - began;
    return status;
}

static judo_status timed_broadcast(judo_comm *comm, int64_t sequence, void *data, int64_t bytes,
                                   int root)
{
    double began = judo_clock();
    judo_status status = meter.inner->broadcast(comm, sequence, data, bytes, root);
    meter.waited += judo_clock() - began;
    return status;
}

void judo_work_meter_attach(judo_comm *comm)
{
    meter.inner = comm->ops;
    meter.timed = *comm->ops;
    meter.timed.wait = timed_wait;
    meter.timed.reduce_start = timed_reduce_start;
    meter.timed.reduce_finish = timed_reduce_finish;
    meter.timed.broadcast = timed_broadcast;
    meter.waited = 0;
    comm->ops = &meter.timed;
}

void judo_work_meter_detach(judo_comm *comm)
{
    if (comm->ops == &meter.timed) {
        comm->ops = meter.inner;
    }
}

double judo_work_meter_waited(void)
{
    return meter.waited;
}
