/* tests/faults/job.c: the small training job that the fault suite breaks.
 *
 *   faults_job train FOLDER [key=value ..]   trains the toy with checkpoints; rank 0 prints
 *       "STEP LOSS" per step and "state STEP SUM" behind each save and in the end
 *   faults_job check FOLDER                  loads the newest good checkpoint, prints its state
 *   faults_job agree | alone                 one rank fails, with and without an agreement
 *
 * Keys: steps every keep background tolerant deadline size, and what is to happen: do (kill
 * stop exit fail skip nan flip slow signal) in phase (data forward backward reduction optimizer
 * rollout save) of step on rank. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/agree.h"
#include "parallel/checkpoint.h"
#include "parallel/interrupt.h"
#include "parallel/process.h"
#include "parallel/replica_check.h"
#include "tests/faults/sabotage.h"
#include "tests/parallel/toy.h"

typedef struct job {
    judo_comm *comm;
    judo_zero3 *zero3;
    judo_checkpoint_writer *writer;
    sabotage sabotage;
    long steps, every, keep, background, tolerant, deadline, size;
} job;

static judo_status parse(job *self, int argc, char **argv)
{
    const struct {
        const char *key;
        long *value;
    } numbers[] = {{"steps", &self->steps},       {"every", &self->every},
                   {"keep", &self->keep},         {"background", &self->background},
                   {"tolerant", &self->tolerant}, {"deadline", &self->deadline},
                   {"size", &self->size},         {"step", &self->sabotage.step},
                   {"rank", &self->sabotage.rank}};

    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        size_t length = value != NULL ? (size_t)(value - argv[i]) : 0;
        bool known = false;
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
            if (strlen(numbers[n].key) == length &&
                strncmp(numbers[n].key, argv[i], length) == 0) {
                *numbers[n].value = atol(value + 1);
                known = true;
            }
        }
        if (strncmp(argv[i], "do=", 3) == 0) {
            self->sabotage.deed = value + 1;
        } else if (strncmp(argv[i], "phase=", 6) == 0) {
            self->sabotage.phase = value + 1;
        } else if (!known) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "'%s' is no setting of this job", argv[i]);
        }
    }
    return JUDO_OK;
}

/* A sum over all state bits of all ranks in which every element counts with its place: the same
 * at any number of ranks. */
static judo_status print_state(job *self, int64_t step)
{
    const judo_param_layout *layout = judo_zero3_layout(self->zero3);
    uint64_t sum = 0;
    for (int p = 0; p < layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(self->zero3, p);
        const float *const arrays[3] = {part.weights, part.first_moment, part.second_moment};
        for (int kind = 0; part.count > 0 && kind < 3; kind++) {
            for (int64_t i = 0; arrays[kind] != NULL && i < part.count; i++) {
                uint32_t bits;
                memcpy(&bits, &arrays[kind][i], sizeof bits);
                sum += (uint64_t)bits * 0x9e3779b97f4a7c15u *
                       ((uint64_t)((part.first + i) * 3 + kind) * 64 + (uint64_t)p + 1);
            }
        }
    }
    int64_t halves[2] = {(int64_t)(sum & 0xffffffffu), (int64_t)(sum >> 32)};
    JUDO_TRY(judo_comm_sum_i64(self->comm, halves, 2));
    if (self->comm->rank == 0) {
        (void)printf("state %lld %016llx\n", (long long)step,
                     (unsigned long long)((uint64_t)halves[0] + ((uint64_t)halves[1] << 32)));
        (void)fflush(stdout);
    }
    return JUDO_OK;
}

/* The weights whole on every rank, as a rollout has them. */
static judo_status roll_out(job *self, long step)
{
    judo_params *resident = NULL;
    JUDO_TRY(judo_zero3_gather_resident(self->zero3, &resident));
    JUDO_TRY(judo_agree(self->comm, sabotage_strike(&self->sabotage, "rollout", step)));
    JUDO_TRY(sabotage_flip(&self->sabotage, resident, step));
    JUDO_TRY(judo_replica_check(self->comm, judo_device_cpu(), resident));
    judo_zero3_release_resident(self->zero3);
    return JUDO_OK;
}

static judo_status train_step(job *self, long step)
{
    judo_adamw adamw = toy_adamw(step);
    judo_zero3_update update;
    double loss = 0;
    if (!sabotage_skips(&self->sabotage, "data", step)) {
        JUDO_TRY(judo_agree(self->comm, sabotage_strike(&self->sabotage, "data", step)));
    }
    JUDO_TRY(roll_out(self, step));
    JUDO_TRY(judo_zero3_zero_gradients(self->zero3));
    judo_params *params =
        sabotage_params(&self->sabotage, judo_zero3_params(self->zero3), step);
    JUDO_TRY(toy_run(params, self->comm->rank, self->comm->size, step, &loss));
    JUDO_TRY(judo_comm_sum_f64(self->comm, &loss, 1));
    JUDO_TRY(judo_agree(self->comm, sabotage_strike(&self->sabotage, "optimizer", step)));
    JUDO_TRY(judo_zero3_step(self->zero3, &adamw, toy_max_norm, &update));
    if (self->comm->rank == 0) {
        (void)printf("%ld %a%s\n", step, loss, update.applied ? "" : " skipped");
        (void)fflush(stdout);
    }
    return JUDO_OK;
}

static judo_status save(job *self, long step)
{
    JUDO_TRY(judo_checkpoint_writer_save(self->writer, step, "{}"));
    JUDO_TRY(judo_agree(self->comm, sabotage_strike(&self->sabotage, "save", step)));
    return print_state(self, step);
}

static judo_status run_steps(job *self, long step)
{
    while (++step <= self->steps) {
        bool stop = false;
        JUDO_TRY(train_step(self, step));
        JUDO_TRY(judo_interrupt_agreed(self->comm, &stop));
        JUDO_TRY(judo_checkpoint_writer_poll(self->writer));
        if (step % self->every == 0 || stop) {
            JUDO_TRY(save(self, step));
        }
        if (stop) {
            JUDO_TRY(judo_checkpoint_writer_finish(self->writer));
            return JUDO_EXIT_REQUEUE;
        }
    }
    JUDO_TRY(judo_checkpoint_writer_finish(self->writer));
    return print_state(self, step - 1);
}

static judo_status train_opened(job *self, const char *folder, bool only_check)
{
    bool exists = false;
    int64_t step = 0;
    judo_checkpoint_options options = {.keep = {.last = (int)self->keep},
                                       .background = self->background != 0,
                                       .tolerant = self->tolerant != 0};
    JUDO_TRY(judo_checkpoint_exists(self->comm, folder, &exists));
    if (exists) {
        judo_checkpoint_info info;
        JUDO_TRY(judo_checkpoint_load(self->comm, self->zero3, folder, true, &info));
        step = info.step;
        judo_checkpoint_info_free(&info);
    }
    if (only_check) {
        return print_state(self, step);
    }
    JUDO_TRY(judo_interrupt_install());
    JUDO_TRY(
        judo_checkpoint_writer_open(self->comm, self->zero3, folder, &options, &self->writer));
    judo_status status = run_steps(self, (long)step);
    judo_checkpoint_writer_close(&self->writer);
    return status;
}

static judo_status train(job *self, const char *folder, bool only_check)
{
    judo_param_layout layout;
    judo_zero3_options options = {0};
    JUDO_TRY(toy_layout_create((int)self->size, &layout));
    judo_weight_source source = toy_source(&layout);
    judo_status status =
        judo_zero3_create(self->comm, &layout, judo_device_cpu(), &options, &self->zero3);
    if (status == JUDO_OK) {
        status = judo_zero3_load(self->zero3, &source);
    }
    if (status == JUDO_OK) {
        status = train_opened(self, folder, only_check);
    }
    judo_zero3_destroy(&self->zero3);
    toy_layout_destroy(&layout);
    return status;
}

static judo_status fail_on_last(judo_comm *comm, const char *message)
{
    return comm->rank == comm->size - 1 ? JUDO_FAIL(JUDO_ERROR_IO, "%s", message) : JUDO_OK;
}

static judo_status run(judo_comm *comm, int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    job self = {.comm = comm, .steps = 9, .every = 2, .keep = 2, .deadline = 30, .size = 4};
    self.sabotage = (sabotage){.comm = comm, .deed = "", .phase = ""};
    if (argc > 2) {
        JUDO_TRY(parse(&self, argc - 3, argv + 3));
    }
    judo_comm_set_deadline(comm, (double)self.deadline);
    if (strcmp(mode, "train") == 0 && argc > 2) {
        return train(&self, argv[2], false);
    }
    if (strcmp(mode, "check") == 0 && argc > 2) {
        return train(&self, argv[2], true);
    }
    if (strcmp(mode, "agree") == 0) {
        return judo_agree(comm, fail_on_last(comm, "no such picture"));
    }
    if (strcmp(mode, "alone") == 0) {
        JUDO_TRY(fail_on_last(comm, "this rank met a bad file"));
        return judo_comm_barrier(comm);
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "train FOLDER | check FOLDER | agree | alone");
}

int main(int argc, char **argv)
{
    judo_process process;
    judo_status status = judo_process_begin(&process, JUDO_LOG_INFO);
    if (status == JUDO_OK) {
        status = run(process.comm, argc, argv);
    }
    return judo_process_end(&process, status);
}
