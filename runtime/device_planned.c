/* runtime/device_planned.c: see device_planned.h. */
#include "runtime/device_planned.h"

static const char planned_description[] = "a GPU that is only planned for";

static judo_status memory(int64_t *available, int64_t *total)
{
    (void)available;
    (void)total;
    return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                     "no GPU here says how much memory it has, and something of the "
                     "configuration is chosen by that: say it with --memory GB");
}

static judo_status allocate(void **out, int64_t bytes)
{
    (void)out;
    return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                     "%lld bytes wanted of a GPU that is only planned for", (long long)bytes);
}

const judo_device *judo_device_planned(void)
{
    static judo_device device;
    device = *judo_device_cpu();
    device.name = "cuda";
    device.description = planned_description;
    device.separate = true;
    device.memory = memory;
    device.allocate = allocate;
    device.allocate_staging = allocate;
    return &device;
}

bool judo_device_is_planned(const judo_device *device)
{
    return device->description == planned_description;
}
