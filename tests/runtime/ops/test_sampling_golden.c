/* tests/runtime/ops/test_sampling_golden.c: kept ids and probabilities against Hugging Face's
 * logits processors (tests/golden/make/sampling.py). */
#include "tests/runtime/ops/sampler_probe.h"
#include "tests/runtime/ops/support.h"

#include <stdio.h>

typedef struct outcome {
    int rows;
    double worst;
} outcome;

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Which of the ids with equal scores stay is free: their values are put in order. */
static void sort_ties(double *values, const sampler_probe *probe, const judo_json *groups)
{
    double *members = calloc((size_t)probe->vocab, sizeof *members);
    assert_non_null(members);
    for (const judo_json *group = judo_json_first(groups); group;
         group = judo_json_next(group)) {
        size_t count = 0;
        size_t next = 0;
        int64_t id;
        for (const judo_json *i = judo_json_first(group); i; i = judo_json_next(i)) {
            assert_ok(judo_json_as_int(i, "ties", &id));
            members[count++] = values[id];
        }
        qsort(members, count, sizeof *members, descending);
        for (const judo_json *i = judo_json_first(group); i; i = judo_json_next(i)) {
            assert_ok(judo_json_as_int(i, "ties", &id));
            values[id] = members[next++];
        }
    }
    free(members);
}

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    outcome *out = context;
    sampler_probe probe;
    char source[40];
    (void)snprintf(source, sizeof source, "sampling.jsonl:%d", (int)line);
    assert_ok(sampler_probe_read(row, source, JUDO_TEST_OPS, &probe));
    double *found = calloc((size_t)probe.vocab, sizeof *found);
    assert_non_null(found);
    assert_ok(sampler_probe_measure(&probe, found));
    sort_ties(found, &probe, judo_json_get(row, "ties"));
    const judo_json *item = judo_json_first(judo_json_get(row, "probabilities"));
    for (int64_t i = 0; i < probe.vocab; i++, item = judo_json_next(item)) {
        double wanted;
        assert_ok(judo_json_as_double(item, source, &wanted));
        if ((found[i] > 0.0) != (wanted > 0.0) || fabs(found[i] - wanted) > 1e-6) {
            fail_msg("%s: id %d has probability %.9g; wanted %.9g", source, (int)i, found[i],
                     wanted);
        }
        out->worst = fmax(out->worst, fabs(found[i] - wanted));
    }
    out->rows++;
    free(found);
    sampler_probe_close(&probe);
    return JUDO_OK;
}

static void test_filters__leave_what_the_processors_leave(void **state)
{
    (void)state;
    outcome out = {0};
    assert_ok(judo_json_each_line("tests/golden/sampling.jsonl", check_row, &out));
    assert_int_equal(out.rows, 60);
    print_message("  %d rows: probabilities differ by %.2g at most\n", out.rows, out.worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters__leave_what_the_processors_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
