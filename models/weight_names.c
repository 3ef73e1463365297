/* models/weight_names.c: in-memory names of transformers >= 4.52 to hub names. */
#include "models/weight_names.h"

#include <stdio.h>
#include <string.h>

judo_status judo_weight_name_to_hub(const char *name, char *out, size_t size)
{
    static const struct {
        const char *from, *to;
    } rules[] = {
        {"model.language_model.", "model."},
        {"model.visual.", "visual."},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t length = strlen(rules[i].from);
        if (strncmp(name, rules[i].from, length) == 0) {
            int written = snprintf(out, size, "%s%s", rules[i].to, name + length);
            if (written < 0 || (size_t)written >= size) {
                break;
            }
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_FORMAT, "tensor name %.60s.. is too long", name);
}
