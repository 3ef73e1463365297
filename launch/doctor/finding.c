/* launch/doctor/finding.c: findings as lines between processes, and as a page. */
#include "launch/doctor/finding.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A finding on its way: mark, level, area, text, remedy, parted by MARK; ends with a newline.
 */
#define MARK '\x1f'

static const char *const names[JUDO_FINDING_LEVELS] = {"ok", "warn", "BAD"};

/* Control characters would end or part the line. */
static void put_plain(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        (void)fputc((unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c, out);
    }
}

void judo_doctor_say(FILE *out, judo_finding_level level, const char *area, const char *remedy,
                     const char *format, ...)
{
    char text[JUDO_FINDING_TEXT];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fprintf(out, "%c%d%c", MARK, (int)level, MARK);
    put_plain(out, area);
    (void)fputc(MARK, out);
    put_plain(out, text);
    (void)fputc(MARK, out);
    put_plain(out, remedy ? remedy : "");
    (void)fputc('\n', out);
}

judo_status judo_doctor_add(judo_doctor_report *report, const judo_finding *finding)
{
    if (report->count == report->capacity) {
        int capacity = report->capacity == 0 ? 32 : 2 * report->capacity;
        judo_finding *grown = realloc(report->findings, (size_t)capacity * sizeof *grown);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d findings", capacity);
        }
        report->findings = grown;
        report->capacity = capacity;
    }
    report->findings[report->count++] = *finding;
    report->of_level[finding->level]++;
    return JUDO_OK;
}

/* The field up to the next mark or the line's end; gives the place behind it, NULL if no mark
 * comes where one must. */
static const char *take_field(const char *at, const char *end, bool is_last, char *out,
                              size_t bytes)
{
    const char *stop = memchr(at, MARK, (size_t)(end - at));
    if ((stop == NULL) != is_last) {
        return NULL;
    }
    stop = is_last ? end : stop;
    (void)snprintf(out, bytes, "%.*s", (int)(stop - at), at);
    return is_last ? end : stop + 1;
}

static bool parse_line(const char *at, const char *end, judo_finding *out)
{
    *out = (judo_finding){0};
    if (end - at < 3 || at[0] != MARK || at[2] != MARK || at[1] < '0' ||
        at[1] >= '0' + JUDO_FINDING_LEVELS) {
        return false;
    }
    out->level = (judo_finding_level)(at[1] - '0');
    at = take_field(at + 3, end, false, out->area, sizeof out->area);
    at = at ? take_field(at, end, false, out->text, sizeof out->text) : NULL;
    return at != NULL && take_field(at, end, true, out->remedy, sizeof out->remedy) != NULL;
}

judo_status judo_doctor_read(judo_doctor_report *report, const char *text, size_t length)
{
    const char *stop = text + length;
    for (const char *at = text; at < stop;) {
        judo_finding finding;
        const char *end = memchr(at, '\n', (size_t)(stop - at));
        if (end == NULL) {
            break;
        }
        if (parse_line(at, end, &finding)) {
            JUDO_TRY(judo_doctor_add(report, &finding));
        }
        at = end + 1;
    }
    return JUDO_OK;
}

void judo_doctor_print(FILE *out, const judo_doctor_report *report)
{
    for (int i = 0; i < report->count; i++) {
        const judo_finding *finding = &report->findings[i];
        if (i == 0 || strcmp(finding->area, finding[-1].area) != 0) {
            (void)fprintf(out, "%s%s\n", i > 0 ? "\n" : "", finding->area);
        }
        (void)fprintf(out, "  %-5s %s\n", names[finding->level], finding->text);
        if (finding->remedy[0]) {
            (void)fprintf(out, "        -> %s\n", finding->remedy);
        }
    }
    (void)fprintf(out, "\n%d ok, %d to look at, %d bad\n", report->of_level[JUDO_FINDING_OK],
                  report->of_level[JUDO_FINDING_WARN], report->of_level[JUDO_FINDING_BAD]);
}

void judo_doctor_free(judo_doctor_report *report)
{
    free(report->findings);
    *report = (judo_doctor_report){0};
}
