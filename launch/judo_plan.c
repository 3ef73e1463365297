/* launch/judo_plan.c: what each rank of a training job would hold, without starting it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "launch/tool.h"
#include "stages/job.h"
#include "stages/plan_report.h"

static const char help[] =
    "judo plan: what each rank of a training job would hold, and whether it fits\n\n"
    "usage: judo plan CONFIG.yaml [key=value ..] --stage N --ranks N [--memory GB]\n"
    "                 [--gpus-per-node G]\n\n"
    "Reads what judo_stageN would read with this configuration (dataset, model directory) and\n"
    "prints the table of memory that this job prints when it starts on so many ranks, then\n"
    "parameters, the size of a checkpoint, and steps; all on standard error, as the job does.\n"
    "Starts no job, takes no memory and writes nothing. The model's weights need not be there\n"
    "yet.\n\n"
    "  --stage N            1, 2 or 3: which program it is for\n"
    "  --ranks N            of the whole job; on GPUs one for each\n"
    "  --memory GB          that each rank has (10^9 bytes): says how much is left, or ends\n"
    "                       with exit code 15 and how much is missing. What is chosen by\n"
    "                       memory (zero.resident_weights, model.activation_checkpointing) is\n"
    "                       chosen for it; without --memory, for what is free here\n"
    "  --gpus-per-node G    ranks on each machine, default all: for zero.hybrid\n\n"
    "It is planned for the configuration's device: write device=cuda to plan for GPUs on a\n"
    "machine without one. Work memory of ops, exchange between ranks and libraries are known\n"
    "to the CUDA module alone; where it does not open, a line says that the table lacks them\n"
    "(what is chosen by memory is then chosen without them).\n"
    "Not in the table: batches in host memory and the copy of the state for checkpoints.\n\n"
    "example: judo plan launch/configs/judo7b_stage3.yaml --stage 3 --ranks 8 --memory 80 \\\n"
    "             device=cuda model.dtype=bf16 zero.split_master=true\n";

enum { MOST_ARGUMENTS = 256, MOST_RANKS = 65536, NUM_STAGES = 3 };

typedef struct request {
    int64_t stage, ranks, ranks_per_node;
    double gigabytes;
    const char *yaml;
    const char *overrides[MOST_ARGUMENTS];
    int num_overrides;
} request;

static judo_status sort_arguments(const char *const *arguments, int count, request *out)
{
    for (int i = 0; i < count; i++) {
        if (strchr(arguments[i], '=')) {
            out->overrides[out->num_overrides++] = arguments[i];
        } else if (!out->yaml) {
            out->yaml = arguments[i];
        } else {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "'%s': one configuration file is enough ('%s' was given); "
                             "settings are key=value",
                             arguments[i], out->yaml);
        }
    }
    return out->yaml ? JUDO_OK
                     : JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                                 "needs a configuration file; see judo plan --help");
}

static judo_status check(const request *self, bool has_memory)
{
    if (self->stage < 1 || self->stage > NUM_STAGES) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--stage %lld: must be 1, 2 or 3",
                         (long long)self->stage);
    }
    if (self->ranks < 1 || self->ranks > MOST_RANKS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--ranks %lld: must be 1 to %d",
                         (long long)self->ranks, MOST_RANKS);
    }
    if (self->ranks_per_node < 1 || self->ranks_per_node > self->ranks ||
        self->ranks % self->ranks_per_node != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "--gpus-per-node %lld: %lld ranks must fill machines of so many",
                         (long long)self->ranks_per_node, (long long)self->ranks);
    }
    if (has_memory && !(self->gigabytes >= 1e-6 && self->gigabytes <= 1e6)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--memory %g: must be 1e-6 to 1e6 (GB)",
                         self->gigabytes);
    }
    return JUDO_OK;
}

static judo_status plan_job(const request *self, const judo_stage *stage,
                            const judo_train_config *config)
{
    judo_comm *comm = NULL;
    judo_job job;
    judo_memory_plan plan;
    const int64_t memory = (int64_t)(self->gigabytes * 1e9);
    JUDO_TRY(judo_comm_alike_create((int)self->ranks, (int)self->ranks_per_node, &comm));
    judo_status status = judo_job_plan(comm, stage, config, memory, &job, &plan);
    if (status == JUDO_OK) {
        status = judo_plan_report(&job, &plan);
        judo_job_close(&job);
    }
    judo_comm_destroy(&comm);
    return status;
}

static judo_status read_and_plan(const request *self)
{
    static const judo_stage *const stages[NUM_STAGES] = {
        &judo_stage_juxtaposed_segmentation, &judo_stage_domain_injection, &judo_stage_grpo};
    const judo_stage *stage = stages[self->stage - 1];
    judo_config_table table = judo_train_config_table(stage->for_grpo);
    judo_train_config *config = calloc(1, sizeof *config);
    if (!config) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the configuration");
    }
    judo_status status =
        judo_config_load(config, &table, self->yaml, self->overrides, self->num_overrides);
    if (status == JUDO_OK) {
        status = plan_job(self, stage, config);
    }
    free(config);
    return status;
}

static judo_status run(int argc, char **argv)
{
    const char *arguments[MOST_ARGUMENTS];
    int count = 0;
    request self = {.gigabytes = NAN};
    const judo_option options[] = {
        {"stage", JUDO_OPTION_INT, &self.stage},
        {"ranks", JUDO_OPTION_INT, &self.ranks},
        {"memory", JUDO_OPTION_FLOAT, &self.gigabytes},
        {"gpus-per-node", JUDO_OPTION_INT, &self.ranks_per_node},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 4, 1, MOST_ARGUMENTS, arguments, &count));
    JUDO_TRY(sort_arguments(arguments, count, &self));
    const bool has_memory = !isnan(self.gigabytes);
    self.ranks_per_node = self.ranks_per_node == 0 ? self.ranks : self.ranks_per_node;
    JUDO_TRY(check(&self, has_memory));
    self.gigabytes = has_memory ? self.gigabytes : 0;
    return read_and_plan(&self);
}

const judo_tool judo_tool_plan = {
    .name = "plan",
    .summary = "what each rank of a training job would hold, and whether it fits",
    .help = help,
    .run = run,
};
