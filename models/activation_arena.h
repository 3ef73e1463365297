/* models/activation_arena.h: the one block of a device's memory that activations live in,
 * handed out as a stack. Without memory it only counts, so that a plan and a step run the same
 * lines. */
#ifndef JUDO_MODELS_ACTIVATION_ARENA_H
#define JUDO_MODELS_ACTIVATION_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/device.h"

typedef struct judo_activation_arena {
    const judo_device *device; /* whose memory it is */
    char *memory;              /* NULL: count only */
    int64_t capacity, used, peak;
    bool exhausted; /* something did not fit; judo_arena_check tells */
} judo_activation_arena;

/* Allocates `bytes` on the device; free with judo_arena_destroy. */
judo_status judo_arena_create(const judo_device *device, int64_t bytes,
                              judo_activation_arena *arena) JUDO_MUST_CHECK;
void judo_arena_destroy(judo_activation_arena *arena);

/* Takes `bytes` (64-byte aligned, not zeroed). NULL when counting or exhausted. */
void *judo_arena_take(judo_activation_arena *arena, int64_t bytes);
judo_tensor judo_arena_take_1d(judo_activation_arena *arena, judo_dtype dtype, int64_t rows);
judo_tensor judo_arena_take_2d(judo_activation_arena *arena, judo_dtype dtype, int64_t rows,
                               int64_t columns);
judo_tensor judo_arena_take_3d(judo_activation_arena *arena, judo_dtype dtype, int64_t a,
                               int64_t b, int64_t c);

/* Everything taken after the mark is given back by release. */
int64_t judo_arena_mark(const judo_activation_arena *arena);
void judo_arena_release(judo_activation_arena *arena, int64_t mark);

/* Gives everything back and forgets the peak. */
void judo_arena_reset(judo_activation_arena *arena);

/* JUDO_ERROR_MEMORY with the numbers if something did not fit since the last reset. */
judo_status judo_arena_check(const judo_activation_arena *arena,
                             const char *what) JUDO_MUST_CHECK;

/* Zeroes the elements of a tensor of the device, in the order of its queue. */
judo_status judo_tensor_zero(const judo_device *device, judo_tensor *tensor) JUDO_MUST_CHECK;

#endif
