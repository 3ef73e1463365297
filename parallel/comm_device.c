/* parallel/comm_device.c: which transport serves a device's memory. */
#include "parallel/comm_device.h"

judo_status judo_comm_on_device(judo_comm *comm, const judo_device *device, judo_comm **out)
{
    if (!device->separate) {
        *out = comm;
        return JUDO_OK;
    }
    return judo_comm_staged_create(comm, device, out);
}
