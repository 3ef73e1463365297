/* stages/phases.c: work by phase, and the straggler's report.
 */
#include "stages/phases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "runtime/log.h"
#include "runtime/median.h"
#include "runtime/timeline.h"

static const char *const names[JUDO_NUM_PHASES] = {"data",
                                                   "rollout",
                                                   "reference model",
                                                   "forward and backward",
                                                   "optimizer",
                                                   "metrics and checkpoints"};

void judo_phases_begin(judo_phases *phases, judo_comm *comm)
{
    *phases = (judo_phases){.comm = comm, .current = JUDO_PHASE_OTHER};
    phases->since = judo_clock();
    phases->waited_since = judo_comm_times_so_far(comm).waited;
}

void judo_phases_enter(judo_phases *phases, int64_t step, judo_phase phase)
{
    char text[JUDO_PHASE_BYTES];
    double now = judo_clock();
    double waited = judo_comm_times_so_far(phases->comm).waited;
    phases->work[phases->current] += (now - phases->since) - (waited - phases->waited_since);
    judo_timeline_span(JUDO_LANE_STEP, names[phases->current], phases->since, now);
    phases->since = now;
    phases->waited_since = waited;
    phases->current = phase;
    phases->step = step;
    (void)snprintf(text, sizeof text, "step %lld: %s", (long long)step, names[phase]);
    judo_comm_set_phase(phases->comm, text);
}

/* Of `count` values without the one at `left_out`; all values are at least 0. */
static double median_of_others(const double *values, int count, int stride, int left_out,
                               double *scratch)
{
    int used = 0;
    for (int r = 0; r < count; r++) {
        if (r != left_out) {
            scratch[used++] = values[r * stride];
        }
    }
    return judo_median(scratch, used);
}

static double total_of(const double *row)
{
    double total = 0;
    for (int p = 0; p < JUDO_NUM_PHASES; p++) {
        total += row[p];
    }
    return total;
}

judo_straggler judo_straggler_find(const double *work, int num_ranks)
{
    judo_straggler result = {.factor = 1};
    double *totals = malloc(2 * (size_t)num_ranks * sizeof *totals);
    if (totals == NULL) {
        return result; /* a report less */
    }
    double *scratch = totals + num_ranks;
    for (int r = 0; r < num_ranks; r++) {
        totals[r] = total_of(work + (size_t)r * JUDO_NUM_PHASES);
        result.rank = totals[r] > totals[result.rank] ? r : result.rank;
    }
    double median = median_of_others(totals, num_ranks, 1, result.rank, scratch);
    double worst = -1;
    for (int p = 0; p < JUDO_NUM_PHASES; p++) {
        double usual =
            median_of_others(work + p, num_ranks, JUDO_NUM_PHASES, result.rank, scratch);
        double lost = work[result.rank * JUDO_NUM_PHASES + p] - usual;
        if (lost > worst) {
            worst = lost;
            result.phase = (judo_phase)p;
        }
    }
    result.factor = median > 0 ? totals[result.rank] / median : 1;
    result.excess = totals[result.rank] - median;
    free(totals);
    return result;
}

static void put_straggler(const judo_phases *phases, judo_straggler slowest,
                          judo_metrics *metrics)
{
    static const double factor_worth_a_line = 1.5;
    static const double seconds_worth_a_line = 0.2;
    judo_metrics_put(metrics, "straggler/rank", slowest.rank);
    judo_metrics_put(metrics, "straggler/factor", slowest.factor);
    if (slowest.factor >= factor_worth_a_line && slowest.excess >= seconds_worth_a_line &&
        judo_log_is_chief()) {
        JUDO_WARNING("step %lld: rank %d is slow: %.2g times the others' work since the last "
                     "report, %.1f s more, most of it in %s",
                     (long long)phases->step, slowest.rank, slowest.factor, slowest.excess,
                     names[slowest.phase]);
    }
}

judo_status judo_phases_report(judo_phases *phases, judo_metrics *metrics)
{
    int size = phases->comm->size;
    if (size < 2) {
        return JUDO_OK;
    }
    judo_phases_enter(phases, phases->step, phases->current);
    double *all = malloc((size_t)size * sizeof phases->work);
    judo_status status = judo_agree(
        phases->comm,
        all ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d ranks", size));
    if (status == JUDO_OK) {
        status =
            judo_comm_all_gather(phases->comm, phases->work, (int64_t)sizeof phases->work, all);
    }
    if (status == JUDO_OK && all != NULL) {
        put_straggler(phases, judo_straggler_find(all, size), metrics);
    }
    memset(phases->work, 0, sizeof phases->work);
    free(all);
    return status;
}
