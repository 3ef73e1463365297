/* launch/doctor/finding.h: what `judo doctor` has to say: lines with a level and a remedy. */
#ifndef JUDO_LAUNCH_DOCTOR_FINDING_H
#define JUDO_LAUNCH_DOCTOR_FINDING_H

#include <stdio.h>

#include "runtime/status.h"

typedef enum judo_finding_level {
    JUDO_FINDING_OK,
    JUDO_FINDING_WARN, /* works, but slower or narrower than it could */
    JUDO_FINDING_BAD   /* a job will fail */
} judo_finding_level;

enum { JUDO_FINDING_LEVELS = 3, JUDO_FINDING_TEXT = 480 };

typedef struct judo_finding {
    judo_finding_level level;
    char area[24];
    char text[JUDO_FINDING_TEXT];
    char remedy[JUDO_FINDING_TEXT]; /* "" : none needed */
} judo_finding;

typedef struct judo_doctor_report {
    judo_finding *findings; /* [count] */
    int count, capacity;
    int of_level[JUDO_FINDING_LEVELS];
} judo_doctor_report;

/* Says something about `area` to a stream that judo_doctor_read understands: one line whatever
 * the texts hold. `remedy`: what to do about it, or NULL. */
void judo_doctor_say(FILE *out, judo_finding_level level, const char *area, const char *remedy,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

judo_status judo_doctor_add(judo_doctor_report *report,
                            const judo_finding *finding) JUDO_MUST_CHECK;

/* Adds the findings that judo_doctor_say wrote; anything else in the text, such as lines that a
 * library prints and a last line that was cut, is passed over. */
judo_status judo_doctor_read(judo_doctor_report *report, const char *text,
                             size_t length) JUDO_MUST_CHECK;

/* A heading per area, a line per finding, remedies below theirs, the counts. */
void judo_doctor_print(FILE *out, const judo_doctor_report *report);

void judo_doctor_free(judo_doctor_report *report);

#endif
