/* runtime/timeline.h: what this process did when, as events of the Chrome trace format
 * (https://ui.perfetto.dev opens it). While no recording runs, a span costs a lock that
 * nobody else holds. Any thread may add spans. */
#ifndef JUDO_RUNTIME_TIMELINE_H
#define JUDO_RUNTIME_TIMELINE_H

#include <stdint.h>

#include "runtime/json.h"

/* Each is a lane of the picture: spans of one lane nest, those of two may overlap. */
typedef enum judo_lane {
    JUDO_LANE_STEP,    /* phases of the step on the main thread */
    JUDO_LANE_COMPUTE, /* units forward and backward */
    JUDO_LANE_GATHER,  /* weights under way */
    JUDO_LANE_REDUCE,  /* gradients under way */
    JUDO_LANE_WAIT,    /* the main thread stands still for another rank */
    JUDO_LANE_LOADER,  /* batches being built; one lane a loader thread */
} judo_lane;

/* Starts recording, at most `capacity` spans (64 bytes each). */
judo_status judo_timeline_start(int rank, int64_t capacity) JUDO_MUST_CHECK;
/* Recording ends, what was recorded stays until forget. */
void judo_timeline_stop(void);
void judo_timeline_forget(void);

/* Adds a span that began and ended at these readings of judo_clock(); `name` is cut at 31
 * bytes. Nothing happens while no recording runs. */
void judo_timeline_span(judo_lane lane, const char *name, double began, double ended);

/* Appends the events to an open array: names of process and lanes, then the spans, in
 * microseconds since the epoch, so that ranks line up as well as their hosts' clocks do. */
void judo_timeline_write(judo_json_writer *events);

/* Spans that did not fit. */
int64_t judo_timeline_dropped(void);

#endif
