/* runtime/device.c: chooses the device and opens the CUDA module. */
#include "runtime/device.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/device_module.h"

#define MODULE_FILE "libjudo_cuda.so"

#define SLOT(name)                                                                             \
    {                                                                                          \
#name, device->name != NULL                                                            \
    }

judo_status judo_device_check(const judo_device *device)
{
    const struct {
        const char *name;
        bool filled;
    } slots[] = {
        SLOT(description),     SLOT(ops),          SLOT(memory),        SLOT(allocate),
        SLOT(release),         SLOT(copy),         SLOT(clear),         SLOT(allocate_staging),
        SLOT(release_staging), SLOT(event_create), SLOT(stream_create), SLOT(stream_destroy),
        SLOT(stream_finish),   SLOT(event_record), SLOT(event_destroy), SLOT(event_wait),
        SLOT(event_done),
    };

    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        if (!slots[i].filled) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "device: %s has no %s",
                             device->name ? device->name : "(unnamed)", slots[i].name);
        }
    }
    const int replay = (device->replay_create != NULL) + (device->replay_destroy != NULL) +
                       (device->replay_begin != NULL) + (device->replay_end != NULL);
    if (replay != 0 && replay != 4) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "device: %s has %d of the 4 replay slots",
                         device->name, replay);
    }
    return judo_ops_check(device->ops);
}

static void record_failure(const char *source_file, int source_line, const char *message)
{
    judo_fail_at(source_file, source_line, "%s", message);
}

/* The file beside the program or in ../lib; the bare name, which the system looks for, if it is
 * in neither. */
static void find_module(char path[PATH_MAX])
{
    static const char *const places[] = {"", "../lib/"};
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        slash[1] = '\0';
        int needed = snprintf(path, PATH_MAX, "%s%s%s", program, places[i], MODULE_FILE);
        if (needed < PATH_MAX && access(path, R_OK) == 0) {
            return;
        }
    }
    (void)snprintf(path, PATH_MAX, "%s", MODULE_FILE);
}

static judo_status check_module(const judo_device_module *module, const char *path)
{
    if (!module) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: has no symbol " JUDO_DEVICE_MODULE_SYMBOL
                         "; it is not a device module of judo",
                         path);
    }
    if (module->abi != JUDO_DEVICE_MODULE_ABI ||
        module->device_bytes != (int32_t)sizeof(judo_device) ||
        module->ops_bytes != (int32_t)sizeof(judo_ops)) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: was built for another judo (interface %d, tables of %d and %d "
                         "bytes; this program has %d, %d and %d); build both together",
                         path, module->abi, module->device_bytes, module->ops_bytes,
                         (int)JUDO_DEVICE_MODULE_ABI, (int)sizeof(judo_device),
                         (int)sizeof(judo_ops));
    }
    if (strcmp(module->version, JUDO_VERSION) != 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: is of judo %s, this program of judo " JUDO_VERSION
                         "; build both together",
                         path, module->version);
    }
    return JUDO_OK;
}

/* The module stays in memory once it opened a device, and where it failed to: what it loaded
 * may have left handlers behind. */
static judo_status open_module(const char *path, int index, const judo_device **device)
{
    static const judo_device_host host = {.fail = record_failure};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: the CUDA module cannot be opened (%s); build it with "
                         "-DJUDO_CUDA=ON where the CUDA toolkit is, or set device to cpu",
                         path, why ? why : "no reason given");
    }
    const judo_device_module *module = dlsym(library, JUDO_DEVICE_MODULE_SYMBOL);
    judo_status status = check_module(module, path);
    if (status != JUDO_OK) {
        (void)dlclose(library);
        return status;
    }
    const judo_device *opened = NULL;
    JUDO_TRY(module->open(&host, index, &opened));
    JUDO_TRY(judo_device_check(opened));
    *device = opened;
    return JUDO_OK;
}

judo_status judo_device_open(const judo_device_request *request, const judo_device **device,
                             char *reason)
{
    if (reason) {
        reason[0] = '\0';
    }
    if (request->choice == JUDO_DEVICE_CPU) {
        *device = judo_device_cpu();
        return JUDO_OK;
    }
    char found[PATH_MAX];
    const char *path = request->module;
    if (!path) {
        find_module(found);
        path = found;
    }
    judo_status status = open_module(path, request->index, device);
    if (status == JUDO_OK || request->choice == JUDO_DEVICE_CUDA) {
        return status;
    }
    if (reason) {
        (void)snprintf(reason, JUDO_DEVICE_REASON, "%s", judo_error_message());
    }
    judo_error_clear();
    *device = judo_device_cpu();
    return JUDO_OK;
}
