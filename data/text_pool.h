/* data/text_pool.h: distinct texts, numbered in the order of arrival. */
#ifndef JUDO_DATA_TEXT_POOL_H
#define JUDO_DATA_TEXT_POOL_H

#include <stdint.h>

#include "runtime/status.h"

/* Starts zeroed. texts[0 .. count) are owned by the pool and stay where they are. */
typedef struct judo_text_pool {
    char **texts;
    int64_t count, capacity;
    int64_t *slots; /* text number + 1; 0: free */
    int64_t num_slots;
} judo_text_pool;

/* The number of `text`, or -1. */
int64_t judo_text_pool_find(const judo_text_pool *pool, const char *text);
/* The number of `text`, which is copied into the pool if it is new. */
judo_status judo_text_pool_add(judo_text_pool *pool, const char *text,
                               int64_t *index) JUDO_MUST_CHECK;
void judo_text_pool_free(judo_text_pool *pool);

#endif
