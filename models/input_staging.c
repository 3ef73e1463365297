/* models/input_staging.c: a run of staging memory, handed out from its front. */
#include "models/input_staging.h"

#include <inttypes.h>

enum { ALIGNMENT = 64 };

static int64_t tensor_bytes(const judo_tensor *tensor)
{
    return judo_tensor_count(tensor) * judo_dtype_bytes(tensor->dtype);
}

int64_t judo_staging_bytes(const judo_tensor *tensor)
{
    return (tensor_bytes(tensor) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

judo_status judo_staging_create(const judo_device *device, int64_t bytes,
                                judo_input_staging *out)
{
    judo_input_staging staging = {.device = device, .capacity = bytes};
    if (device->separate) {
        void *memory = NULL;
        JUDO_TRY(device->allocate_staging(&memory, bytes));
        staging.memory = memory;
        judo_status status = device->event_create(&staging.sent);
        if (status != JUDO_OK) {
            device->release_staging(memory);
            return status;
        }
    }
    *out = staging;
    return JUDO_OK;
}

void judo_staging_destroy(judo_input_staging *staging)
{
    if (staging->memory) {
        /* What is still queued must not read freed memory; its failure came out elsewhere. */
        (void)!staging->device->stream_finish(NULL);
        staging->device->release_staging(staging->memory);
        staging->device->event_destroy(staging->sent);
    }
    *staging = (judo_input_staging){0};
}

judo_status judo_staging_begin(judo_input_staging *staging)
{
    staging->used = 0;
    if (!staging->memory) {
        return JUDO_OK;
    }
    bool left = false;
    JUDO_TRY(staging->device->event_done(staging->sent, &left));
    return left ? JUDO_OK : staging->device->stream_finish(NULL);
}

judo_status judo_staging_place(judo_input_staging *staging, const judo_tensor *tensor,
                               void **host)
{
    if (!staging->memory) {
        *host = tensor->data;
        return JUDO_OK;
    }
    int64_t bytes = judo_staging_bytes(tensor);
    if (bytes > staging->capacity - staging->used) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "inputs of %" PRId64 " bytes and more; %" PRId64 " were planned",
                         staging->used + bytes, staging->capacity);
    }
    *host = staging->memory + staging->used;
    staging->used += bytes;
    return JUDO_OK;
}

judo_status judo_staging_send(judo_input_staging *staging, const judo_tensor *tensor,
                              const void *host)
{
    if (!staging->memory) {
        return JUDO_OK;
    }
    JUDO_TRY(staging->device->copy(tensor->data, host, tensor_bytes(tensor), NULL));
    return staging->device->event_record(staging->sent, NULL);
}
