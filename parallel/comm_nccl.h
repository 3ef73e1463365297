/* parallel/comm_nccl.h: the inside of the communicator over a device's own collectives. */
#ifndef JUDO_PARALLEL_COMM_NCCL_H
#define JUDO_PARALLEL_COMM_NCCL_H

#include "parallel/comm_device.h"

enum { JUDO_NCCL_GATHERS = 8 /* outstanding at once */ };

/* A collective that is queued. */
typedef struct judo_nccl_job {
    bool used;
    bool seen; /* complete, and in the flight recorder as such */
    int64_t sequence;
    judo_event *ended;
} judo_nccl_job;

/* Everything is queued on one stream, in the order of the calls, which is the same on every
 * rank; the compute queue and it wait for each other by events. */
typedef struct judo_comm_nccl {
    judo_comm base;
    const judo_device *device;
    const judo_device_collectives *collectives;
    judo_device_group *group; /* NULL: it was aborted */
    judo_stream *stream;
    judo_event *begun; /* the compute queue came to the start of the newest collective */
    judo_nccl_job gathers[JUDO_NCCL_GATHERS];
    judo_nccl_job reduction;
    char *scratch; /* base.bucket_bytes: pieces that leave, pieces that arrive */
} judo_comm_nccl;

/* comm_nccl_group.c */
/* The status of a call of the table: a failure breaks the communicator and ends the group. */
judo_status judo_nccl_check(judo_comm_nccl *self, int64_t sequence,
                            judo_status status) JUDO_MUST_CHECK;
/* Waits until the library says so or until the deadline, for `event` (NULL: to settle). */
judo_status judo_nccl_await(judo_comm_nccl *self, int64_t sequence,
                            judo_event *event) JUDO_MUST_CHECK;
/* Collective. */
judo_status judo_nccl_group_open(judo_comm_nccl *self) JUDO_MUST_CHECK;
void judo_nccl_group_close(judo_comm_nccl *self);

#endif
