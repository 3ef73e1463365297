/* parallel/comm_nccl_group.c: how a group of devices forms and ends, and the one way to wait
 * for it: its state is asked for until the deadline, past which it is ended by force. */
#include "parallel/comm_nccl.h"

#include <stdio.h>

#include "parallel/agree.h"
#include "parallel/patience.h"

static void end_by_force(judo_comm_nccl *self)
{
    if (self->group != NULL) {
        self->collectives->force_end(self->group);
        self->group = NULL;
    }
}

judo_status judo_nccl_check(judo_comm_nccl *self, int64_t sequence, judo_status status)
{
    char cause[512];
    if (status == JUDO_OK) {
        return JUDO_OK;
    }
    (void)snprintf(cause, sizeof cause, "%s", judo_error_message());
    judo_flight_notice notice = judo_flight_describe(&self->base.recorder, sequence);
    judo_comm_break(&self->base);
    end_by_force(self);
    return JUDO_FAIL(status, "rank %d of %d: collective %s failed: %s", self->base.rank,
                     self->base.size, notice.text, cause);
}

judo_status judo_nccl_await(judo_comm_nccl *self, int64_t sequence, judo_event *event)
{
    judo_patience patience = judo_patience_begin();
    for (;;) {
        bool settled = false;
        bool done = true;
        JUDO_TRY(
            judo_nccl_check(self, sequence, self->collectives->settled(self->group, &settled)));
        if (settled && event != NULL) {
            JUDO_TRY(judo_nccl_check(self, sequence, self->device->event_done(event, &done)));
        }
        if (settled && done) {
            return JUDO_OK;
        }
        judo_status status = judo_patience_pause(&patience, &self->base, sequence);
        if (status != JUDO_OK) {
            end_by_force(self);
            return status;
        }
    }
}

static const char *phase_of(const judo_comm *comm)
{
    while (comm->parent != NULL) {
        comm = comm->parent;
    }
    return comm->phase;
}

/* Rank 0 names the group. */
static judo_status share_id(judo_comm_nccl *self, unsigned char *id)
{
    judo_comm *host = self->base.parent;
    judo_status status = host->rank == 0 ? self->collectives->make_id(id) : JUDO_OK;
    JUDO_TRY(judo_agree(host, status));
    return judo_comm_broadcast(host, id, JUDO_DEVICE_GROUP_ID, 0);
}

/* A rank that cannot begin must not leave the others waiting for it: ranks agree before. */
static judo_status form(judo_comm_nccl *self)
{
    judo_comm *host = self->base.parent;
    unsigned char id[JUDO_DEVICE_GROUP_ID] = {0};
    void *scratch = NULL;
    JUDO_TRY(share_id(self, id));
    int64_t sequence =
        judo_flight_begin(&self->base.recorder, "group", 0, phase_of(&self->base), NULL);
    JUDO_TRY(judo_agree(
        host, self->collectives->begin(&self->group, id, self->base.rank, self->base.size)));
    JUDO_TRY(judo_nccl_await(self, sequence, NULL));
    JUDO_TRY(judo_agree(
        host, self->collectives->allocate(self->group, &scratch, self->base.bucket_bytes)));
    self->scratch = scratch;
    JUDO_TRY(judo_nccl_await(self, sequence, NULL));
    judo_flight_end(&self->base.recorder, sequence);
    return JUDO_OK;
}

judo_status judo_nccl_group_open(judo_comm_nccl *self)
{
    judo_status status = form(self);
    if (status != JUDO_OK) {
        end_by_force(self); /* not all may have come */
    }
    return status;
}

void judo_nccl_group_close(judo_comm_nccl *self)
{
    if (self->group != NULL && !judo_comm_is_broken(&self->base)) {
        int64_t sequence = judo_flight_begin(&self->base.recorder, "end of the group", 0,
                                             phase_of(&self->base), NULL);
        judo_status status =
            judo_nccl_check(self, sequence, self->collectives->close(self->group));
        if (status == JUDO_OK && judo_nccl_await(self, sequence, NULL) == JUDO_OK) {
            self->collectives->release(self->group);
            self->group = NULL;
        }
    }
    end_by_force(self);
}
