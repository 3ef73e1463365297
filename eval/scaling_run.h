/* eval/scaling_run.h: one run of a scaling experiment, as its folder tells it. Private to eval.
 */
#ifndef JUDO_EVAL_SCALING_RUN_H
#define JUDO_EVAL_SCALING_RUN_H

#include <stdbool.h>

#include "eval/series.h"
#include "runtime/config_yaml.h"

typedef struct judo_scaling_run {
    const char *folder; /* borrowed */
    char stage[64], device[32];
    int64_t ranks, nodes, threads;
    judo_yaml_list config;
    judo_series_set metrics; /* rows of the steps 0, 1, .. */
    int64_t num_steps;
    bool for_grpo, is_bf16;
    int64_t batch;   /* samples, or prompts of stage 3, of `updates` steps */
    int64_t updates; /* optimizer steps that share a rollout; 1 in stages 1 and 2 */
} judo_scaling_run;

/* Reads launch.json, config.yaml and metrics.jsonl of a run folder, which must be there and fit
 * each other: one launch that began at step 0, every step with a positive time, a loss and
 * tokens. Free with judo_scaling_run_free. */
judo_status judo_scaling_run_read(const char *folder, judo_scaling_run *out) JUDO_MUST_CHECK;
void judo_scaling_run_free(judo_scaling_run *run);

/* JUDO_ERROR_MISMATCH unless two runs differ in nothing but ranks, folder and batch. */
judo_status judo_scaling_run_compare(const judo_scaling_run *a,
                                     const judo_scaling_run *b) JUDO_MUST_CHECK;

#endif
