/* data/loader.h: batches made ahead of time by threads and handed out in order. A ticket is the
 * number of a batch; what a batch holds is a function of its ticket alone, so the number of
 * threads changes nothing. */
#ifndef JUDO_DATA_LOADER_H
#define JUDO_DATA_LOADER_H

#include "data/batch_builder.h"

/* Fills `builder` (empty on entry) for `ticket`. Called from several threads at once. */
typedef judo_status (*judo_loader_build)(void *context, int64_t ticket,
                                         judo_batch_builder *builder);

typedef struct judo_loader_options {
    const judo_image_processor *processor;
    judo_loader_build build;
    void *context;
    int num_threads;      /* 0: built in the caller's thread, when asked for */
    int num_slots;        /* batches kept ahead, 2 or more (those handed out included) */
    int64_t first_ticket; /* 0, or where a resumed run goes on */
    int64_t end_ticket;   /* one past the last; -1: endless */
    int num_held;         /* a batch stays valid for so many calls of next; 0: 1 */
} judo_loader_options;

typedef struct judo_loader judo_loader;

judo_status judo_loader_open(const judo_loader_options *options,
                             judo_loader **out) JUDO_MUST_CHECK;
/* Waits for the builds under way and frees everything. Accepts NULL inside. */
void judo_loader_close(judo_loader **loader);

/* The next batch in ticket order, valid until the num_held-th call after this; NULL after the
 * last ticket. A failed build is reported at its ticket, and the next call goes on with the
 * ticket after it. Call from one thread. */
judo_status judo_loader_next(judo_loader *loader, judo_batch_builder **out) JUDO_MUST_CHECK;

#endif
