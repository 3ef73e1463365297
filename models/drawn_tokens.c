/* models/drawn_tokens.c: a step's draws stand together, so that one copy brings them. */
#include "models/drawn_tokens.h"

#include <stddef.h>

static int64_t draw_bytes(int64_t count)
{
    return count * (int64_t)sizeof(judo_draw);
}

int64_t judo_drawn_tokens_bytes(int32_t num_rows, int32_t num_steps, int64_t vocabulary,
                                bool penalised)
{
    return draw_bytes((int64_t)num_rows * num_steps) + vocabulary +
           (penalised ? num_rows * vocabulary : 0);
}

static judo_status allocate(judo_drawn_tokens *drawn, int32_t num_steps, bool penalised,
                            const uint8_t *banned)
{
    const judo_device *device = drawn->device;
    const int64_t count = (int64_t)drawn->num_rows * num_steps;
    void *memory = NULL;
    JUDO_TRY(device->allocate(&memory, draw_bytes(count)));
    drawn->memory.draws = memory;
    drawn->memory.num_draws = count;
    if (penalised) {
        JUDO_TRY(device->allocate(&memory, drawn->num_rows * drawn->vocabulary));
        drawn->memory.seen = memory;
        drawn->memory.num_seen = drawn->num_rows;
        JUDO_TRY(device->clear(memory, drawn->num_rows * drawn->vocabulary, NULL));
    }
    if (banned) {
        JUDO_TRY(device->allocate(&memory, drawn->vocabulary));
        drawn->memory.banned = memory;
        JUDO_TRY(device->copy(memory, banned, drawn->vocabulary, NULL));
    }
    JUDO_TRY(device->allocate_staging(&memory, draw_bytes(drawn->num_rows)));
    drawn->arrived = memory;
    return JUDO_OK;
}

judo_status judo_drawn_tokens_create(const judo_device *device, int32_t num_rows,
                                     int32_t num_steps, int64_t vocabulary, bool penalised,
                                     const uint8_t *banned, judo_drawn_tokens *out)
{
    *out =
        (judo_drawn_tokens){.device = device, .num_rows = num_rows, .vocabulary = vocabulary};
    JUDO_TRY(allocate(out, num_steps, penalised, banned));
    JUDO_TRY(device->stream_create(&out->arrivals));
    JUDO_TRY(device->event_create(&out->drawn[0]));
    return device->event_create(&out->drawn[1]);
}

void judo_drawn_tokens_destroy(judo_drawn_tokens *drawn)
{
    const judo_device *device = drawn->device;
    if (device) {
        device->event_destroy(drawn->drawn[0]);
        device->event_destroy(drawn->drawn[1]);
        device->stream_destroy(drawn->arrivals);
        device->release_staging(drawn->arrived);
        device->release(drawn->memory.draws);
        device->release(drawn->memory.seen);
        device->release((void *)(uintptr_t)drawn->memory.banned);
    }
    *drawn = (judo_drawn_tokens){0};
}

judo_status judo_drawn_tokens_mark(judo_drawn_tokens *drawn, int32_t first, int32_t end,
                                   const uint8_t *marks)
{
    for (int32_t row = first; row < end; row++) {
        JUDO_TRY(drawn->device->copy(drawn->memory.seen + row * drawn->vocabulary, marks,
                                     drawn->vocabulary, NULL));
    }
    return JUDO_OK;
}

int32_t judo_drawn_tokens_place(const judo_drawn_tokens *drawn, int32_t step, int32_t row)
{
    return step * drawn->num_rows + row;
}

judo_status judo_drawn_tokens_queued(judo_drawn_tokens *drawn, int32_t step)
{
    return drawn->device->event_record(drawn->drawn[step % 2], NULL);
}

judo_status judo_drawn_tokens_fetch(judo_drawn_tokens *drawn, int32_t step,
                                    const judo_draw **draws)
{
    const judo_device *device = drawn->device;
    const judo_draw *from = drawn->memory.draws + judo_drawn_tokens_place(drawn, step, 0);
    JUDO_TRY(device->event_wait(drawn->drawn[step % 2], drawn->arrivals));
    JUDO_TRY(device->copy(drawn->arrived, from, draw_bytes(drawn->num_rows), drawn->arrivals));
    JUDO_TRY(device->stream_finish(drawn->arrivals));
    *draws = drawn->arrived;
    return JUDO_OK;
}
