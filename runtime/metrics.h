/* runtime/metrics.h: one row of named numbers per step, to every sink: console, metrics.jsonl,
 * TensorBoard events. */
#ifndef JUDO_RUNTIME_METRICS_H
#define JUDO_RUNTIME_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_metrics judo_metrics;

/* Opens `folder`/metrics.jsonl (appending; rows with step > `resume_step` of an earlier run are
 * cut off when resume_step >= 0) and, if `tensorboard`, an event file in `folder`/tensorboard.
 * Rank 0 only: other ranks pass NULL around. */
judo_status judo_metrics_open(const char *folder, int64_t resume_step, bool tensorboard,
                              judo_metrics **out) JUDO_MUST_CHECK;
/* Prints every `rows`th row to the log (1 at first; 0: none). Accepts NULL. */
void judo_metrics_set_console_every(judo_metrics *metrics, int rows);
/* Starts the row of `step`; put adds a number (not "step" or "time", which each row has
 * anyhow); end writes it to the files and perhaps the log. All accept NULL. */
void judo_metrics_begin(judo_metrics *metrics, int64_t step);
void judo_metrics_put(judo_metrics *metrics, const char *name, double value);
judo_status judo_metrics_end(judo_metrics *metrics) JUDO_MUST_CHECK;
void judo_metrics_close(judo_metrics **metrics);

#endif
