/* models/activation_arena.c: a stack in one allocation. */
#include "models/activation_arena.h"

#include <inttypes.h>

enum { ALIGNMENT = 64 };

judo_status judo_arena_create(const judo_device *device, int64_t bytes,
                              judo_activation_arena *arena)
{
    void *memory = NULL;
    judo_status status = device->allocate(&memory, bytes);
    if (status == JUDO_ERROR_MEMORY) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "device %s: no memory for %" PRId64
                         " bytes of activations; lower the tokens or patches per batch",
                         device->name, bytes);
    }
    JUDO_TRY(status);
    *arena = (judo_activation_arena){.device = device, .memory = memory, .capacity = bytes};
    return JUDO_OK;
}

void judo_arena_destroy(judo_activation_arena *arena)
{
    if (arena->memory) {
        arena->device->release(arena->memory);
    }
    *arena = (judo_activation_arena){0};
}

void *judo_arena_take(judo_activation_arena *arena, int64_t bytes)
{
    int64_t begin = arena->used;
    arena->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (arena->used > arena->peak) {
        arena->peak = arena->used;
    }
    if (!arena->memory) {
        return NULL;
    }
    if (arena->used > arena->capacity) {
        arena->exhausted = true;
        return NULL;
    }
    return arena->memory + begin;
}

judo_tensor judo_arena_take_1d(judo_activation_arena *arena, judo_dtype dtype, int64_t rows)
{
    void *data = judo_arena_take(arena, rows * judo_dtype_bytes(dtype));
    return judo_tensor_1d(data, dtype, rows);
}

judo_tensor judo_arena_take_2d(judo_activation_arena *arena, judo_dtype dtype, int64_t rows,
                               int64_t columns)
{
    void *data = judo_arena_take(arena, rows * columns * judo_dtype_bytes(dtype));
    return judo_tensor_2d(data, dtype, rows, columns);
}

judo_tensor judo_arena_take_3d(judo_activation_arena *arena, judo_dtype dtype, int64_t a,
                               int64_t b, int64_t c)
{
    void *data = judo_arena_take(arena, a * b * c * judo_dtype_bytes(dtype));
    return judo_tensor_3d(data, dtype, a, b, c);
}

int64_t judo_arena_mark(const judo_activation_arena *arena)
{
    return arena->used;
}

void judo_arena_release(judo_activation_arena *arena, int64_t mark)
{
    arena->used = mark;
}

void judo_arena_reset(judo_activation_arena *arena)
{
    arena->used = arena->peak = 0;
    arena->exhausted = false;
}

judo_status judo_arena_check(const judo_activation_arena *arena, const char *what)
{
    if (arena->exhausted) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "%s needs %" PRId64 " bytes of activations, but the plan has %" PRId64
                         "; raise max_tokens or max_patches, or make the batch smaller",
                         what, arena->peak, arena->capacity);
    }
    return JUDO_OK;
}

judo_status judo_tensor_zero(const judo_device *device, judo_tensor *tensor)
{
    int64_t bytes = judo_tensor_count(tensor) * judo_dtype_bytes(tensor->dtype);
    return bytes > 0 ? device->clear(tensor->data, bytes, NULL) : JUDO_OK;
}
