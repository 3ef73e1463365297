/* tests/guard/guard_queue.c: queues of copies and clears, done as late as a program may
 * expect. */
#include "tests/guard/guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    enum { COPY, CLEAR, WAIT } kind;

    void *to;
    const void *from;
    int64_t bytes;
    judo_stream *behind; /* WAIT: this queue must have come to `number` */
    int64_t number;
    struct entry *next;
} entry;

struct judo_stream {
    entry *first, **last;
    int64_t queued, done; /* entries so far */
    judo_stream *older;   /* the list of all queues */
};

struct judo_event {
    judo_stream *stream; /* NULL: never recorded */
    int64_t number;
    bool asked; /* the first question is answered with no */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static judo_stream compute = {.last = &compute.first};
static judo_stream *newest = &compute;

static judo_stream *queue_of(judo_stream *stream)
{
    return stream ? stream : &compute;
}

static void perform(const entry *e)
{
    if (e->kind == COPY) {
        memmove(guard_host(e->to), guard_host(e->from), (size_t)e->bytes);
    } else {
        memset(guard_host(e->to), 0, (size_t)e->bytes);
    }
}

/* Until `number` entries are done. Events only point back in time: this ends. */
static void run_to(judo_stream *stream, int64_t number)
{
    while (stream->done < number && stream->first) {
        entry *e = stream->first;
        stream->first = e->next;
        if (!stream->first) {
            stream->last = &stream->first;
        }
        if (e->kind == WAIT) {
            run_to(e->behind, e->number);
        } else {
            perform(e);
        }
        stream->done++;
        free(e);
    }
}

void guard_run(judo_stream *stream)
{
    pthread_mutex_lock(&lock);
    run_to(queue_of(stream), queue_of(stream)->queued);
    pthread_mutex_unlock(&lock);
}

void guard_run_all(void)
{
    pthread_mutex_lock(&lock);
    for (judo_stream *stream = newest; stream; stream = stream->older) {
        run_to(stream, stream->queued);
    }
    pthread_mutex_unlock(&lock);
}

static judo_status add(judo_stream *stream, entry what)
{
    entry *e = malloc(sizeof *e);
    if (!e) {
        (void)JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no memory for a queue");
        guard_tell_program();
        return JUDO_ERROR_MEMORY;
    }
    *e = what;
    e->next = NULL;
    pthread_mutex_lock(&lock);
    *stream->last = e;
    stream->last = &e->next;
    stream->queued++;
    pthread_mutex_unlock(&lock);
    return JUDO_OK;
}

/* Whether a queued copy has yet to read from there. */
static bool is_awaited(const void *at, int64_t bytes)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (const judo_stream *stream = newest; stream && !found; stream = stream->older) {
        for (const entry *e = stream->first; e && !found; e = e->next) {
            found = e->kind == COPY && (const char *)e->from < (const char *)at + bytes &&
                    (const char *)at < (const char *)e->from + e->bytes;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Staging memory has no mark, so that host memory of every kind is treated as staging, except
 * where the contract lets the caller use it at once: what does not come from
 * allocate_staging. */
enum { STAGING_BLOCKS = 4096 };

static struct {
    char *at;
    int64_t bytes;
} staging[STAGING_BLOCKS];

static bool is_staging(const void *at, int64_t bytes)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < STAGING_BLOCKS && !found; i++) {
        found = staging[i].at && (const char *)at >= staging[i].at &&
                (const char *)at + bytes <= staging[i].at + staging[i].bytes;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static judo_status allocate_staging(void **out, int64_t bytes)
{
    void *taken = bytes < 0 ? NULL : malloc((size_t)bytes + 1);
    int free_place = -1;
    guard_count_allocation();
    pthread_mutex_lock(&lock);
    for (int i = 0; i < STAGING_BLOCKS && taken && free_place < 0; i++) {
        if (!staging[i].at) {
            free_place = i;
            staging[i].at = taken;
            staging[i].bytes = bytes;
        }
    }
    pthread_mutex_unlock(&lock);
    if (free_place < 0) {
        free(taken);
        (void)JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no staging memory");
        guard_tell_program();
        return JUDO_ERROR_MEMORY;
    }
    guard_spoil(taken, bytes);
    *out = taken;
    return JUDO_OK;
}

static void release_staging(void *memory)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < STAGING_BLOCKS && memory; i++) {
        if (staging[i].at == memory) {
            staging[i].at = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    free(memory);
}

static judo_status copy(void *to, const void *from, int64_t bytes, judo_stream *stream)
{
    if (bytes <= 0) {
        return JUDO_OK;
    }
    bool from_here = guard_holds(from, bytes);
    bool to_here = guard_holds(to, bytes);
    bool late = (from_here || is_staging(from, bytes)) && (to_here || is_staging(to, bytes));
    bool awaited = is_awaited(to, bytes);
    JUDO_TRY(
        add(queue_of(stream), (entry){.kind = COPY, .to = to, .from = from, .bytes = bytes}));
    if (!late) {
        guard_run(stream);
    } else if (!to_here && !awaited) {
        guard_spoil(to, bytes); /* what comes is not there before somebody waits for it */
    }
    return JUDO_OK;
}

static judo_status clear(void *memory, int64_t bytes, judo_stream *stream)
{
    if (bytes <= 0) {
        return JUDO_OK;
    }
    if (!guard_holds(memory, bytes)) {
        (void)JUDO_FAIL(JUDO_ERROR_ARGUMENT, "guard: clear: not memory of the device");
        guard_tell_program();
        return JUDO_ERROR_ARGUMENT;
    }
    return add(queue_of(stream), (entry){.kind = CLEAR, .to = memory, .bytes = bytes});
}

static judo_status stream_create(judo_stream **out)
{
    judo_stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        (void)JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no memory for a queue");
        guard_tell_program();
        return JUDO_ERROR_MEMORY;
    }
    stream->last = &stream->first;
    pthread_mutex_lock(&lock);
    stream->older = newest;
    newest = stream;
    pthread_mutex_unlock(&lock);
    *out = stream;
    return JUDO_OK;
}

static void stream_destroy(judo_stream *stream)
{
    if (!stream) {
        return;
    }
    guard_run(stream);
    pthread_mutex_lock(&lock);
    for (judo_stream **link = &newest; *link; link = &(*link)->older) {
        if (*link == stream) {
            *link = stream->older;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    free(stream);
}

static judo_status stream_finish(judo_stream *stream)
{
    guard_run(stream);
    return JUDO_OK;
}

static judo_status event_create(judo_event **out)
{
    judo_event *event = calloc(1, sizeof *event);
    if (!event) {
        (void)JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no memory for an event");
        guard_tell_program();
        return JUDO_ERROR_MEMORY;
    }
    *out = event;
    return JUDO_OK;
}

static void event_destroy(judo_event *event)
{
    free(event);
}

static judo_status event_record(judo_event *event, judo_stream *stream)
{
    pthread_mutex_lock(&lock);
    *event = (judo_event){.stream = queue_of(stream), .number = queue_of(stream)->queued};
    pthread_mutex_unlock(&lock);
    return JUDO_OK;
}

static judo_status event_wait(judo_event *event, judo_stream *stream)
{
    if (!event->stream || event->stream == queue_of(stream)) {
        return JUDO_OK;
    }
    return add(queue_of(stream),
               (entry){.kind = WAIT, .behind = event->stream, .number = event->number});
}

static judo_status event_done(judo_event *event, bool *done)
{
    pthread_mutex_lock(&lock);
    *done = !event->stream || event->stream->done >= event->number;
    if (!*done && event->asked) {
        run_to(event->stream, event->number);
        *done = true;
    }
    event->asked = true;
    pthread_mutex_unlock(&lock);
    return JUDO_OK;
}

void guard_fill_queue_slots(judo_device *device)
{
    device->allocate_staging = allocate_staging;
    device->release_staging = release_staging;
    device->copy = copy;
    device->clear = clear;
    device->stream_create = stream_create;
    device->stream_destroy = stream_destroy;
    device->stream_finish = stream_finish;
    device->event_create = event_create;
    device->event_destroy = event_destroy;
    device->event_record = event_record;
    device->event_wait = event_wait;
    device->event_done = event_done;
}
