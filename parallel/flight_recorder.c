/* parallel/flight_recorder.c: a ring of the last collectives. */
#include "parallel/flight_recorder.h"

#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/timeline.h"

enum { PRINTED_ENTRIES = 20 };

/* FNV-1a */
static uint32_t hash(uint32_t start, const char *text)
{
    for (; *text != '\0'; text++) {
        start = (start ^ (unsigned char)*text) * 16777619u;
    }
    return start;
}

int64_t judo_flight_begin(judo_flight_recorder *recorder, const char *collective, int64_t bytes,
                          const char *phase, const char *unit)
{
    int64_t sequence = ++recorder->last;
    judo_flight *flight = &recorder->entries[sequence % JUDO_FLIGHT_ENTRIES];
    *flight = (judo_flight){
        .collective = collective, .sequence = sequence, .bytes = bytes, .began = judo_clock()};
    (void)snprintf(flight->phase, sizeof flight->phase, "%s", phase);
    (void)snprintf(flight->unit, sizeof flight->unit, "%s", unit != NULL ? unit : "");
    flight->label = hash(hash(2166136261u, collective), flight->unit);
    return sequence;
}

void judo_flight_end(judo_flight_recorder *recorder, int64_t sequence)
{
    judo_flight *flight = &recorder->entries[sequence % JUDO_FLIGHT_ENTRIES];
    if (flight->sequence != sequence) {
        return;
    }
    flight->ended = judo_clock();
    for (; recorder != NULL; recorder = recorder->outer) {
        recorder->in_flight_seconds += flight->ended - flight->began;
    }
    char name[JUDO_FLIGHT_UNIT_BYTES + 32];
    (void)snprintf(name, sizeof name, "%s %.3g MB",
                   flight->unit[0] != '\0' ? flight->unit : flight->collective,
                   1e-6 * (double)flight->bytes);
    bool reduces = strcmp(flight->collective, "reduce_scatter") == 0;
    judo_timeline_span(reduces ? JUDO_LANE_REDUCE : JUDO_LANE_GATHER, name, flight->began,
                       flight->ended);
}

const judo_flight *judo_flight_get(const judo_flight_recorder *recorder, int64_t sequence)
{
    const judo_flight *flight = &recorder->entries[sequence % JUDO_FLIGHT_ENTRIES];
    return sequence > 0 && flight->sequence == sequence ? flight : NULL;
}

judo_flight_notice judo_flight_describe(const judo_flight_recorder *recorder, int64_t sequence)
{
    const judo_flight *flight = judo_flight_get(recorder, sequence);
    judo_flight_notice notice = {.sequence = sequence};
    if (flight == NULL) {
        (void)snprintf(notice.text, sizeof notice.text, "#%lld", (long long)sequence);
        return notice;
    }
    bool is_small = flight->bytes < 10000;
    notice.label = flight->label;
    (void)snprintf(notice.text, sizeof notice.text, "#%lld %s%s%s, %.4g %s, in phase '%s'",
                   (long long)sequence, flight->collective,
                   flight->unit[0] != '\0' ? " of " : "", flight->unit,
                   (is_small ? 1 : 1e-6) * (double)flight->bytes, is_small ? "bytes" : "MB",
                   flight->phase);
    return notice;
}

void judo_flight_print(const judo_flight_recorder *recorder)
{
    double now = judo_clock();
    int64_t oldest = recorder->last - JUDO_FLIGHT_ENTRIES + 1;
    for (int64_t s = oldest > 1 ? oldest : 1; s <= recorder->last; s++) {
        const judo_flight *flight = judo_flight_get(recorder, s);
        if (flight == NULL || (flight->ended > 0 && s <= recorder->last - PRINTED_ENTRIES)) {
            continue;
        }
        judo_flight_notice notice = judo_flight_describe(recorder, s);
        if (flight->ended > 0) {
            JUDO_WARNING("collective %s: done in %.3f s", notice.text,
                         flight->ended - flight->began);
        } else {
            JUDO_WARNING("collective %s: OUTSTANDING for %.3f s", notice.text,
                         now - flight->began);
        }
    }
}
