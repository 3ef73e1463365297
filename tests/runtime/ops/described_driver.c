/* tests/runtime/ops/described_driver.c: a CUDA driver for a GPU that is only described to
 * cuDNN: it finds no device, and takes the kernels that cuDNN compiles without looking at them,
 * so that plans are built to the end. Nothing can be run with it. */
#include <stddef.h>

enum {
    STUB_LIBRARY = 34
}; /* cudaErrorStubLibrary, which is what the toolkit's own stub says */

#define DRIVER_CALL(name)                                                                      \
    int name(void);                                                                            \
    int name(void)                                                                             \
    {                                                                                          \
        return 0;                                                                              \
    }

int cuInit(unsigned flags);

int cuInit(unsigned flags)
{
    (void)flags;
    return STUB_LIBRARY;
}

int cuDriverGetVersion(int *version);

int cuDriverGetVersion(int *version)
{
    *version = 13000;
    return 0;
}

int cuDeviceGetCount(int *count);

int cuDeviceGetCount(int *count)
{
    *count = 0;
    return 0;
}

int cuLibraryLoadData(void **library);

int cuLibraryLoadData(void **library)
{
    *library = NULL;
    return 0;
}

int cuLibraryGetKernel(void **kernel);

int cuLibraryGetKernel(void **kernel)
{
    *kernel = NULL;
    return 0;
}

DRIVER_CALL(cuCtxGetCurrent)
DRIVER_CALL(cuCtxGetDevice)
DRIVER_CALL(cuCtxGetLimit)
DRIVER_CALL(cuCtxPopCurrent)
DRIVER_CALL(cuCtxPushCurrent)
DRIVER_CALL(cuDeviceGet)
DRIVER_CALL(cuDeviceGetAttribute)
DRIVER_CALL(cuDeviceGetName)
DRIVER_CALL(cuGetErrorName)
DRIVER_CALL(cuGetErrorString)
DRIVER_CALL(cuKernelGetAttribute)
DRIVER_CALL(cuKernelSetAttribute)
DRIVER_CALL(cuLaunchCooperativeKernel)
DRIVER_CALL(cuLaunchKernel)
DRIVER_CALL(cuLaunchKernelEx)
DRIVER_CALL(cuLibraryLoadFromFile)
DRIVER_CALL(cuLibraryUnload)
DRIVER_CALL(cuLinkAddData)
DRIVER_CALL(cuLinkComplete)
DRIVER_CALL(cuLinkCreate)
DRIVER_CALL(cuLinkDestroy)
DRIVER_CALL(cuOccupancyMaxPotentialClusterSize)
DRIVER_CALL(cuStreamGetCtx)
