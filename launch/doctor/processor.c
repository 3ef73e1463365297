/* launch/doctor/processor.c: CPUs that this process may use, threads, and matrix products. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "runtime/ops/cpu_library.h"

static const char area[] = "processor";

static void model_name(char *out, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    (void)snprintf(out, bytes, "processor");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(out, bytes, "%s", colon + 1 + strspn(colon + 1, " "));
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* CPUs' worth of time that the control group leaves (version 2: "max 100000" or "200000
 * 100000"); 0: not limited. */
static double group_limit(void)
{
    char line[64];
    double quota = 0;
    double period = 0;
    judo_doctor_read_line("/sys/fs/cgroup/cpu.max", line, sizeof line);
    return sscanf(line, "%lf %lf", &quota, &period) == 2 && period > 0 ? quota / period : 0;
}

static void look_at_threads(FILE *out, const judo_doctor_request *request, int cpus)
{
    const char *threads = getenv("OMP_NUM_THREADS");
    double limit = group_limit();
    if (threads != NULL && atoi(threads) > 0) {
        judo_finding_level level = atoi(threads) > cpus ? JUDO_FINDING_WARN : JUDO_FINDING_OK;
        judo_doctor_say(out, level, area,
                        level == JUDO_FINDING_WARN
                            ? "unset it: ranks share the CPUs of a machine fairly by themselves"
                            : NULL,
                        "OMP_NUM_THREADS=%d decides on the threads of each rank",
                        atoi(threads));
    } else if (limit > 0 && limit < 0.9 * cpus) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area,
                        "set OMP_NUM_THREADS to that number divided by the ranks, or start the "
                        "container with --cpuset-cpus",
                        "%d CPUs are visible, but the container's limit is the time of %.1f: "
                        "ranks would start too many threads",
                        cpus, limit);
    }
    if (request->ranks > cpus) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area, "start fewer ranks on this machine",
                        "%lld ranks on %d CPUs wait for each other's turn",
                        (long long)request->ranks, cpus);
    } else if (request->ranks > 0) {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                        "CPUs for the threads of each of %lld ranks: %d",
                        (long long)request->ranks, (int)(cpus / request->ranks));
    }
}

void judo_doctor_processor(FILE *out, const judo_doctor_request *request)
{
    char name[160];
    char products[128];
    cpu_set_t mask;
    CPU_ZERO(&mask);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : (int)online;
    model_name(name, sizeof name);
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "%s: this process may use %d of %ld CPUs",
                    name, cpus, online);
    look_at_threads(out, request, cpus);
    bool has_bf16 = judo_cpu_library_describe(products, sizeof products);
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "matrix products: %s%s", products,
                    has_bf16 ? ""
                             : "; model.dtype=bf16 saves memory here, but is computed through "
                               "fp32");
    if (getenv("ONEDNN_MAX_CPU_ISA") != NULL || getenv("DNNL_MAX_CPU_ISA") != NULL) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area,
                        "unset ONEDNN_MAX_CPU_ISA and DNNL_MAX_CPU_ISA",
                        "the environment keeps oneDNN from instructions of this processor");
    }
}
