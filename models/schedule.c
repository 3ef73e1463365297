/* models/schedule.c: vision, merger, embedding, decoder, head; then back as far as needed. */
#include "models/schedule.h"

#include <stdlib.h>

judo_reach judo_reach_of(const judo_freeze *freeze)
{
    judo_reach reach = {.tower = !freeze->vision_tower, .embeddings = !freeze->embeddings};
    reach.merger = reach.tower || !freeze->merger;
    reach.decoder = reach.merger || reach.embeddings || !freeze->text_decoder;
    return reach;
}

static void push(judo_schedule *schedule, int unit)
{
    schedule->units[schedule->length++] = unit;
}

static void push_backward(judo_schedule *schedule, const judo_qwen_units *units,
                          const judo_reach *reach)
{
    for (int u = units->head - 1; reach->decoder && u >= units->first_decoder; u--) {
        push(schedule, u);
    }
    if (reach->merger) {
        push(schedule, units->merger);
    }
    /* The patch projection needs no weights to receive its gradient. */
    for (int u = units->merger - 1; reach->tower && u >= units->first_vision_block; u--) {
        push(schedule, u);
    }
}

judo_status judo_schedule_create(const judo_qwen_config *config, const judo_reach *reach,
                                 bool backward, judo_schedule *out)
{
    judo_qwen_units units = judo_qwen_units_of(config);
    judo_schedule schedule = {.units = calloc(2 * (size_t)units.head + 4, sizeof(int))};
    if (!schedule.units) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the schedule of %d units",
                         units.head + 1);
    }
    for (int u = units.patch; u <= units.merger; u++) {
        push(&schedule, u);
    }
    push(&schedule, units.embed);
    for (int u = units.first_decoder; u <= units.head; u++) {
        push(&schedule, u);
    }
    if (config->text.tie_word_embeddings) {
        push(&schedule, units.embed);
    }
    if (backward) {
        push_backward(&schedule, &units, reach);
    }
    *out = schedule;
    return JUDO_OK;
}

void judo_schedule_destroy(judo_schedule *schedule)
{
    free(schedule->units);
    *schedule = (judo_schedule){0};
}
