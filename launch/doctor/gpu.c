/* launch/doctor/gpu.c: the CUDA module and the GPUs, each opened as a rank would open it. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "runtime/device_choice.h"

static const char area[] = "GPU";

static int count_gpus(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/driver/nvidia/gpus");
    while (folder != NULL) {
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            break;
        }
        count += entry->d_name[0] != '.';
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return count;
}

/* No CUDA: a fault where a GPU is there or was asked for, else a fact. */
static void say_none(FILE *out, const judo_doctor_request *request, int visible)
{
    const char *reason = judo_error_message();
    if (request->device == JUDO_DEVICE_CUDA) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area,
                        "what the message says, or device: cpu in the configuration",
                        "device: cuda cannot be had: %.400s", reason);
    } else if (visible > 0) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area,
                        "what the message says; device: cpu in the configuration leaves them "
                        "unused on purpose",
                        "%d here, but jobs would compute on the CPU: %.400s", visible, reason);
    } else {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "none: jobs compute on the CPU");
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "CUDA would miss: %.400s", reason);
    }
}

static void say_device(FILE *out, const judo_device *device)
{
    int64_t available = 0;
    int64_t total = 0;
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "%s", device->description);
    if (device->memory(&available, &total) == JUDO_OK) {
        bool is_used = available < total / 2;
        judo_doctor_say(out, is_used ? JUDO_FINDING_WARN : JUDO_FINDING_OK, area,
                        is_used ? "is another job on it? see nvidia-smi" : NULL,
                        "%.1f of its %.1f GB are free", 1e-9 * (double)available,
                        1e-9 * (double)total);
    }
}

bool judo_doctor_gpu(FILE *out, const judo_doctor_request *request)
{
    char driver[160];
    const judo_device *device = NULL;
    int visible = count_gpus();
    judo_device_request wanted = {.choice = JUDO_DEVICE_CUDA, .index = request->index};
    const char *module = getenv(JUDO_DEVICE_MODULE_VARIABLE);
    wanted.module = module && module[0] ? module : NULL;
    if (request->index == 0) {
        judo_doctor_read_line("/proc/driver/nvidia/version", driver, sizeof driver);
        if (driver[0]) {
            judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "driver: %s", driver);
        }
    }
    bool opened = judo_device_open(&wanted, &device, NULL) == JUDO_OK;
    if (opened) {
        say_device(out, device);
    } else if (request->index == 0) {
        say_none(out, request, visible);
    } else if (request->ranks > request->index) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area,
                        "no more ranks on a machine than it has GPUs",
                        "rank %d of %lld on this machine would have none: %.300s",
                        request->index, (long long)request->ranks, judo_error_message());
    }
    return opened;
}
