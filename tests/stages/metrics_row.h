/* tests/stages/metrics_row.h: reading back what a test put into a metrics row. Needs cmocka.h
 * before. */
#ifndef JUDO_TESTS_STAGES_METRICS_ROW_H
#define JUDO_TESTS_STAGES_METRICS_ROW_H

#include <math.h>
#include <stdio.h>

#include "runtime/json.h"
#include "runtime/metrics.h"

typedef struct metrics_query {
    const char *key;
    double value;
} metrics_query;

static inline judo_status metrics_take(void *context, const judo_json *row, int64_t line)
{
    (void)line;
    metrics_query *query = context;
    return judo_json_get_double_or(row, query->key, "metrics", NAN, &query->value);
}

/* The key's value in the last row of `folder`/metrics.jsonl; NaN where it has none. */
static inline double metrics_last(const char *folder, const char *key)
{
    char path[256];
    metrics_query query = {.key = key, .value = NAN};
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    assert_int_equal(judo_json_each_line(path, metrics_take, &query), JUDO_OK);
    return query.value;
}

#endif
