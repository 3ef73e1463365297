/* parallel/agree.c: one status and one message for all ranks. */
#include "parallel/agree.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 2048 };

/* Lower is more urgent: real errors before requests to stop, then by rank. */
static int64_t urgency(judo_status status, int rank)
{
    if (status == JUDO_OK) {
        return INT64_MAX;
    }
    return (int64_t)rank + (status == JUDO_EXIT_REQUEUE ? (int64_t)1 << 32 : 0);
}

judo_status judo_agree(judo_comm *comm, judo_status local_status)
{
    if (comm->broken && local_status != JUDO_OK) {
        return local_status; /* the cause stands; nobody can be told */
    }
    int64_t most_urgent = -urgency(local_status, comm->rank);
    JUDO_TRY(judo_comm_max_i64(comm, &most_urgent, 1));
    if (most_urgent == -INT64_MAX) {
        return JUDO_OK;
    }
    int source = (int)(-most_urgent & INT32_MAX);

    struct {
        int64_t status;
        char message[MESSAGE_BYTES];
    } verdict = {.status = local_status};

    if (comm->rank == source) {
        char prefix[32];
        (void)snprintf(prefix, sizeof prefix, "rank %d: ", source);
        const char *message = judo_error_message();
        bool prefixed = strncmp(message, "rank ", 5) == 0 || comm->size == 1;
        (void)snprintf(verdict.message, sizeof verdict.message, "%s%s", prefixed ? "" : prefix,
                       message);
    }
    JUDO_TRY(judo_comm_broadcast(comm, &verdict, (int64_t)sizeof verdict, source));
    verdict.message[MESSAGE_BYTES - 1] = '\0';
    return judo_error_set((judo_status)verdict.status, verdict.message);
}
