/* parallel/process.c: the first and the last lines of every program. */
#include "parallel/process.h"

#include <malloc.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parallel/agree.h"
#include "parallel/comm_mpi.h"
#include "parallel/roll_call_mpi.h"

enum {
    GRACE_SECONDS = 10,   /* that the others get to join after a rank failed alone */
    ROLL_CALL_SECONDS = 4 /* that they get to answer when a deadline has passed */
};

static long environment_number(const char *name, long fallback)
{
    const char *text = getenv(name);
    char *end = NULL;
    long value = text ? strtol(text, &end, 10) : fallback;
    return text && end != text && value >= 0 ? value : fallback;
}

/* Number of tasks that Slurm started in this job step; 0 outside a step. */
static long slurm_step_tasks(void)
{
    return environment_number("SLURM_STEP_NUM_TASKS", 0);
}

static bool started_by_launcher(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL ||
           (getenv("SLURM_PROCID") != NULL && slurm_step_tasks() > 1);
}

/* Ranks on this machine as the launcher tells; 0 if it does not. */
static long local_ranks(void)
{
    long ranks = environment_number("OMPI_COMM_WORLD_LOCAL_SIZE", 0);
    return ranks > 0 ? ranks : environment_number("SLURM_NTASKS_PER_NODE", 0);
}

static void prepare_environment(void)
{
    /* PMIx's default store crashes about one srun launch in twenty; under mpirun, whose daemons
     * hold the other store, asking for this one makes jobs on several hosts hang. */
    if (getenv("OMPI_COMM_WORLD_SIZE") == NULL) {
        (void)setenv("PMIX_MCA_gds", "hash", 0);
    }
    /* A rank that spins on a CPU that another rank needs makes a barrier a thousand times
     * slower. */
    long ranks = local_ranks();
    if (ranks == 0 || ranks > sysconf(_SC_NPROCESSORS_ONLN)) {
        (void)setenv("OMPI_MCA_mpi_yield_when_idle", "1", 1);
    }
}

/* Keeps memory that MPI takes and gives back in every collective from being mapped and faulted
 * in anew each time. 32 MiB is the largest threshold that glibc accepts. */
static void prepare_malloc(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 2047 << 20);
    (void)mallopt(M_TOP_PAD, 64 << 20);
}

static judo_status begin_mpi(judo_process *process)
{
    int provided = 0;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        return JUDO_FAIL(JUDO_ERROR_COMM, "MPI_Init failed");
    }
    process->is_mpi = true;
    JUDO_TRY(judo_comm_mpi_create(MPI_COMM_WORLD, JUDO_COMM_BUCKET_BYTES, &process->comm));
    /* Carries one message of a few kilobytes: no need for the large scratch. */
    JUDO_TRY(judo_comm_mpi_create(MPI_COMM_WORLD, 4096, &process->control));
    if (process->comm->size == 1 && slurm_step_tasks() > 1) {
        return JUDO_FAIL(JUDO_ERROR_COMM,
                         "Slurm started %ld tasks but MPI sees only one: start with "
                         "'srun --mpi=pmix'",
                         slurm_step_tasks());
    }
    return JUDO_OK;
}

judo_status judo_process_begin(judo_process *process, judo_log_level lowest_level)
{
    *process = (judo_process){0};
    judo_log_setup(0, 1, lowest_level);
    prepare_malloc();
    if (started_by_launcher()) {
        prepare_environment();
        JUDO_TRY(begin_mpi(process));
    } else {
        JUDO_TRY(judo_comm_self_create(&process->comm));
    }
    judo_comm *comm = process->comm;
    judo_log_setup(comm->rank, comm->size, lowest_level);
    JUDO_TRY(comm->ops->topology(comm, &process->topology));
    long threads = environment_number("OMP_NUM_THREADS", 0);
    if (threads > 0 && threads < 4096) {
        process->topology.threads = (int)threads;
    }
    return JUDO_OK;
}

void judo_process_mpi_version(char *out, size_t bytes)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS) {
        (void)snprintf(text, sizeof text, "an MPI of unknown version");
    }
    (void)snprintf(out, bytes, "%.*s", (int)strcspn(text, ",\n"), text);
}

static void print_error(judo_status status)
{
    const char *message = judo_error_message();
    judo_log(JUDO_LOG_ERROR, "%s (%s)", message[0] ? message : "no message",
             judo_status_name(status));
}

/* A deadline passed: the ranks that notice find out which do not; one of them says so. */
static void name_culprits(judo_process *process)
{
    static const struct timespec pause = {.tv_sec = 1};
    char text[1024];
    if (judo_roll_call(process->control, process->comm, ROLL_CALL_SECONDS, text, sizeof text)) {
        JUDO_WARNING("%s", text);
    } else {
        (void)nanosleep(&pause, NULL); /* the one that speaks ends the job */
    }
}

/* This rank cannot agree with the others: its own cause is printed, the job is taken down. */
static void abort_alone(judo_process *process, judo_status status)
{
    print_error(status);
    if (status == JUDO_ERROR_TIMEOUT && process->control != NULL && !process->control->broken) {
        name_culprits(process);
    }
    judo_comm_abort_job(process->comm, (int)status);
}

/* Launchers that end a job at the first bad exit code (srun --kill-on-bad-exit) would kill
 * ranks that are a moment later, and the job's code would be theirs: only rank 0 says 75, when
 * the others have had time to leave. */
static int leave_for_requeue(int rank)
{
    const struct timespec behind_the_others = {.tv_sec = 1};
    if (rank != 0) {
        return 0;
    }
    (void)nanosleep(&behind_the_others, NULL);
    return JUDO_EXIT_REQUEUE;
}

static int end_mpi(judo_process *process, judo_status status)
{
    judo_comm *control = process->control;
    bool is_error = status != JUDO_OK && status != JUDO_EXIT_REQUEUE;
    if (control == NULL || process->comm->broken) {
        abort_alone(process, status);
        return (int)status;
    }
    char *own_message = strdup(judo_error_message());
    judo_comm_set_phase(control, "end of the program");
    judo_comm_set_deadline(control, is_error ? GRACE_SECONDS : process->comm->deadline_seconds);
    judo_status agreed = judo_agree(control, status);
    if (control->broken) {
        if (is_error && own_message != NULL) {
            agreed = judo_error_set(status, own_message);
        }
        abort_alone(process, agreed);
    }
    free(own_message);
    if (agreed != JUDO_OK && agreed != JUDO_EXIT_REQUEUE && control->rank == 0) {
        print_error(agreed);
    }
    int rank = control->rank;
    judo_comm_destroy(&process->control);
    judo_comm_destroy(&process->comm);
    (void)MPI_Finalize();
    return agreed == JUDO_EXIT_REQUEUE ? leave_for_requeue(rank) : (int)agreed;
}

int judo_process_end(judo_process *process, judo_status status)
{
    if (process->is_mpi && process->comm != NULL) {
        return end_mpi(process, status);
    }
    if (status != JUDO_OK && status != JUDO_EXIT_REQUEUE) {
        print_error(status);
    }
    if (process->is_mpi) {
        (void)MPI_Abort(MPI_COMM_WORLD, (int)status);
    }
    judo_comm_destroy(&process->comm);
    return (int)status;
}
