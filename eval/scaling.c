/* eval/scaling.c: runs become points; points are compared with the first. */
#include "eval/scaling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/scaling_agreement.h"
#include "eval/scaling_run.h"
#include "runtime/median.h"

/* A run in figures. */
typedef struct figures {
    double step_seconds, samples_per_second, tokens_per_second, unhidden;
} figures;

/* Rollouts, or single steps, that are measured: [*first, *first + result) of the run's. A
 * rollout is measured as a whole: the steps that draw take longer than those that do not. */
static int64_t measured(const judo_scaling_run *run, int64_t drop, int64_t *first)
{
    *first = (drop + run->updates - 1) / run->updates;
    int64_t count = run->num_steps / run->updates - *first;
    return count > 0 ? count : 0;
}

/* The metrics' waits are counted from row to row, so their share is one of the clock's time
 * between rows: there is more in it than `step_time` has. NaN on one rank, and where there are
 * no two rows. */
static double waiting(const judo_scaling_run *run, int64_t first_step, int64_t end_step)
{
    const judo_series *waits = judo_series_find(&run->metrics, "comm/wait_time");
    const double *clock = judo_series_find(&run->metrics, "time")->values;
    int64_t first = first_step > 0 ? first_step : 1;
    double waited = 0;
    if (run->ranks == 1 || first >= end_step || !(clock[end_step - 1] > clock[first - 1])) {
        return NAN;
    }
    for (int64_t step = first; step < end_step; step++) {
        waited += waits->values[step];
    }
    return fmin(1, waited / (clock[end_step - 1] - clock[first - 1]));
}

static judo_status measure(const judo_scaling_run *run, int64_t drop, figures *out)
{
    int64_t first;
    int64_t count = measured(run, drop, &first);
    if (count == 0) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "%s: has %lld steps, of which the first %lld are not measured: nothing "
            "is left; make more steps or --drop fewer",
            run->folder, (long long)run->num_steps, (long long)(first * run->updates));
    }
    double *seconds = malloc(2 * (size_t)count * sizeof *seconds);
    if (seconds == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld steps", (long long)count);
    }
    double *rates = seconds + count;
    const double *times = judo_series_find(&run->metrics, "step_time")->values;
    const double *tokens = judo_series_find(&run->metrics, "num_tokens")->values;
    for (int64_t i = 0; i < count; i++) {
        double handled = 0;
        seconds[i] = 0;
        for (int64_t s = (first + i) * run->updates; s < (first + i + 1) * run->updates; s++) {
            seconds[i] += times[s];
            handled += tokens[s];
        }
        rates[i] = handled / seconds[i];
    }
    double middle = judo_median(seconds, count);
    *out = (figures){.step_seconds = middle / (double)run->updates,
                     .samples_per_second = (double)run->batch / middle,
                     .tokens_per_second = judo_median(rates, count),
                     .unhidden =
                         waiting(run, first * run->updates, (first + count) * run->updates)};
    free(seconds);
    return JUDO_OK;
}

static int by_place(const void *a, const void *b)
{
    const judo_scaling_run *x = a;
    const judo_scaling_run *y = b;
    if (x->ranks != y->ranks) {
        return x->ranks < y->ranks ? -1 : 1;
    }
    if (x->nodes != y->nodes) {
        return x->nodes < y->nodes ? -1 : 1;
    }
    return strcmp(x->folder, y->folder);
}

static bool same_place(const judo_scaling_run *a, const judo_scaling_run *b)
{
    return a->ranks == b->ranks && a->nodes == b->nodes;
}

/* Runs [first, end) are of one place. */
static judo_status make_point(const judo_scaling_run *runs, int first, int end, int64_t drop,
                              judo_scaling_point *out)
{
    double values[4][JUDO_SCALING_MAX_RUNS];
    int count = end - first;
    for (int i = 0; i < count; i++) {
        figures f;
        JUDO_TRY(measure(&runs[first + i], drop, &f));
        values[0][i] = f.step_seconds;
        values[1][i] = f.samples_per_second;
        values[2][i] = f.tokens_per_second;
        values[3][i] = f.unhidden;
    }
    *out = (judo_scaling_point){
        .ranks = runs[first].ranks,
        .nodes = runs[first].nodes,
        .threads = runs[first].threads,
        .batch = runs[first].batch,
        .num_runs = count,
        .step_seconds = judo_median(values[0], count),
        .fastest = values[0][0],
        .slowest = values[0][count - 1],
        .samples_per_second = judo_median(values[1], count),
        .tokens_per_second = judo_median(values[2], count),
        .unhidden = judo_median(values[3], count),
        .agrees = true,
    };
    return JUDO_OK;
}

static judo_status make_points(const judo_scaling_run *runs, int num_runs, judo_scaling *out)
{
    for (int first = 0, end; first < num_runs; first = end) {
        for (end = first + 1; end < num_runs && same_place(&runs[first], &runs[end]); end++) {
        }
        judo_scaling_point *point = &out->points[out->num_points];
        JUDO_TRY(make_point(runs, first, end, out->drop, point));
        const judo_scaling_point *base = &out->points[0];
        point->speed_up = point->tokens_per_second / base->tokens_per_second;
        point->efficiency = point->speed_up / ((double)point->ranks / (double)base->ranks);
        out->num_points++;
    }
    return JUDO_OK;
}

/* The batch is the same at all points (strong scaling) or grows with the ranks (weak). */
static judo_status find_kind(const judo_scaling_run *runs, int num_runs, judo_scaling *out)
{
    bool is_same = true;
    bool grows = true;
    const judo_scaling_run *odd = NULL;
    for (int i = 1; i < num_runs; i++) {
        bool same = runs[i].batch == runs[0].batch;
        bool grown = runs[i].batch * runs[0].ranks == runs[0].batch * runs[i].ranks;
        odd = same || grown ? odd : &runs[i];
        is_same = is_same && same;
        grows = grows && grown;
    }
    if (!is_same && !grows) {
        odd = odd ? odd : &runs[num_runs - 1];
        return JUDO_FAIL(
            JUDO_ERROR_MISMATCH,
            "%s has a batch of %lld on %lld ranks, %s one of %lld on %lld: it must "
            "be the same at all points, or grow as the ranks do",
            odd->folder, (long long)odd->batch, (long long)odd->ranks, runs[0].folder,
            (long long)runs[0].batch, (long long)runs[0].ranks);
    }
    out->is_weak = !is_same;
    return JUDO_OK;
}

static void note(judo_scaling *out, const char *text)
{
    size_t length = strlen(out->notes);
    (void)snprintf(out->notes + length, sizeof out->notes - length, "%s\n", text);
}

/* What a reader of the figures should know. */
static void add_notes(judo_scaling *out)
{
    bool idle = false;
    bool shares = false;
    const judo_scaling_point *base = &out->points[0];
    for (int i = 0; i < out->num_points; i++) {
        const judo_scaling_point *point = &out->points[i];
        idle = idle || point->batch % point->ranks != 0;
        shares = shares || point->threads < base->threads;
    }
    if (idle) {
        note(out, "At some points the batch does not divide by the ranks: some of them have "
                  "less to do than others.");
    }
    if (shares && strcmp(out->device, "cpu") == 0) {
        note(out, "Ranks of the larger points have fewer threads than those of the first: they "
                  "share cores, and speed-up is not that of more cores.");
    }
    if (out->num_points == 1) {
        note(out, "One point only: there is nothing to compare it with.");
    }
    if (out->num_steps - out->drop < 10) {
        note(out, "Fewer than 10 steps of each run are measured: expect noise.");
    }
}

static judo_status evaluate(judo_scaling_run *runs, int num_runs,
                            const judo_scaling_options *options, judo_scaling *out)
{
    qsort(runs, (size_t)num_runs, sizeof *runs, by_place);
    for (int i = 1; i < num_runs; i++) {
        JUDO_TRY(judo_scaling_run_compare(&runs[0], &runs[i]));
    }
    memcpy(out->stage, runs[0].stage, sizeof out->stage);
    memcpy(out->device, runs[0].device, sizeof out->device);
    out->for_grpo = runs[0].for_grpo;
    out->num_steps = runs[0].num_steps;
    out->drop = options->drop;
    out->tolerance = options->tolerance >= 0 ? options->tolerance
                     : runs[0].is_bf16       ? 5e-3
                                             : 1e-4;
    JUDO_TRY(find_kind(runs, num_runs, out));
    JUDO_TRY(make_points(runs, num_runs, out));
    judo_scaling_agree(runs, num_runs, out);
    add_notes(out);
    return JUDO_OK;
}

static judo_status read_and_evaluate(const char *const *folders, judo_scaling_run *runs,
                                     int num_runs, const judo_scaling_options *options,
                                     judo_scaling *out)
{
    int num_read = 0;
    judo_status status = JUDO_OK;
    while (num_read < num_runs && status == JUDO_OK) {
        status = judo_scaling_run_read(folders[num_read], &runs[num_read]);
        num_read += status == JUDO_OK;
    }
    if (status == JUDO_OK) {
        status = evaluate(runs, num_runs, options, out);
    }
    for (int i = 0; i < num_read; i++) {
        judo_scaling_run_free(&runs[i]);
    }
    return status;
}

judo_status judo_scaling_evaluate(const char *const *folders, int num_folders,
                                  const judo_scaling_options *options, judo_scaling *out)
{
    judo_scaling result = {.agrees = true};
    if (num_folders < 1 || num_folders > JUDO_SCALING_MAX_RUNS || options->drop < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%d run folders and %lld steps to drop: give 1 to %d and 0 or more",
                         num_folders, (long long)options->drop, JUDO_SCALING_MAX_RUNS);
    }
    judo_scaling_run *runs = calloc((size_t)num_folders, sizeof *runs);
    result.points = calloc((size_t)num_folders, sizeof *result.points);
    judo_status status =
        runs && result.points
            ? read_and_evaluate(folders, runs, num_folders, options, &result)
            : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d runs", num_folders);
    free(runs);
    if (status != JUDO_OK) {
        judo_scaling_free(&result);
        return status;
    }
    *out = result;
    return JUDO_OK;
}

void judo_scaling_free(judo_scaling *scaling)
{
    free(scaling->points);
    *scaling = (judo_scaling){0};
}
