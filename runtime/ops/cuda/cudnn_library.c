/* runtime/ops/cuda/cudnn_library.c: see cudnn_library.h and cudnn_attention.h. */
#include "runtime/ops/cuda/cudnn_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_VERSION = 91600 }; /* before: lengths that are no multiple of 128 need a mask */

judo_cudnn_library judo_cudnn;
static bool tried;
static char why[JUDO_CUDNN_REASON]; /* none was loaded */

static bool take_symbol(void *library, const char *name, void *out)
{
    void *symbol = dlsym(library, name);
    memcpy(out, &symbol, sizeof symbol); /* ISO C has no conversion to a function pointer */
    if (!symbol) {
        (void)snprintf(why, sizeof why, "libcudnn.so.9 has no %s", name);
    }
    return symbol != NULL;
}

static bool take_symbols(void *library)
{
    return take_symbol(library, "cudnnCreate", &judo_cudnn.create) &&
           take_symbol(library, "cudnnSetStream", &judo_cudnn.set_stream) &&
           take_symbol(library, "cudnnGetVersion", &judo_cudnn.get_version) &&
           take_symbol(library, "cudnnGetErrorString", &judo_cudnn.error_string) &&
           take_symbol(library, "cudnnBackendCreateDescriptor",
                       &judo_cudnn.create_descriptor) &&
           take_symbol(library, "cudnnBackendDestroyDescriptor",
                       &judo_cudnn.destroy_descriptor) &&
           take_symbol(library, "cudnnBackendSetAttribute", &judo_cudnn.set_attribute) &&
           take_symbol(library, "cudnnBackendGetAttribute", &judo_cudnn.get_attribute) &&
           take_symbol(library, "cudnnBackendFinalize", &judo_cudnn.finalize) &&
           take_symbol(library, "cudnnBackendExecute", &judo_cudnn.execute);
}

static void load_library(void)
{
    void *library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        (void)snprintf(why, sizeof why, "libcudnn.so.9 was not found");
        return;
    }
    if (!take_symbols(library)) {
        (void)dlclose(library);
        return;
    }
    judo_cudnn.version = (int64_t)judo_cudnn.get_version();
    if (judo_cudnn.version < LEAST_VERSION) {
        (void)snprintf(why, sizeof why, "cuDNN %lld is older than %d",
                       (long long)judo_cudnn.version, LEAST_VERSION);
        judo_cudnn.version = 0;
        (void)dlclose(library);
    }
}

bool judo_cudnn_load(char reason[JUDO_CUDNN_REASON])
{
    if (!tried) {
        tried = true;
        load_library();
    }
    memcpy(reason, why, JUDO_CUDNN_REASON);
    return judo_cudnn.version != 0;
}

bool judo_cudnn_open(char reason[JUDO_CUDNN_REASON])
{
    if (!judo_cudnn_load(reason)) {
        return false;
    }
    cudnnStatus_t status =
        judo_cudnn.handle ? CUDNN_STATUS_SUCCESS : judo_cudnn.create(&judo_cudnn.handle);
    if (status != CUDNN_STATUS_SUCCESS) {
        (void)snprintf(reason, JUDO_CUDNN_REASON, "cudnnCreate: %s",
                       judo_cudnn.error_string(status));
        judo_cudnn.handle = NULL;
    }
    return judo_cudnn.handle != NULL;
}

int64_t judo_cudnn_version(void)
{
    return judo_cudnn.version;
}
