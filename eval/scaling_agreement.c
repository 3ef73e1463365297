/* eval/scaling_agreement.c: losses step by step. */
#include "eval/scaling_agreement.h"

#include <math.h>
#include <stdio.h>

/* Where two runs of the same batch part. */
typedef struct parting {
    const char *metric; /* NULL: nowhere */
    int64_t step;
    double values[2];
    double largest; /* relative difference of the loss over the steps that must agree */
} parting;

/* Relative; of a quantity whose terms cancel, to `scale` at least. */
static double difference(double a, double b, double scale)
{
    double size = fmax(scale, fmax(fabs(a), fabs(b)));
    return size > 0 ? fabs(a - b) / size : 0;
}

/* The first step where a metric of two runs differs by more than the tolerance; an earlier one
 * that was found already stays. */
static void look(const judo_scaling_run *a, const judo_scaling_run *b, const char *metric,
                 double scale, double tolerance, parting *out)
{
    const double *x = judo_series_find(&a->metrics, metric)->values;
    const double *y = judo_series_find(&b->metrics, metric)->values;
    for (int64_t step = 0; step < a->num_steps; step++) {
        bool is_earlier = out->metric == NULL || step < out->step;
        if (is_earlier && !(difference(x[step], y[step], scale) <= tolerance)) {
            *out = (parting){.metric = metric, .step = step, .values = {x[step], y[step]}};
        }
    }
}

/* Behind the first rollout weights that differ by rounding draw other tokens. */
static int64_t steps_to_agree(const judo_scaling_run *run)
{
    return run->for_grpo && run->updates < run->num_steps ? run->updates : run->num_steps;
}

static parting compare(const judo_scaling_run *a, const judo_scaling_run *b, double tolerance)
{
    /* Terms of the policy loss cancel, and a reward may be 0. */
    double scale = a->for_grpo ? 1e-2 : 0;
    parting result = {0};
    look(a, b, "num_tokens", 0, tolerance, &result);
    if (a->for_grpo) {
        look(a, b, "reward", scale, tolerance, &result);
    }
    look(a, b, "loss", scale, tolerance, &result);
    const double *x = judo_series_find(&a->metrics, "loss")->values;
    const double *y = judo_series_find(&b->metrics, "loss")->values;
    for (int64_t step = 0; step < steps_to_agree(a); step++) {
        result.largest = fmax(result.largest, difference(x[step], y[step], scale));
    }
    return result;
}

static judo_scaling_point *point_of(judo_scaling *out, const judo_scaling_run *run)
{
    int i = 0;
    while (out->points[i].ranks != run->ranks || out->points[i].nodes != run->nodes) {
        i++;
    }
    return &out->points[i];
}

static void disagree(const judo_scaling_run *a, const judo_scaling_run *b, const parting *at,
                     judo_scaling *out)
{
    if (out->agrees) {
        (void)snprintf(
            out->verdict, sizeof out->verdict,
            "The runs did not learn the same: %s of step %lld is %.9g in %.200s (%lld "
            "ranks) and %.9g in %.200s (%lld ranks), more than %g apart.",
            at->metric, (long long)at->step, at->values[0], a->folder, (long long)a->ranks,
            at->values[1], b->folder, (long long)b->ranks, out->tolerance);
    }
    out->agrees = false;
    point_of(out, b)->agrees = false;
}

/* The earliest run with the same batch; the run itself if there is none. */
static int partner_of(const judo_scaling_run *runs, int index)
{
    int i = 0;
    while (runs[i].batch != runs[index].batch) {
        i++;
    }
    return i;
}

static void agreed(int num_compared, double largest, const parting *later, judo_scaling *out)
{
    if (num_compared == 0) {
        (void)snprintf(out->verdict, sizeof out->verdict,
                       "Losses: no two runs have the same batch, there is nothing to compare.");
    } else if (later->metric != NULL) {
        (void)snprintf(out->verdict, sizeof out->verdict,
                       "The first rollout agrees (loss to %.2g); from step %lld on completions "
                       "part: weights that differ by rounding draw other tokens.",
                       largest, (long long)later->step);
    } else {
        (void)snprintf(out->verdict, sizeof out->verdict,
                       "The runs learnt the same: losses agree to %.2g (allowed: %g)%s.",
                       largest, out->tolerance,
                       out->is_weak ? " where the batch is the same" : "");
    }
}

void judo_scaling_agree(const judo_scaling_run *runs, int num_runs, judo_scaling *out)
{
    int num_compared = 0;
    double largest = 0;
    parting later = {0};
    out->agrees = true;
    for (int i = 0; i < out->num_points; i++) {
        out->points[i].difference = NAN;
    }
    for (int i = 0; i < num_runs; i++) {
        const judo_scaling_run *partner = &runs[partner_of(runs, i)];
        if (partner == &runs[i]) {
            continue;
        }
        parting at = compare(partner, &runs[i], out->tolerance);
        judo_scaling_point *point = point_of(out, &runs[i]);
        point->difference = fmax(point->difference, at.largest);
        largest = fmax(largest, at.largest);
        num_compared++;
        bool is_late = at.step >= steps_to_agree(&runs[i]);
        if (at.metric != NULL && !is_late) {
            disagree(partner, &runs[i], &at, out);
        } else if (at.metric != NULL && (later.metric == NULL || at.step < later.step)) {
            later = at;
        }
    }
    if (out->agrees) {
        agreed(num_compared, largest, &later, out);
    }
}
