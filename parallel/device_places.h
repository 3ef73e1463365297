/* parallel/device_places.h: which rank has which device of which machine.
 */
#ifndef JUDO_PARALLEL_DEVICE_PLACES_H
#define JUDO_PARALLEL_DEVICE_PLACES_H

#include "parallel/comm.h"
#include "runtime/device.h"

typedef struct judo_device_place {
    int32_t node; /* as in judo_topology */
    char name[JUDO_DEVICE_PLACE_BYTES];
} judo_device_place;

/* [comm->size]; the caller frees it. JUDO_ERROR_UNSUPPORTED where the device has no collectives
 * of its own. Ranks agree on the outcome. Collective. */
judo_status judo_device_places(judo_comm *comm, const judo_device *device,
                               judo_device_place **out) JUDO_MUST_CHECK;

/* JUDO_ERROR_UNSUPPORTED naming two ranks with one device, if there are any. */
judo_status judo_device_places_differ(const judo_device_place *places,
                                      int size) JUDO_MUST_CHECK;

/* Logs a line for every machine: its ranks and their devices. */
void judo_device_places_print(const judo_device_place *places, int size);

#endif
