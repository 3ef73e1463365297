/* runtime/device_choice.c: names of devices, and opening the one that is meant. */
#include "runtime/device_choice.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/config_value.h"
#include "runtime/log.h"

judo_status judo_device_parse(const char *text, const char *source, judo_device_choice *out)
{
    const char *name = NULL;
    size_t length = 0;
    for (int i = 0; judo_config_split(JUDO_DEVICE_CHOICES, i, &name, &length); i++) {
        if (strlen(text) == length && memcmp(text, name, length) == 0) {
            *out = (judo_device_choice)i;
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s '%.80s': must be one of %s", source, text,
                     JUDO_DEVICE_CHOICES);
}

judo_status judo_device_choose(judo_device_choice choice, int local_rank,
                               const judo_device **device)
{
    char reason[JUDO_DEVICE_REASON];
    judo_device_request request = {.choice = choice, .index = local_rank};
    const char *module = getenv(JUDO_DEVICE_MODULE_VARIABLE);
    if (module && module[0]) {
        request.module = module;
    }
    JUDO_TRY(judo_device_open(&request, device, reason));
    JUDO_INFO("device     %s", (*device)->description);
    if (reason[0]) {
        JUDO_DEBUG("           not CUDA: %s", reason);
    }
    return JUDO_OK;
}

judo_status judo_device_choose_named(const char *text, const char *source,
                                     const judo_device **device)
{
    judo_device_choice choice;
    JUDO_TRY(judo_device_parse(text, source, &choice));
    return judo_device_choose(choice, 0, device);
}
