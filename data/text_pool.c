/* data/text_pool.c: a hash table with linear probing over a growing list of texts. */
#include "data/text_pool.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return h ^ (h >> 32);
}

/* The slot that holds `text` or the free one where it would go; num_slots is a power of two. */
static int64_t probe(const judo_text_pool *pool, const char *text)
{
    int64_t mask = pool->num_slots - 1;
    int64_t slot = (int64_t)(hash(text) & (uint64_t)mask);
    while (pool->slots[slot] != 0 && strcmp(pool->texts[pool->slots[slot] - 1], text) != 0) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

int64_t judo_text_pool_find(const judo_text_pool *pool, const char *text)
{
    return pool->num_slots == 0 ? -1 : pool->slots[probe(pool, text)] - 1;
}

static judo_status out_of_memory(const judo_text_pool *pool)
{
    return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for text number %lld",
                     (long long)pool->count);
}

static judo_status grow(judo_text_pool *pool)
{
    int64_t capacity = pool->capacity > 0 ? 2 * pool->capacity : 64;
    char **texts = realloc(pool->texts, (size_t)capacity * sizeof *texts);
    if (texts == NULL) {
        return out_of_memory(pool);
    }
    pool->texts = texts;
    int64_t *slots = calloc((size_t)(2 * capacity), sizeof *slots);
    if (slots == NULL) {
        return out_of_memory(pool);
    }
    free(pool->slots);
    pool->slots = slots;
    pool->num_slots = 2 * capacity;
    pool->capacity = capacity;
    for (int64_t i = 0; i < pool->count; i++) {
        pool->slots[probe(pool, pool->texts[i])] = i + 1;
    }
    return JUDO_OK;
}

judo_status judo_text_pool_add(judo_text_pool *pool, const char *text, int64_t *index)
{
    int64_t found = judo_text_pool_find(pool, text);
    if (found >= 0) {
        *index = found;
        return JUDO_OK;
    }
    if (pool->count == pool->capacity) {
        JUDO_TRY(grow(pool));
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return out_of_memory(pool);
    }
    pool->slots[probe(pool, text)] = pool->count + 1;
    pool->texts[pool->count] = copy;
    *index = pool->count++;
    return JUDO_OK;
}

void judo_text_pool_free(judo_text_pool *pool)
{
    for (int64_t i = 0; i < pool->count; i++) {
        free(pool->texts[i]);
    }
    free(pool->texts);
    free(pool->slots);
    *pool = (judo_text_pool){0};
}
