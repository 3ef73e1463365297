/* parallel/comm_device.c: which transport serves a device's memory. */
#include "parallel/comm_device.h"

#include <stdlib.h>

#include "parallel/device_places.h"
#include "runtime/log.h"

/* The same verdict on all ranks. */
static judo_status can_go_direct(judo_comm *comm, const judo_device *device)
{
    judo_device_place *places = NULL;
    JUDO_TRY(judo_device_places(comm, device, &places));
    judo_device_places_print(places, comm->size);
    judo_status status = judo_device_places_differ(places, comm->size);
    free(places);
    return status;
}

judo_status judo_comm_on_device(judo_comm *comm, const judo_device *device, judo_comm **out)
{
    if (!device->separate) {
        *out = comm;
        return JUDO_OK;
    }
    judo_status status = can_go_direct(comm, device);
    if (status == JUDO_OK) {
        JUDO_INFO("%d ranks exchange device memory by %s", comm->size,
                  device->collectives->description);
        return judo_comm_nccl_create(comm, device, out);
    }
    if (status != JUDO_ERROR_UNSUPPORTED) {
        return status;
    }
    JUDO_INFO("%d ranks exchange device memory by way of the host: %s", comm->size,
              judo_error_message());
    judo_error_clear();
    return judo_comm_staged_create(comm, device, out);
}
