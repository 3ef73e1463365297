/* eval/series.c: growing arrays of points, one per metric. */
#include "eval/series.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/json.h"

enum { MAX_SERIES = 512 };

const judo_series *judo_series_find(const judo_series_set *set, const char *name)
{
    for (int i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].name, name) == 0) {
            return &set->items[i];
        }
    }
    return NULL;
}

static judo_status out_of_memory(void)
{
    return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the curves of a run");
}

static judo_status series_add(judo_series_set *set, const char *name, judo_series **out)
{
    if (set->count == set->capacity) {
        int capacity = set->capacity == 0 ? 16 : 2 * set->capacity;
        judo_series *items = realloc(set->items, (size_t)capacity * sizeof *items);
        if (items == NULL) {
            return out_of_memory();
        }
        set->items = items;
        set->capacity = capacity;
    }
    judo_series *series = &set->items[set->count];
    *series = (judo_series){.name = strdup(name)};
    if (series->name == NULL) {
        return out_of_memory();
    }
    set->count++;
    *out = series;
    return JUDO_OK;
}

static judo_status series_append(judo_series *series, double step, double value)
{
    if (series->length == series->capacity) {
        int64_t capacity = series->capacity == 0 ? 64 : 2 * series->capacity;
        double *steps = realloc(series->steps, (size_t)capacity * sizeof *steps);
        if (steps == NULL) {
            return out_of_memory();
        }
        series->steps = steps;
        double *values = realloc(series->values, (size_t)capacity * sizeof *values);
        if (values == NULL) {
            return out_of_memory();
        }
        series->values = values;
        series->capacity = capacity;
    }
    series->steps[series->length] = step;
    series->values[series->length] = value;
    series->length++;
    return JUDO_OK;
}

typedef struct reader {
    judo_series_set set;
    const char *path;
} reader;

static judo_status read_row(void *context, const judo_json *row, int64_t line)
{
    reader *r = context;
    double step = 0;
    (void)line;
    JUDO_TRY(judo_json_get_double(row, "step", r->path, &step));
    for (const judo_json *item = judo_json_first(row); item; item = judo_json_next(item)) {
        const char *name = judo_json_key(item);
        double value = 0;
        if (!judo_json_is_number(item) || strcmp(name, "step") == 0) {
            continue;
        }
        judo_series *series = (judo_series *)judo_series_find(&r->set, name);
        if (series == NULL && r->set.count < MAX_SERIES) {
            JUDO_TRY(series_add(&r->set, name, &series));
        }
        JUDO_TRY(judo_json_as_double(item, r->path, &value));
        if (series != NULL) {
            JUDO_TRY(series_append(series, step, value));
        }
    }
    return JUDO_OK;
}

judo_status judo_series_read(const char *path, judo_series_set *out)
{
    reader r = {.path = path};
    judo_status status = judo_json_each_line(path, read_row, &r);
    if (status != JUDO_OK) {
        judo_series_free(&r.set);
        return status;
    }
    *out = r.set;
    return JUDO_OK;
}

void judo_series_free(judo_series_set *set)
{
    for (int i = 0; i < set->count; i++) {
        free(set->items[i].name);
        free(set->items[i].steps);
        free(set->items[i].values);
    }
    free(set->items);
    *set = (judo_series_set){0};
}
