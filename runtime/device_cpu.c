/* runtime/device_cpu.c: the CPU as a device. */
#include "runtime/device.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/memory.h"

static judo_status memory(int64_t *available, int64_t *total)
{
    *total = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    int64_t left = judo_memory_available();
    *available = left >= 0 && left < *total ? left : *total;
    return JUDO_OK;
}

static judo_status allocate(void **out, int64_t bytes)
{
    if (bytes < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "device cpu: %" PRId64 " bytes of memory", bytes);
    }
    void *taken = judo_memory_take((size_t)bytes);
    if (!taken) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "device cpu: no memory for %" PRId64 " bytes",
                         bytes);
    }
    *out = taken;
    return JUDO_OK;
}

static judo_status copy(void *to, const void *from, int64_t bytes, judo_stream *stream)
{
    (void)stream;
    if (bytes > 0) {
        memcpy(to, from, (size_t)bytes);
    }
    return JUDO_OK;
}

static judo_status clear(void *out, int64_t bytes, judo_stream *stream)
{
    (void)stream;
    if (bytes > 0) {
        memset(out, 0, (size_t)bytes);
    }
    return JUDO_OK;
}

/* Queues and events have nothing to hold: what was asked for is done. */
static judo_status stream_create(judo_stream **stream)
{
    *stream = NULL;
    return JUDO_OK;
}

static void stream_destroy(judo_stream *stream)
{
    (void)stream;
}

static judo_status stream_finish(judo_stream *stream)
{
    (void)stream;
    return JUDO_OK;
}

static judo_status event_create(judo_event **event)
{
    *event = NULL;
    return JUDO_OK;
}

static void event_destroy(judo_event *event)
{
    (void)event;
}

static judo_status event_on_stream(judo_event *event, judo_stream *stream)
{
    (void)event;
    (void)stream;
    return JUDO_OK;
}

static judo_status event_done(judo_event *event, bool *done)
{
    (void)event;
    *done = true;
    return JUDO_OK;
}

const judo_device *judo_device_cpu(void)
{
    static judo_device device = {
        .name = "cpu",
        .description = "CPU",
        .memory = memory,
        .allocate = allocate,
        .release = free,
        .allocate_staging = allocate,
        .release_staging = free,
        .copy = copy,
        .clear = clear,
        .stream_create = stream_create,
        .stream_destroy = stream_destroy,
        .stream_finish = stream_finish,
        .event_create = event_create,
        .event_destroy = event_destroy,
        .event_record = event_on_stream,
        .event_wait = event_on_stream,
        .event_done = event_done,
    };
    device.ops = judo_ops_cpu();
    return &device;
}
