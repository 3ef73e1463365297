/* runtime/device_planned.h: a GPU that is not there, for plans of what it would hold. */
#ifndef JUDO_RUNTIME_DEVICE_PLANNED_H
#define JUDO_RUNTIME_DEVICE_PLANNED_H

#include "runtime/device.h"

/* Of it only is known that its memory is its own: it has none to give (JUDO_ERROR_UNSUPPORTED)
 * and says nothing of what its ops and libraries take. */
const judo_device *judo_device_planned(void);
/* Whether it is that one, or a pool of it. */
bool judo_device_is_planned(const judo_device *device);

#endif
