/* parallel/device_places.c: which rank has which device. */
#include "parallel/device_places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "runtime/log.h"

static judo_status find_own(judo_comm *comm, const judo_device *device, judo_device_place *own,
                            judo_device_place **all)
{
    judo_topology topology;
    JUDO_TRY(comm->ops->topology(comm, &topology));
    own->node = topology.node;
    if (device->collectives == NULL) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s (%s) has no collectives of its own",
                         device->name, device->description);
    }
    JUDO_TRY(device->collectives->place(own->name));
    *all = calloc((size_t)comm->size, sizeof **all);
    return *all != NULL ? JUDO_OK
                        : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d ranks", comm->size);
}

judo_status judo_device_places(judo_comm *comm, const judo_device *device,
                               judo_device_place **out)
{
    judo_device_place own = {0};
    judo_device_place *all = NULL;
    judo_status status = judo_agree(comm, find_own(comm, device, &own, &all));
    if (status == JUDO_OK) {
        status = judo_comm_all_gather(comm, &own, sizeof own, all);
    }
    if (status != JUDO_OK) {
        free(all);
        return status;
    }
    *out = all;
    return JUDO_OK;
}

judo_status judo_device_places_differ(const judo_device_place *places, int size)
{
    for (int b = 1; b < size; b++) {
        for (int a = 0; a < b; a++) {
            if (places[a].node == places[b].node &&
                strncmp(places[a].name, places[b].name, sizeof places[a].name) == 0) {
                return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                                 "ranks %d and %d share the device %.*s of machine %d", a, b,
                                 JUDO_DEVICE_PLACE_BYTES, places[a].name, places[a].node);
            }
        }
    }
    return JUDO_OK;
}

static void print_node(const judo_device_place *places, int size, int node)
{
    char line[1024];
    size_t used = 0;
    line[0] = '\0';
    for (int r = 0; r < size && used < sizeof line; r++) {
        if (places[r].node == node) {
            int added =
                snprintf(line + used, sizeof line - used, "%srank %d: %.*s",
                         used > 0 ? ", " : "", r, JUDO_DEVICE_PLACE_BYTES, places[r].name);
            used += added > 0 ? (size_t)added : 0;
        }
    }
    if (used > 0) {
        JUDO_INFO("machine %d: %s", node, line);
    }
}

void judo_device_places_print(const judo_device_place *places, int size)
{
    int last = -1;
    for (int r = 0; r < size; r++) {
        last = places[r].node > last ? places[r].node : last;
    }
    for (int node = 0; node <= last; node++) {
        print_node(places, size, node);
    }
}
