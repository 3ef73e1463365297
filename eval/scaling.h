/* eval/scaling.h: what runs of one job on several numbers of ranks tell about how it scales,
 * and whether they learnt the same. */
#ifndef JUDO_EVAL_SCALING_H
#define JUDO_EVAL_SCALING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/status.h"

enum { JUDO_SCALING_MAX_RUNS = 256, JUDO_SCALING_NOTE_BYTES = 1024 };

typedef struct judo_scaling_options {
    int64_t drop;     /* first steps of every run that are not measured */
    double tolerance; /* of the losses, relative; below 0: 1e-4, in bf16 5e-3 */
} judo_scaling_options;

/* Runs on the same ranks and machines. Figures are medians over the runs of each run's median
 * step. */
typedef struct judo_scaling_point {
    int64_t ranks, nodes, threads; /* threads: of a rank */
    int64_t batch;                 /* samples of a step; prompts of a rollout in stage 3 */
    int num_runs;
    double step_seconds, fastest, slowest; /* the last two: of the runs' medians */
    double samples_per_second;
    double tokens_per_second; /* stages 1 and 2: all that go through the model; 3: drawn */
    double speed_up;          /* tokens_per_second over the first point's */
    double efficiency;        /* speed_up over how many times the first point's ranks it has */
    double unhidden;   /* share of the time in which a rank stood still for communication; NaN
                          on one rank, and where a single step was measured */
    double difference; /* the largest of a loss from that of the run that it must equal,
                          relative; NaN: there was none to compare with */
    bool agrees;
} judo_scaling_point;

typedef struct judo_scaling {
    char stage[64], device[32];
    bool for_grpo;
    bool is_weak; /* the batch grows with the ranks */
    int64_t num_steps, drop;
    double tolerance;
    judo_scaling_point *points; /* [num_points], by ranks, then machines */
    int num_points;
    bool agrees;
    char verdict[JUDO_SCALING_NOTE_BYTES]; /* on the losses, a sentence */
    char notes[JUDO_SCALING_NOTE_BYTES];   /* what makes the figures mean less; lines, or "" */
} judo_scaling;

/* Evaluates run folders (at least 1) that must be of one experiment: the same configuration but
 * for folder and batch, where the batch is the same at all points or grows with the ranks. In
 * stages 1 and 2 all losses must agree over runs that have the same batch; in stage 3 those of
 * the first rollout, behind which weights that differ by rounding draw other tokens. A loss
 * that does not agree is no error here: `agrees` is false. Errors: folders or files that are
 * missing, malformed, or not of one experiment. Free with judo_scaling_free. */
judo_status judo_scaling_evaluate(const char *const *folders, int num_folders,
                                  const judo_scaling_options *options,
                                  judo_scaling *out) JUDO_MUST_CHECK;
void judo_scaling_free(judo_scaling *scaling);

/* The points as a table of text, verdict and notes below. */
void judo_scaling_print(FILE *out, const judo_scaling *scaling);

/* One page that needs nothing else: charts and the table. It appears complete or not at all. */
judo_status judo_scaling_write_page(const judo_scaling *scaling, const char *title,
                                    const char *path) JUDO_MUST_CHECK;

#endif
