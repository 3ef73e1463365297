/* models/drawn_tokens.h: what the rows of a generation drew: on the device, where the next step
 * reads it, and on its way to the host. */
#ifndef JUDO_MODELS_DRAWN_TOKENS_H
#define JUDO_MODELS_DRAWN_TOKENS_H

#include <stdbool.h>

#include "runtime/device.h"

typedef struct judo_drawn_tokens {
    const judo_device *device;
    int32_t num_rows;
    int64_t vocabulary;
    judo_draw_memory memory; /* draws [steps, rows], marks of each row */
    judo_draw *arrived;      /* [rows], of the step fetched last */
    judo_stream *arrivals;   /* on which steps come to the host, beside the next ones */
    judo_event *drawn[2];    /* behind even and odd steps */
} judo_drawn_tokens;

/* `banned` [vocabulary], of the host, may be NULL; with `penalised` each row has marks, all
 * clear. Free with judo_drawn_tokens_destroy, also after an error. */
judo_status judo_drawn_tokens_create(const judo_device *device, int32_t num_rows,
                                     int32_t num_steps, int64_t vocabulary, bool penalised,
                                     const uint8_t *banned,
                                     judo_drawn_tokens *out) JUDO_MUST_CHECK;
void judo_drawn_tokens_destroy(judo_drawn_tokens *drawn);
/* Bytes that they take on the device. */
int64_t judo_drawn_tokens_bytes(int32_t num_rows, int32_t num_steps, int64_t vocabulary,
                                bool penalised);

/* Sets the marks of rows [first, end) to `marks` [vocabulary], of the host. */
judo_status judo_drawn_tokens_mark(judo_drawn_tokens *drawn, int32_t first, int32_t end,
                                   const uint8_t *marks) JUDO_MUST_CHECK;

/* The place of a row's draw. */
int32_t judo_drawn_tokens_place(const judo_drawn_tokens *drawn, int32_t step, int32_t row);

/* A step's draws are queued. */
judo_status judo_drawn_tokens_queued(judo_drawn_tokens *drawn, int32_t step) JUDO_MUST_CHECK;
/* Waits for a step's draws, one of the last two queued, and for nothing behind them. draws
 * [rows]: what did not draw in that step is anything. Valid until the next call. */
judo_status judo_drawn_tokens_fetch(judo_drawn_tokens *drawn, int32_t step,
                                    const judo_draw **draws) JUDO_MUST_CHECK;

#endif
