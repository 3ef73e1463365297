/* data/loader.c: a ring of slots; ticket t is built in slot t modulo their number. */
#include "data/loader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/timeline.h"

enum { MAX_THREADS = 256, MAX_SLOTS = 1024 };

typedef enum slot_state { SLOT_FREE, SLOT_BUILDING, SLOT_READY } slot_state;

typedef struct slot {
    judo_batch_builder *builder;
    slot_state state;
    judo_status status;
    char *message; /* of a failed build */
} slot;

struct judo_loader {
    judo_loader_options options;
    slot *slots;
    pthread_t *threads;
    int num_started;
    pthread_mutex_t lock;
    pthread_cond_t slot_freed, slot_ready;
    int64_t next_to_build, next_to_deliver;
    bool stop;
};

static slot *slot_of(judo_loader *loader, int64_t ticket)
{
    return &loader->slots[ticket % loader->options.num_slots];
}

static bool is_past_end(const judo_loader *loader, int64_t ticket)
{
    return loader->options.end_ticket >= 0 && ticket >= loader->options.end_ticket;
}

/* Without the lock: the slot belongs to the builder now. */
static void build(judo_loader *loader, slot *s, int64_t ticket)
{
    double began = judo_clock();
    judo_batch_builder_reset(s->builder);
    s->status = loader->options.build(loader->options.context, ticket, s->builder);
    judo_timeline_span(JUDO_LANE_LOADER, "batch", began, judo_clock());
    free(s->message);
    s->message = s->status != JUDO_OK ? strdup(judo_error_message()) : NULL;
}

static void *work(void *argument)
{
    judo_loader *loader = argument;
    (void)pthread_mutex_lock(&loader->lock);
    while (!loader->stop && !is_past_end(loader, loader->next_to_build)) {
        int64_t ticket = loader->next_to_build;
        slot *s = slot_of(loader, ticket);
        if (s->state != SLOT_FREE) {
            (void)pthread_cond_wait(&loader->slot_freed, &loader->lock);
            continue;
        }
        loader->next_to_build++;
        s->state = SLOT_BUILDING;
        (void)pthread_mutex_unlock(&loader->lock);
        build(loader, s, ticket);
        (void)pthread_mutex_lock(&loader->lock);
        s->state = SLOT_READY;
        (void)pthread_cond_broadcast(&loader->slot_ready);
    }
    (void)pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static judo_status check_options(const judo_loader_options *o)
{
    if (o->num_held < 0 || o->num_held >= o->num_slots || o->num_threads < 0 ||
        o->num_threads > MAX_THREADS || o->num_slots < 2 || o->num_slots > MAX_SLOTS ||
        o->first_ticket < 0 || o->end_ticket < -1) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "loader: %d threads (0 to %d), %d slots (2 to %d), tickets %lld to %lld",
            o->num_threads, MAX_THREADS, o->num_slots, MAX_SLOTS, (long long)o->first_ticket,
            (long long)o->end_ticket);
    }
    return JUDO_OK;
}

static judo_status start(judo_loader *loader)
{
    const judo_loader_options *options = &loader->options;
    loader->slots = calloc((size_t)options->num_slots, sizeof *loader->slots);
    loader->threads = calloc((size_t)options->num_threads + 1, sizeof *loader->threads);
    if (loader->slots == NULL || loader->threads == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a loader of %d slots",
                         options->num_slots);
    }
    for (int i = 0; i < options->num_slots; i++) {
        JUDO_TRY(judo_batch_builder_create(options->processor, &loader->slots[i].builder));
    }
    for (int i = 0; i < options->num_threads; i++) {
        int error = pthread_create(&loader->threads[i], NULL, work, loader);
        if (error != 0) {
            return JUDO_FAIL(JUDO_ERROR_IO, "cannot start loader thread %d of %d: %s", i + 1,
                             options->num_threads, strerror(error));
        }
        loader->num_started++;
    }
    return JUDO_OK;
}

judo_status judo_loader_open(const judo_loader_options *options, judo_loader **out)
{
    JUDO_TRY(check_options(options));
    judo_loader *loader = calloc(1, sizeof *loader);
    if (loader == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a loader");
    }
    loader->options = *options;
    loader->options.num_held = options->num_held > 0 ? options->num_held : 1;
    loader->next_to_build = loader->next_to_deliver = options->first_ticket;
    (void)pthread_mutex_init(&loader->lock, NULL);
    (void)pthread_cond_init(&loader->slot_freed, NULL);
    (void)pthread_cond_init(&loader->slot_ready, NULL);
    judo_status status = start(loader);
    if (status != JUDO_OK) {
        judo_loader_close(&loader);
        return status;
    }
    *out = loader;
    return JUDO_OK;
}

void judo_loader_close(judo_loader **loader)
{
    judo_loader *l = *loader;
    if (l == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&l->lock);
    l->stop = true;
    (void)pthread_cond_broadcast(&l->slot_freed);
    (void)pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->num_started; i++) {
        (void)pthread_join(l->threads[i], NULL);
    }
    for (int i = 0; l->slots != NULL && i < l->options.num_slots; i++) {
        judo_batch_builder_destroy(&l->slots[i].builder);
        free(l->slots[i].message);
    }
    free(l->slots);
    free(l->threads);
    (void)pthread_cond_destroy(&l->slot_ready);
    (void)pthread_cond_destroy(&l->slot_freed);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
    *loader = NULL;
}

/* The slot of the next ticket, built; the caller's oldest one goes back to the threads. */
static slot *wait_for_slot(judo_loader *loader, int64_t ticket)
{
    slot *s = slot_of(loader, ticket);
    if (loader->options.num_threads == 0) {
        build(loader, s, ticket);
        return s;
    }
    (void)pthread_mutex_lock(&loader->lock);
    int64_t returned = ticket - loader->options.num_held;
    if (returned >= loader->options.first_ticket) {
        slot_of(loader, returned)->state = SLOT_FREE;
        (void)pthread_cond_broadcast(&loader->slot_freed);
    }
    while (s->state != SLOT_READY) {
        (void)pthread_cond_wait(&loader->slot_ready, &loader->lock);
    }
    (void)pthread_mutex_unlock(&loader->lock);
    return s;
}

judo_status judo_loader_next(judo_loader *loader, judo_batch_builder **out)
{
    int64_t ticket = loader->next_to_deliver;
    if (is_past_end(loader, ticket)) {
        *out = NULL;
        return JUDO_OK;
    }
    slot *s = wait_for_slot(loader, ticket);
    loader->next_to_deliver++;
    if (s->status != JUDO_OK) {
        return judo_error_set(s->status, s->message != NULL ? s->message : "no memory");
    }
    *out = s->builder;
    return JUDO_OK;
}
