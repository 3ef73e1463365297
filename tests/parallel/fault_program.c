/* tests/parallel/fault_program.c: a program that fails on one rank in a way that its first
 * argument names; faults.sh looks at what becomes of the job.
 *
 *   train FOLDER STEPS [KILL_AT]   toy training with a checkpoint every second step; rank 1
 * kills itself in step KILL_AT; rank 0 prints losses as hexadecimal sleep | alone | agree |
 * signal */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/agree.h"
#include "parallel/checkpoint.h"
#include "parallel/interrupt.h"
#include "parallel/process.h"
#include "tests/parallel/toy.h"

static judo_status train_loop(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                              int64_t steps, int64_t kill_at)
{
    bool exists = false;
    judo_checkpoint_info info = {0};
    JUDO_TRY(judo_checkpoint_exists(comm, folder, &exists));
    if (exists) {
        JUDO_TRY(judo_checkpoint_load(comm, zero3, folder, false, &info));
    }
    int64_t step = info.step;
    judo_checkpoint_info_free(&info);
    while (++step <= steps) {
        double loss;
        JUDO_TRY(toy_train_step(comm, zero3, step, &loss));
        if (comm->rank == 0) {
            (void)printf("%lld %a\n", (long long)step, loss);
            (void)fflush(stdout);
        }
        if (step == kill_at && comm->rank == 1) {
            (void)raise(SIGKILL);
        }
        if (step % 2 == 0) {
            JUDO_TRY(judo_checkpoint_save(comm, zero3, folder, step, "{}"));
        }
    }
    return JUDO_OK;
}

static judo_status train(judo_comm *comm, char **argv, int argc)
{
    judo_param_layout layout;
    judo_zero3 *zero3 = NULL;
    judo_zero3_options options = {0};
    if (argc < 4) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "train FOLDER STEPS [KILL_AT]");
    }
    JUDO_TRY(toy_layout_create(4, &layout));
    judo_weight_source source = toy_source(&layout);
    judo_status status = judo_zero3_create(comm, &layout, judo_ops_cpu(), &options, &zero3);
    if (status == JUDO_OK) {
        status = judo_zero3_load(zero3, &source);
    }
    if (status == JUDO_OK) {
        status =
            train_loop(comm, zero3, argv[2], atoll(argv[3]), argc > 4 ? atoll(argv[4]) : 0);
    }
    judo_zero3_destroy(&zero3);
    toy_layout_destroy(&layout);
    return status;
}

static judo_status one_sleeps(judo_comm *comm)
{
    judo_comm_set_deadline(comm, 1);
    judo_comm_set_phase(comm, "the test of sleep");
    JUDO_TRY(judo_comm_barrier(comm));
    if (comm->rank == comm->size - 1) {
        (void)sleep(60);
    }
    return judo_comm_barrier(comm);
}

static judo_status one_fails_alone(judo_comm *comm)
{
    if (comm->rank == comm->size - 1) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "this rank met a bad file");
    }
    return judo_comm_barrier(comm);
}

static judo_status one_fails_in_agreement(judo_comm *comm)
{
    return judo_agree(comm, comm->rank == comm->size - 1
                                ? JUDO_FAIL(JUDO_ERROR_IO, "no such picture")
                                : JUDO_OK);
}

static judo_status one_gets_a_signal(judo_comm *comm)
{
    bool stop = false;
    JUDO_TRY(judo_interrupt_install());
    if (comm->rank == comm->size - 1) {
        (void)raise(SIGTERM);
    }
    JUDO_TRY(judo_interrupt_agreed(comm, &stop));
    return stop ? JUDO_EXIT_REQUEUE : JUDO_OK;
}

static judo_status run(judo_comm *comm, int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    judo_comm_set_deadline(comm, 30);
    if (strcmp(mode, "train") == 0) {
        return train(comm, argv, argc);
    }
    if (strcmp(mode, "sleep") == 0) {
        return one_sleeps(comm);
    }
    if (strcmp(mode, "alone") == 0) {
        return one_fails_alone(comm);
    }
    if (strcmp(mode, "agree") == 0) {
        return one_fails_in_agreement(comm);
    }
    if (strcmp(mode, "signal") == 0) {
        return one_gets_a_signal(comm);
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "unknown mode '%s'", mode);
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
