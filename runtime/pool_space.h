/* runtime/pool_space.h: which parts of one run of memory are taken: offsets only, no memory.
 * Best fit: the smallest hole that is large enough, the first of several. The same calls give
 * the same offsets. */
#ifndef JUDO_RUNTIME_POOL_SPACE_H
#define JUDO_RUNTIME_POOL_SPACE_H

#include <stdint.h>

#include "runtime/status.h"

enum { JUDO_POOL_ALIGNMENT = 256 };

typedef struct judo_pool_space judo_pool_space;

typedef struct judo_pool_facts {
    int64_t capacity;
    int64_t used;         /* rounded to the alignment, as are all */
    int64_t peak;         /* the most that was used at once */
    int64_t largest_hole; /* what one call can still take */
} judo_pool_facts;

/* The bytes that a part of so many takes: whole multiples of the alignment, at least one. */
int64_t judo_pool_rounded(int64_t bytes);

/* Of `capacity` bytes, rounded down. */
judo_status judo_pool_space_create(int64_t capacity, judo_pool_space **out) JUDO_MUST_CHECK;
/* Accepts NULL. */
void judo_pool_space_destroy(judo_pool_space **space);

/* A part of `bytes`, which may be 0. JUDO_ERROR_MEMORY if no hole is large enough,
 * JUDO_ERROR_ARGUMENT below 0. */
judo_status judo_pool_space_take(judo_pool_space *space, int64_t bytes,
                                 int64_t *offset) JUDO_MUST_CHECK;
/* The part that begins there is free again. JUDO_ERROR_INTERNAL if none does; nothing changes
 * then. */
judo_status judo_pool_space_give_back(judo_pool_space *space, int64_t offset) JUDO_MUST_CHECK;

judo_pool_facts judo_pool_space_facts(const judo_pool_space *space);

#endif
