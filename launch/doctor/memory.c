/* launch/doctor/memory.c: how much memory there is, and how it is had. */
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "runtime/memory.h"

static const char area[] = "memory";
static const double gb = 1e-9;

void judo_doctor_read_line(const char *path, char *out, int bytes)
{
    FILE *file = fopen(path, "r");
    out[0] = '\0';
    if (file != NULL) {
        if (fgets(out, bytes, file) == NULL) {
            out[0] = '\0';
        }
        out[strcspn(out, "\n")] = '\0';
        (void)fclose(file);
    }
}

static void look_at_size(FILE *out, const judo_doctor_request *request)
{
    double total = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    int64_t available = judo_memory_available();
    if (available < 0) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area,
                        "mount /proc; jobs cannot plan without it",
                        "%.1f GB, but the system does not say how much is free", gb * total);
        return;
    }
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "%.1f GB can be taken, of %.1f",
                    gb * (double)available, gb * total);
    if (request->ranks > 0) {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "%.1f GB for each of %lld ranks",
                        gb * (double)available / (double)request->ranks,
                        (long long)request->ranks);
    }
}

static void look_at_limit(FILE *out)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area, "ulimit -v unlimited",
                        "a process may have %.1f GB of address space at most (ulimit -v)",
                        gb * (double)limit.rlim_cur);
    }
}

/* judo asks for huge pages where arrays are large; "never" turns that down. */
static void look_at_pages(FILE *out)
{
    char line[128];
    judo_doctor_read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line);
    if (strstr(line, "[never]") != NULL) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area,
                        "as root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
                        "huge pages are off: streaming through weights is slower");
    } else if (strchr(line, '[') != NULL) {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                        "huge pages are had by those that ask");
    }
}

/* Ranks on one machine talk through it. */
static void look_at_shared(FILE *out)
{
    struct statvfs facts;
    if (statvfs("/dev/shm", &facts) != 0) {
        judo_doctor_say(out, JUDO_FINDING_WARN, area, "mount a tmpfs on /dev/shm",
                        "there is no /dev/shm, through which ranks of a machine talk");
        return;
    }
    double free_bytes = (double)facts.f_bavail * (double)facts.f_frsize;
    bool is_small = free_bytes < 256e6;
    judo_doctor_say(out, is_small ? JUDO_FINDING_WARN : JUDO_FINDING_OK, area,
                    is_small ? "start the container with --shm-size=1g" : NULL,
                    "%.2f GB of shared memory are free (/dev/shm)", gb * free_bytes);
}

void judo_doctor_memory(FILE *out, const judo_doctor_request *request)
{
    look_at_size(out, request);
    look_at_limit(out);
    look_at_pages(out);
    look_at_shared(out);
}
