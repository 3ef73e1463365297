/* stages/stage.h: what a training stage is: a table of functions that the one training loop
 * calls. A stage leaves each step's gradient in the parameter shards; the loop clips, updates,
 * logs and checkpoints. A stage can also come from a shared object that exports
 * `judo_stage_module` and is named by `run.stage_module`. */
#ifndef JUDO_STAGES_STAGE_H
#define JUDO_STAGES_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/dataset.h"
#include "data/image_processor.h"
#include "data/sampler.h"
#include "data/sample_text.h"
#include "data/tokenizer.h"
#include "models/qwen25vl.h"
#include "parallel/comm.h"
#include "parallel/zero3.h"
#include "runtime/log.h"
#include "runtime/metrics.h"
#include "runtime/device.h"
#include "stages/phases.h"
#include "stages/train_config.h"

typedef struct judo_stage judo_stage;

/* An open training job: what the loop lends to a stage. Everything is owned by the loop. */
typedef struct judo_job {
    const judo_train_config *config;
    const judo_stage *stage;
    judo_comm *comm;
    const judo_device *device; /* on which the model computes */
    int num_nodes;             /* machines that the ranks are on */
    int threads;
    judo_tokenizer *tokenizer;
    judo_special_ids specials;
    judo_image_processor *processor;
    judo_sample_text text; /* how samples become prompts and targets */
    judo_dataset *dataset;
    int64_t *indices; /* [num_samples]: the dataset's samples of this stage's kind */
    int64_t num_samples;
    bool only_planned;   /* nothing is taken, and the other ranks are not there */
    int64_t rank_memory; /* bytes that each of them would have; 0: what is found here */
    judo_sampler *sampler;
    judo_model *model;
    judo_zero3_options sharding, reference_sharding; /* of the model, of stage 3's frozen one */
    judo_zero3 *zero;
    judo_params *params;             /* the sharded parameters */
    judo_metrics *metrics;           /* NULL on ranks other than 0 */
    judo_phases phases;              /* a stage says what it is doing */
    judo_comm_times comm_times;      /* at the last metrics */
    int64_t first_step, total_steps; /* of this launch: resumed at first_step */
    int64_t allocations;      /* of memory that the device had made behind the first step */
    int64_t late_allocations; /* and since then */
    int64_t skipped, skipped_in_a_row; /* steps without a finite gradient, of this launch */
} judo_job;

struct judo_stage {
    const char *name;
    const char *summary; /* one line for --help */
    judo_sample_kind kind;
    bool for_grpo; /* takes the fields of stage 3 */
    /* Samples that one optimizer step consumes (over all ranks), for turning epochs into steps.
     */
    double (*samples_per_step)(const judo_train_config *config);
    /* Collective. */
    judo_status (*open)(judo_job *job, void **state);
    /* Forward and backward of optimizer step `step`; puts its metrics into job->metrics.
     * Collective. */
    judo_status (*accumulate)(judo_job *job, void *state, int64_t step);
    void (*close)(judo_job *job, void **state);
};

extern const judo_stage judo_stage_juxtaposed_segmentation;
extern const judo_stage judo_stage_domain_injection;
extern const judo_stage judo_stage_grpo;

#endif
