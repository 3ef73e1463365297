/* launch/judo_doctor.c: is this machine, and this build, fit for jobs? */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "launch/doctor/watch.h"
#include "launch/tool.h"
#include "runtime/device_choice.h"

static const char help[] =
    "judo doctor: is this machine, and this build, fit for jobs?\n\n"
    "usage: judo doctor [FOLDER ..] [--ranks N] [--device auto|cpu|cuda]\n\n"
    "Looks at what judo depends on and says of each thing whether it is ok, to look at\n"
    "(warn: works, but slower or narrower than it could) or BAD (jobs will fail), and what to\n"
    "do about it:\n"
    "  build       version, whether it fits this processor, HDF5\n"
    "  processor   CPUs and threads for ranks, oneDNN and bf16\n"
    "  memory      free, limits, huge pages, shared memory\n"
    "  folders     space, fsync, locks and renames where runs will lie\n"
    "  MPI         the library; starts two ranks with mpirun and lets them meet\n"
    "  Slurm       whether srun has the pmix plugin\n"
    "  GPU         the CUDA module, driver, NCCL, cuDNN; opens each GPU as a rank would\n\n"
    "Run it where jobs run: on a compute node, in the container, in the shell that starts\n"
    "them. It needs no root, changes nothing, and ends within two minutes whatever hangs.\n\n"
    "  FOLDER ..       folders for data and runs, default the current one\n"
    "  --ranks N       ranks that a job will have on this machine\n"
    "  --device NAME   cuda: a GPU that cannot be used is BAD; cpu: GPUs are not looked at\n\n"
    "Exit code: 0 if nothing is BAD, else 16.\n"
    "examples: judo doctor /scratch/me/runs --ranks 8 --device cuda\n"
    "          srun --mpi=pmix -N 1 -n 1 judo doctor   # what a compute node has\n";

enum {
    MOST_FOLDERS = 16,
    MOST_GPUS = 64,
    UNHEARD = 1,
    ONE_MORE = 3
}; /* exit codes of probes */

typedef void (*probe_work)(FILE *out, const judo_doctor_request *request);

typedef struct call {
    probe_work work;
    const judo_doctor_request *request;
} call;

static int work_in_child(void *context, int output)
{
    const call *self = context;
    FILE *out = fdopen(output, "w");
    if (out == NULL) {
        return UNHEARD;
    }
    self->work(out, self->request);
    return fclose(out) == 0 ? 0 : UNHEARD;
}

static int open_gpu_in_child(void *context, int output)
{
    const call *self = context;
    FILE *out = fdopen(output, "w");
    if (out == NULL) {
        return UNHEARD;
    }
    bool opened = judo_doctor_gpu(out, self->request);
    return fclose(out) != 0 ? UNHEARD : opened ? ONE_MORE : 0;
}

static judo_status add_end(judo_doctor_report *report, const char *area, double seconds,
                           const judo_watched *result)
{
    judo_finding finding = {.level = JUDO_FINDING_BAD};
    (void)snprintf(finding.area, sizeof finding.area, "%s", area);
    if (result->expired) {
        (void)snprintf(finding.text, sizeof finding.text, "no answer within %.0f seconds",
                       seconds);
        (void)snprintf(finding.remedy, sizeof finding.remedy, "%s",
                       "a file server or a driver that hangs? see dmesg");
    } else if (result->signal == SIGILL) {
        (void)snprintf(finding.text, sizeof finding.text,
                       "this build uses instructions that this processor does not have");
        (void)snprintf(finding.remedy, sizeof finding.remedy, "%s",
                       "build on a machine like those that run it, or with "
                       "-DJUDO_ARCH=x86-64-v3");
    } else {
        (void)snprintf(finding.text, sizeof finding.text, "looking at it crashed: %s",
                       result->signal ? strsignal(result->signal) : "no memory");
    }
    return judo_doctor_add(report, &finding);
}

/* *code: the probe's exit code, 0 where it did not come to one. */
static judo_status run_probe(judo_doctor_report *report, const char *area, double seconds,
                             int (*work)(void *context, int output), call context, int *code)
{
    static judo_watched result;
    JUDO_TRY(judo_watch(work, &context, seconds, &result));
    JUDO_TRY(judo_doctor_read(report, result.text, result.length));
    *code = result.exit_code;
    return result.expired || result.signal || result.exit_code == UNHEARD
               ? add_end(report, area, seconds, &result)
               : JUDO_OK;
}

static judo_status look_at_gpus(judo_doctor_report *report, judo_doctor_request *request)
{
    int code = request->device == JUDO_DEVICE_CPU ? 0 : ONE_MORE;
    for (request->index = 0; request->index < MOST_GPUS && code == ONE_MORE; request->index++) {
        JUDO_TRY(
            run_probe(report, "GPU", 30, open_gpu_in_child, (call){.request = request}, &code));
    }
    return JUDO_OK;
}

static judo_status examine(judo_doctor_report *report, judo_doctor_request *request)
{
    static const struct {
        const char *area;
        double seconds;
        probe_work work;
    } probes[] = {
        {"build", 10, judo_doctor_build},   {"processor", 10, judo_doctor_processor},
        {"memory", 10, judo_doctor_memory}, {"MPI", 40, judo_doctor_mpi},
        {"Slurm", 20, judo_doctor_slurm},
    };

    int code = 0;
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        JUDO_TRY(run_probe(report, probes[i].area, probes[i].seconds, work_in_child,
                           (call){.work = probes[i].work, .request = request}, &code));
    }
    for (request->index = 0; request->index < request->num_folders; request->index++) {
        JUDO_TRY(run_probe(report, "folders", 15, work_in_child,
                           (call){.work = judo_doctor_folder, .request = request}, &code));
    }
    return look_at_gpus(report, request);
}

static judo_status diagnose(judo_doctor_request *request)
{
    judo_doctor_report report = {0};
    judo_status status = examine(&report, request);
    if (status == JUDO_OK) {
        judo_doctor_print(stdout, &report);
    }
    if (status == JUDO_OK && report.of_level[JUDO_FINDING_BAD] > 0) {
        status = JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                           "jobs will fail here: %d of the lines above %s BAD",
                           report.of_level[JUDO_FINDING_BAD],
                           report.of_level[JUDO_FINDING_BAD] == 1 ? "is" : "are");
    }
    judo_doctor_free(&report);
    return status;
}

static judo_status run(int argc, char **argv)
{
    const char *folders[MOST_FOLDERS] = {"."};
    const char *device = "auto";
    int count = 0;
    bool is_rank = false;
    judo_doctor_request request = {.folders = folders};
    const judo_option options[] = {
        {"ranks", JUDO_OPTION_INT, &request.ranks},
        {"device", JUDO_OPTION_STRING, &device},
        {"rank", JUDO_OPTION_FLAG, &is_rank},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 3, 0, MOST_FOLDERS, folders, &count));
    if (is_rank) { /* one of those that the MPI probe starts */
        return (judo_status)judo_doctor_rank();
    }
    JUDO_TRY(judo_device_parse(device, "--device", &request.device));
    if (request.ranks < 0 || request.ranks > 100000) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--ranks %lld must be 0 to 100000",
                         (long long)request.ranks);
    }
    request.num_folders = count > 0 ? count : 1;
    return diagnose(&request);
}

const judo_tool judo_tool_doctor = {
    .name = "doctor",
    .summary = "is this machine, and this build, fit for jobs?",
    .help = help,
    .run = run,
};
