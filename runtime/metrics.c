/* runtime/metrics.c: metrics.jsonl, the console line, and the way to the event file. */
#include "runtime/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/event_file.h"
#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/log.h"

static const size_t max_log_bytes = (size_t)1 << 30;

struct judo_metrics {
    char *path;
    int descriptor;
    int64_t end; /* bytes of the file */
    judo_event_file *events;
    int64_t step;
    int64_t num_rows;
    int console_every;
    bool failed; /* no memory for a number of this row */
    judo_scalar *scalars;
    int count, capacity; /* names stay allocated from row to row */
    judo_json_writer row;
};

/* Whether a complete line of an earlier run stays. */
static bool keeps(const char *line, size_t length, const char *path, int64_t resume_step)
{
    judo_json *row = NULL;
    int64_t step = 0;
    judo_status status = judo_json_parse(line, length, path, &row);
    if (status == JUDO_OK) {
        status = judo_json_get_int(row, "step", path, &step);
    }
    judo_json_free(&row);
    if (status != JUDO_OK) {
        JUDO_WARNING("a damaged row is dropped: %s", judo_error_message());
        judo_error_clear();
        return false;
    }
    return resume_step < 0 || step <= resume_step;
}

/* Moves the kept lines to the front of `text`; a last line without its end was torn by a crash
 * and goes, too. */
static size_t filter_rows(char *text, size_t length, const char *path, int64_t resume_step)
{
    size_t kept = 0;
    char *line = text;
    char *end = text + length;
    char *newline = NULL;
    while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        size_t bytes = (size_t)(newline - line) + 1;
        if (keeps(line, bytes, path, resume_step)) {
            memmove(text + kept, line, bytes);
            kept += bytes;
        }
        line = newline + 1;
    }
    return kept;
}

static judo_status cut_rows(const char *path, int64_t resume_step)
{
    if (access(path, F_OK) != 0) {
        return JUDO_OK;
    }
    char *text = NULL;
    size_t length = 0;
    JUDO_TRY(judo_file_read_all(path, max_log_bytes, &text, &length));
    size_t kept = filter_rows(text, length, path, resume_step);
    judo_status status = JUDO_OK;
    if (kept != length) {
        status = judo_file_replace(path, text, kept);
    }
    free(text);
    return status;
}

static judo_status open_log(judo_metrics *metrics, const char *folder, int64_t resume_step)
{
    if (asprintf(&metrics->path, "%s/metrics.jsonl", folder) < 0) {
        metrics->path = NULL;
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    JUDO_TRY(judo_file_make_folder(folder));
    JUDO_TRY(cut_rows(metrics->path, resume_step));
    struct stat info;
    metrics->descriptor = open(metrics->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (metrics->descriptor < 0 || fstat(metrics->descriptor, &info) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", metrics->path, strerror(errno));
    }
    metrics->end = info.st_size;
    return JUDO_OK;
}

static judo_status open_events(judo_metrics *metrics, const char *folder, int64_t resume_step)
{
    char *name = NULL;
    if (asprintf(&name, "%s/tensorboard", folder) < 0) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    judo_status status = judo_event_file_open(name, resume_step, &metrics->events);
    free(name);
    return status;
}

judo_status judo_metrics_open(const char *folder, int64_t resume_step, bool tensorboard,
                              judo_metrics **out)
{
    judo_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", folder);
    }
    metrics->descriptor = -1;
    metrics->console_every = 1;
    judo_status status = open_log(metrics, folder, resume_step);
    if (status == JUDO_OK && tensorboard) {
        status = open_events(metrics, folder, resume_step);
    }
    if (status != JUDO_OK) {
        judo_metrics_close(&metrics);
        return status;
    }
    *out = metrics;
    return JUDO_OK;
}

void judo_metrics_set_console_every(judo_metrics *metrics, int rows)
{
    if (metrics != NULL) {
        metrics->console_every = rows;
    }
}

void judo_metrics_begin(judo_metrics *metrics, int64_t step)
{
    if (metrics != NULL) {
        metrics->step = step;
        metrics->count = 0;
        metrics->failed = false;
    }
}

static bool grow(judo_metrics *m)
{
    if (m->count < m->capacity) {
        return true;
    }
    int capacity = m->capacity ? 2 * m->capacity : 32;
    judo_scalar *grown = realloc(m->scalars, (size_t)capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    memset(grown + m->capacity, 0, (size_t)(capacity - m->capacity) * sizeof *grown);
    m->scalars = grown;
    m->capacity = capacity;
    return true;
}

void judo_metrics_put(judo_metrics *metrics, const char *name, double value)
{
    if (metrics == NULL || strcmp(name, "step") == 0 || strcmp(name, "time") == 0) {
        return;
    }
    for (int i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->scalars[i].name, name) == 0) {
            metrics->scalars[i].value = value;
            return;
        }
    }
    if (!grow(metrics)) {
        metrics->failed = true;
        return;
    }
    /* Rows mostly repeat the names of the row before. */
    judo_scalar *scalar = &metrics->scalars[metrics->count];
    if (scalar->name == NULL || strcmp(scalar->name, name) != 0) {
        free(scalar->name);
        scalar->name = strdup(name);
    }
    if (scalar->name == NULL) {
        metrics->failed = true;
        return;
    }
    scalar->value = value;
    metrics->count++;
}

static void print_row(const judo_metrics *m)
{
    char line[2048];
    size_t used = (size_t)snprintf(line, sizeof line, "step %6lld", (long long)m->step);
    for (int i = 0; i < m->count && used < sizeof line; i++) {
        int n = snprintf(line + used, sizeof line - used, "  %s %-9.4g", m->scalars[i].name,
                         m->scalars[i].value);
        used += (size_t)n;
    }
    used = strlen(line);
    while (line[used - 1] == ' ') {
        line[--used] = '\0';
    }
    JUDO_INFO("%s", line);
}

static judo_status write_row(judo_metrics *m, double now)
{
    judo_json_writer *w = &m->row;
    judo_json_writer_clear(w);
    judo_json_begin_object(w, NULL);
    judo_json_put_int(w, "step", m->step);
    judo_json_put_double(w, "time", now);
    for (int i = 0; i < m->count; i++) {
        judo_json_put_double(w, m->scalars[i].name, m->scalars[i].value);
    }
    judo_json_end_object(w);
    JUDO_TRY(judo_json_writer_check(w));
    w->text[w->length] = '\n'; /* over the terminator: one write per row */
    JUDO_TRY(judo_file_pwrite(m->descriptor, m->path, w->text, w->length + 1, m->end));
    m->end += (int64_t)w->length + 1;
    return JUDO_OK;
}

judo_status judo_metrics_end(judo_metrics *metrics)
{
    if (metrics == NULL) {
        return JUDO_OK;
    }
    if (metrics->failed) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a row", metrics->path);
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    long milliseconds = now.tv_nsec / 1000000;
    double seconds = (double)now.tv_sec + 1e-3 * (double)milliseconds;
    if (metrics->console_every > 0 && metrics->num_rows % metrics->console_every == 0) {
        print_row(metrics);
    }
    metrics->num_rows++;
    JUDO_TRY(write_row(metrics, seconds));
    if (metrics->events == NULL) {
        return JUDO_OK;
    }
    return judo_event_file_write(metrics->events, metrics->step, seconds, metrics->scalars,
                                 metrics->count);
}

void judo_metrics_close(judo_metrics **metrics)
{
    if (metrics == NULL || *metrics == NULL) {
        return;
    }
    judo_metrics *m = *metrics;
    judo_event_file_close(&m->events);
    if (m->descriptor >= 0) {
        (void)close(m->descriptor);
    }
    for (int i = 0; i < m->capacity; i++) {
        free(m->scalars[i].name);
    }
    free(m->scalars);
    judo_json_writer_free(&m->row);
    free(m->path);
    free(m);
    *metrics = NULL;
}
