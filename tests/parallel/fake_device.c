/* tests/parallel/fake_device.c: memory, queues and events of the fake device. */
#include "tests/parallel/fake_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORK_BYTES = 128 };

typedef struct entry {
    fake_step step;
    struct entry *next;
    _Alignas(16) char work[WORK_BYTES];
} entry;

struct judo_stream {
    entry *first, **last;
    int64_t queued, done;
    judo_stream *older;
};

struct judo_event {
    judo_stream *stream; /* NULL: never recorded */
    int64_t number;
};

static judo_stream compute = {.last = &compute.first};
static judo_stream *newest = &compute;

static judo_stream *queue_of(judo_stream *stream)
{
    return stream ? stream : &compute;
}

static void *must(void *memory)
{
    if (!memory) {
        (void)fprintf(stderr, "fake device: no memory\n");
        abort();
    }
    return memory;
}

judo_status fake_queue(judo_stream *stream, fake_step step, const void *work, int64_t bytes)
{
    judo_stream *queue = queue_of(stream);
    if (bytes > WORK_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "fake device: work of %lld bytes",
                         (long long)bytes);
    }
    entry *e = must(calloc(1, sizeof *e));
    e->step = step;
    memcpy(e->work, work, (size_t)bytes);
    *queue->last = e;
    queue->last = &e->next;
    queue->queued++;
    return JUDO_OK;
}

static void remove_first(judo_stream *queue)
{
    entry *e = queue->first;
    queue->first = e->next;
    if (!queue->first) {
        queue->last = &queue->first;
    }
    queue->done++;
    free(e);
}

void fake_progress(void)
{
    for (judo_stream *queue = newest; queue; queue = queue->older) {
        if (queue->first && queue->first->step(queue->first->work)) {
            remove_first(queue);
        }
    }
}

void fake_drop(judo_stream *stream)
{
    judo_stream *queue = queue_of(stream);
    while (queue->first) {
        remove_first(queue);
    }
}

static judo_status stream_finish(judo_stream *stream)
{
    while (queue_of(stream)->first) {
        fake_progress();
    }
    return JUDO_OK;
}

/* Memory lies in one region, by which copies know it. */
enum { REGION_BYTES = 64 << 20 };

static _Alignas(64) char region[REGION_BYTES];
static int64_t region_used, region_blocks;

static bool holds(const void *at)
{
    return (const char *)at >= region && (const char *)at < region + REGION_BYTES;
}

static judo_status allocate(void **out, int64_t bytes)
{
    int64_t padded = (bytes + 64) / 64 * 64;
    if (region_used + padded > REGION_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "fake device: full");
    }
    *out = region + region_used;
    memset(*out, 0xff, (size_t)padded); /* NaN */
    region_used += padded;
    region_blocks++;
    return JUDO_OK;
}

static void release(void *memory)
{
    if (memory && --region_blocks == 0) {
        region_used = 0;
    }
}

static judo_status memory(int64_t *available, int64_t *total)
{
    *total = REGION_BYTES;
    *available = REGION_BYTES - region_used;
    return JUDO_OK;
}

static judo_status allocate_staging(void **out, int64_t bytes)
{
    *out = must(malloc((size_t)bytes + 1));
    return JUDO_OK;
}

typedef struct copy_work {
    void *to, *own; /* own: a copy of host memory, which its caller may use again */
    const void *from;
    int64_t bytes;
} copy_work;

static bool do_copy(void *work)
{
    const copy_work *w = work;
    memmove(w->to, w->from, (size_t)w->bytes);
    free(w->own);
    return true;
}

static judo_status copy(void *to, const void *from, int64_t bytes, judo_stream *stream)
{
    copy_work work = {.to = to, .from = from, .bytes = bytes};
    if (!holds(from)) {
        work.own = must(malloc((size_t)bytes + 1));
        memcpy(work.own, from, (size_t)bytes);
        work.from = work.own;
    }
    JUDO_TRY(fake_queue(stream, do_copy, &work, sizeof work));
    return holds(to) ? JUDO_OK : stream_finish(stream);
}

static bool do_clear(void *work)
{
    const copy_work *w = work;
    memset(w->to, 0, (size_t)w->bytes);
    return true;
}

static judo_status clear(void *to, int64_t bytes, judo_stream *stream)
{
    copy_work work = {.to = to, .bytes = bytes};
    return fake_queue(stream, do_clear, &work, sizeof work);
}

static judo_status stream_create(judo_stream **out)
{
    judo_stream *stream = must(calloc(1, sizeof *stream));
    stream->last = &stream->first;
    stream->older = newest;
    newest = stream;
    *out = stream;
    return JUDO_OK;
}

static void stream_destroy(judo_stream *stream)
{
    fake_drop(stream);
    for (judo_stream **link = &newest; *link; link = &(*link)->older) {
        if (*link == stream) {
            *link = stream->older;
            break;
        }
    }
    free(stream);
}

static judo_status event_create(judo_event **out)
{
    *out = must(calloc(1, sizeof **out));
    return JUDO_OK;
}

static void event_destroy(judo_event *event)
{
    free(event);
}

static judo_status event_record(judo_event *event, judo_stream *stream)
{
    *event = (judo_event){.stream = queue_of(stream), .number = queue_of(stream)->queued};
    return JUDO_OK;
}

static bool is_past(void *work)
{
    const judo_event *event = work;
    return event->stream->done >= event->number;
}

static judo_status event_wait(judo_event *event, judo_stream *stream)
{
    return event->stream ? fake_queue(stream, is_past, event, sizeof *event) : JUDO_OK;
}

static judo_status event_done(judo_event *event, bool *done)
{
    fake_progress();
    *done = !event->stream || is_past(event);
    return JUDO_OK;
}

/* Ops are done when they return, in the order of the compute queue. */
static judo_status add(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(stream_finish(NULL));
    return judo_device_cpu()->ops->add(y, x);
}

const judo_device *fake_device(void)
{
    static judo_ops ops;
    static judo_device device = {
        .name = "fake",
        .description = "fake device",
        .ops = &ops,
        .separate = true,
        .memory = memory,
        .allocate = allocate,
        .release = release,
        .allocate_staging = allocate_staging,
        .release_staging = free,
        .copy = copy,
        .clear = clear,
        .stream_create = stream_create,
        .stream_destroy = stream_destroy,
        .stream_finish = stream_finish,
        .event_create = event_create,
        .event_destroy = event_destroy,
        .event_record = event_record,
        .event_wait = event_wait,
        .event_done = event_done,
        .collectives = &fake_collectives,
    };
    if (!ops.add) {
        ops = *judo_device_cpu()->ops;
        ops.add = add;
        fake_share_memory();
    }
    return &device;
}
