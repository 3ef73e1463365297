/* runtime/event_file.h: TensorBoard event files of scalars, written without TensorFlow. */
#ifndef JUDO_RUNTIME_EVENT_FILE_H
#define JUDO_RUNTIME_EVENT_FILE_H

#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_event_file judo_event_file;

typedef struct judo_scalar {
    char *name;
    double value;
} judo_scalar;

/* Creates a new event file in `folder` (made if missing). With `resume_step` >= 0 it tells
 * TensorBoard to forget what earlier files say about later steps. */
judo_status judo_event_file_open(const char *folder, int64_t resume_step,
                                 judo_event_file **out) JUDO_MUST_CHECK;
judo_status judo_event_file_write(judo_event_file *file, int64_t step, double wall_time,
                                  const judo_scalar *scalars, int count) JUDO_MUST_CHECK;
void judo_event_file_close(judo_event_file **file);

#endif
