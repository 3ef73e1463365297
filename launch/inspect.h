/* launch/inspect.h: the kinds of things that `judo inspect` describes on standard output. */
#ifndef JUDO_LAUNCH_INSPECT_H
#define JUDO_LAUNCH_INSPECT_H

#include <stdbool.h>

#include "runtime/status.h"

typedef struct judo_inspection {
    const char *path;
    const char *model;     /* of a checkpoint; NULL: not given */
    bool tensors, headers; /* list every tensor; do not read what is behind the headers */
} judo_inspection;

judo_status judo_inspect_model(const judo_inspection *what) JUDO_MUST_CHECK;
judo_status judo_inspect_dataset(const judo_inspection *what) JUDO_MUST_CHECK;
judo_status judo_inspect_checkpoint(const judo_inspection *what) JUDO_MUST_CHECK;

#endif
