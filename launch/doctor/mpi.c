/* launch/doctor/mpi.c: the MPI library, and whether two ranks can be started and meet. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "launch/doctor/watch.h"
#include "parallel/process.h"

enum { START_SECONDS = 25, MEET_SECONDS = 15, RANK_SECONDS = 30 };

static const char area[] = "MPI";
static const char mark[] = "judo-ranks"; /* before what rank 0 prints for the probe */

int judo_doctor_rank(void)
{
    judo_process process = {0};
    (void)alarm(RANK_SECONDS); /* whatever else happens */
    judo_status status = judo_process_begin(&process, JUDO_LOG_WARNING);
    if (status == JUDO_OK) {
        int64_t sum = 1;
        judo_comm_set_deadline(process.comm, MEET_SECONDS);
        status = judo_comm_sum_i64(process.comm, &sum, 1);
        if (status == JUDO_OK && process.comm->rank == 0) {
            printf("%s %lld %d %d %d\n", mark, (long long)sum, process.topology.num_nodes,
                   process.topology.num_cpus, process.topology.threads);
        }
    }
    return judo_process_end(&process, status);
}

/* What is known to go wrong, by the words that Open MPI has for it. */
static const struct {
    const char *words, *why, *remedy;
} known[] = {
    {"attempt to run as root", "mpirun refuses to run as root",
     "source launch/environment.sh (OMPI_ALLOW_RUN_AS_ROOT=1 and .._CONFIRM=1)"},
    {"not enough slots", "mpirun sees fewer CPUs than 2 ranks need",
     "source launch/environment.sh (OMPI_MCA_rmaps_base_oversubscribe=1), or give a hostfile"},
    {"more processes than the number of slots", "mpirun sees fewer CPUs than 2 ranks need",
     "source launch/environment.sh (OMPI_MCA_rmaps_base_oversubscribe=1), or give a hostfile"},
    {"binding more processes than", "mpirun binds ranks to CPUs that there are too few of",
     "source launch/environment.sh (OMPI_MCA_hwloc_base_binding_policy=none)"},
    {"error while loading shared libraries", "the ranks lack a library",
     "install it, or set LD_LIBRARY_PATH as where judo was built"},
};

static const char *first_words(char *text)
{
    char *at = text + strspn(text, "- \n\t");
    at[strcspn(at, "\n")] = '\0';
    return at[0] ? at : "no message";
}

static void say_failure(FILE *out, judo_watched *result)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(result->text, known[i].words) != NULL) {
            judo_doctor_say(out, JUDO_FINDING_BAD, area, known[i].remedy, "mpirun -np 2: %s",
                            known[i].why);
            return;
        }
    }
    if (result->expired) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area,
                        "try `mpirun -np 2 hostname`, and again with --mca btl tcp,self; a "
                        "firewall between the interfaces of this machine is a usual cause",
                        "mpirun -np 2: the ranks did not meet within %d seconds",
                        START_SECONDS);
        return;
    }
    judo_doctor_say(out, JUDO_FINDING_BAD, area,
                    "try `mpirun -np 2 hostname`; it must be the mpirun of the MPI that judo "
                    "is linked with",
                    "mpirun -np 2: exit code %d: %.300s", result->exit_code,
                    first_words(result->text));
}

static void say_ranks(FILE *out, judo_watched *result)
{
    long long ranks = 0;
    int nodes = 0;
    int cpus = 0;
    int threads = 0;
    const char *line = strstr(result->text, mark);
    if (line == NULL ||
        sscanf(line + strlen(mark), " %lld %d %d %d", &ranks, &nodes, &cpus, &threads) != 4) {
        say_failure(out, result);
    } else if (ranks != 2) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area,
                        "use the mpirun of the MPI that judo is linked with (which -a mpirun)",
                        "mpirun -np 2 starts two programs that do not see each other");
    } else {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                        "mpirun -np 2: two ranks start and meet, with %d thread%s each",
                        threads, threads == 1 ? "" : "s");
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        if (nodes == 1 && cpus == 1 && online >= 4 && getenv("OMP_NUM_THREADS") == NULL) {
            judo_doctor_say(
                out, JUDO_FINDING_WARN, area,
                "source launch/environment.sh, or mpirun --bind-to none, or --map-by with pe=",
                "mpirun binds each rank to 1 of %ld CPUs: it cannot use more threads", online);
        }
    }
}

bool judo_doctor_has_command(const char *name)
{
    const char *path = getenv("PATH");
    char candidate[PATH_MAX];
    while (path != NULL && *path) {
        size_t length = strcspn(path, ":");
        int needed = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, name);
        if (needed < (int)sizeof candidate && access(candidate, X_OK) == 0) {
            return true;
        }
        path += length + (path[length] == ':');
    }
    return false;
}

void judo_doctor_mpi(FILE *out, const judo_doctor_request *request)
{
    char version[128];
    char program[PATH_MAX];
    static judo_watched result;
    (void)request;
    judo_process_mpi_version(version, sizeof version);
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "linked with %s", version);
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL) {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                        "a launcher started this program: starting others is not tried");
        return;
    }
    if (!judo_doctor_has_command("mpirun")) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area,
                        "load the MPI module of this cluster, or start jobs with srun",
                        "no mpirun in PATH: starting ranks is not tried");
        return;
    }
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area, "mount /proc",
                        "this program does not find itself: starting ranks is not tried");
        return;
    }
    program[length] = '\0';
    const char *const command[] = {"mpirun", "-np", "2", program, "doctor", "--rank", NULL};
    judo_status status = judo_watch_command(command, START_SECONDS, &result);
    if (status != JUDO_OK) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area, NULL, "mpirun: %s", judo_error_message());
    } else if (result.expired || result.exit_code != 0 || result.signal != 0) {
        say_failure(out, &result);
    } else {
        say_ranks(out, &result);
    }
}
