/* runtime/dtype_choice.c: names of compute dtypes. */
#include "runtime/dtype_choice.h"

#include <string.h>

#include "runtime/config_value.h"

judo_dtype judo_dtype_of_choice(int choice)
{
    return choice % 2 == 0 ? JUDO_F32 : JUDO_BF16;
}

judo_status judo_dtype_parse(const char *text, const char *source, judo_dtype *out)
{
    const char *name = NULL;
    size_t length = 0;
    for (int i = 0; judo_config_split(JUDO_DTYPE_CHOICES, i, &name, &length); i++) {
        if (strlen(text) == length && memcmp(text, name, length) == 0) {
            *out = judo_dtype_of_choice(i);
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s '%.80s': must be one of %s", source, text,
                     JUDO_DTYPE_CHOICES);
}
