/* tests/stages/compare_metrics.c: do two metrics.jsonl tell the same? FIRST SECOND TOLERANCE
 * KEY[:SCALE]..: both must hold the same steps from 0 on, and each KEY's values must differ by
 * at most TOLERANCE of the larger, or of SCALE where that is larger still (for sums whose terms
 * cancel); 0 asks for the same bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/json.h"

enum { MOST_ROWS = 1000, MOST_KEYS = 32 };

static char keys[MOST_KEYS][96];
static double scales[MOST_KEYS];
static int num_keys;

typedef struct table {
    int64_t num_rows;
    double values[MOST_ROWS][MOST_KEYS];
} table;

static table tables[2];

static judo_status add_row(void *context, const judo_json *row, int64_t line)
{
    table *t = context;
    int64_t step;
    JUDO_TRY(judo_json_get_int(row, "step", "metrics", &step));
    if (step != t->num_rows || step >= MOST_ROWS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "line %lld: step %lld where %lld should be",
                         (long long)line, (long long)step, (long long)t->num_rows);
    }
    for (int k = 0; k < num_keys; k++) {
        t->values[step][k] = NAN;
        if (judo_json_get(row, keys[k])) {
            JUDO_TRY(judo_json_get_double(row, keys[k], "metrics", &t->values[step][k]));
        }
    }
    t->num_rows++;
    return JUDO_OK;
}

/* The largest relative difference of one key; 0 only for equal bits. A row without the key must
 * lack it in both; NaN if a row of one table lacks it, or all do. */
static double largest_difference(int key, int64_t *where)
{
    double largest = 0;
    int64_t count = 0;
    for (int64_t step = 0; step < tables[0].num_rows; step++) {
        double a = tables[0].values[step][key], b = tables[1].values[step][key];
        if (isnan(a) && isnan(b)) {
            continue;
        }
        count++;
        double difference =
            a == b ? 0 : fabs(a - b) / fmax(scales[key], fmax(fabs(a), fabs(b)));
        if (!(difference <= largest)) {
            largest = difference;
            *where = step;
        }
    }
    return count > 0 ? largest : NAN;
}

static int compare(double tolerance)
{
    int failures = 0;
    for (int k = 0; k < num_keys; k++) {
        int64_t where = 0;
        double difference = largest_difference(k, &where);
        bool good = difference <= tolerance;
        printf("%-32s differs by at most %.3g (step %lld)%s\n", keys[k], difference,
               (long long)where, good ? "" : ": too much");
        failures += !good;
    }
    return failures > 0;
}

static void read_keys(char *const *arguments, int count)
{
    for (num_keys = 0; num_keys < count; num_keys++) {
        const char *colon = strchrnul(arguments[num_keys], ':');
        (void)snprintf(keys[num_keys], sizeof keys[0], "%.*s",
                       (int)(colon - arguments[num_keys]), arguments[num_keys]);
        scales[num_keys] = *colon ? strtod(colon + 1, NULL) : 0;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc - 4 > MOST_KEYS) {
        (void)fprintf(stderr, "usage: compare_metrics FIRST SECOND TOLERANCE KEY[:SCALE]..\n");
        return 2;
    }
    read_keys(argv + 4, argc - 4);
    for (int i = 0; i < 2; i++) {
        if (judo_json_each_line(argv[1 + i], add_row, &tables[i]) != JUDO_OK) {
            (void)fprintf(stderr, "%s\n", judo_error_message());
            return 2;
        }
    }
    if (tables[0].num_rows != tables[1].num_rows || tables[0].num_rows == 0) {
        printf("%lld and %lld steps\n", (long long)tables[0].num_rows,
               (long long)tables[1].num_rows);
        return 1;
    }
    return compare(strtod(argv[3], NULL));
}
