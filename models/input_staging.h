/* models/input_staging.h: what a pass reads besides weights, written by the host and copied to
 * the device in the order of its queue. Where the device's memory is the host's own it is
 * written in place, and nothing is staged or copied. */
#ifndef JUDO_MODELS_INPUT_STAGING_H
#define JUDO_MODELS_INPUT_STAGING_H

#include "runtime/device.h"

typedef struct judo_input_staging {
    const judo_device *device;
    char *memory; /* NULL where nothing is staged */
    int64_t capacity, used;
    judo_event *sent; /* behind the last copy */
} judo_input_staging;

/* Staging memory that the tensor takes. */
int64_t judo_staging_bytes(const judo_tensor *tensor);

/* Allocates `bytes` where the device is separate; free with judo_staging_destroy. */
judo_status judo_staging_create(const judo_device *device, int64_t bytes,
                                judo_input_staging *out) JUDO_MUST_CHECK;
void judo_staging_destroy(judo_input_staging *staging);

/* All of the memory is free again; waits where a copy has not left it yet. */
judo_status judo_staging_begin(judo_input_staging *staging) JUDO_MUST_CHECK;
/* Where the host writes the elements of a tensor of the device. */
judo_status judo_staging_place(judo_input_staging *staging, const judo_tensor *tensor,
                               void **host) JUDO_MUST_CHECK;
/* Queues the copy of what was written there. */
judo_status judo_staging_send(judo_input_staging *staging, const judo_tensor *tensor,
                              const void *host) JUDO_MUST_CHECK;

#endif
