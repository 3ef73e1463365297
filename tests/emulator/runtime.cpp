/* tests/emulator/runtime.cpp: the rest of CUDA's runtime: the GPUs there are, memory and
 * copies.
 */
#include <cuda_runtime.h>

#include <stdio.h>

#include "tests/emulator/memory.h"
#include "tests/emulator/stream.h"

enum { DEVICES = 8 };

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice:
        return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
        return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
        return "cudaErrorNotReady";
    case cudaErrorStreamCaptureUnsupported:
        return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
        return "cudaErrorStreamCaptureInvalidated";
    }
    return "an error that is not emulated";
}

const char *cudaGetErrorString(cudaError_t error)
{
    return cudaGetErrorName(error);
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = DEVICES;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    if (device < 0 || device >= DEVICES) {
        return emulator_note(cudaErrorInvalidDevice);
    }
    (void)snprintf(properties->name, sizeof properties->name,
                   "an emulation on the host, not a GPU");
    properties->totalGlobalMem = (size_t)EMULATOR_GIBIBYTES << 30;
    properties->major = 8;
    properties->minor = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *name, int bytes, int device)
{
    (void)snprintf(name, (size_t)bytes, "0000:%02X:00.0", (unsigned)device);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    emulator_lock lock;
    *available = emulator_memory_left();
    *total = (size_t)EMULATOR_GIBIBYTES << 30;
    return cudaSuccess;
}

static cudaError_t take(void **memory, size_t bytes, emulator_memory_kind kind)
{
    emulator_lock lock;
    if (emulator_spoils_capture()) {
        return emulator_note(cudaErrorStreamCaptureUnsupported);
    }
    void *taken = emulator_memory_take(bytes, kind);
    if (!taken) {
        return emulator_note(cudaErrorMemoryAllocation);
    }
    *memory = taken;
    return cudaSuccess;
}

/* Both kinds wait until the GPU is idle. */
static cudaError_t give_back(void *memory, emulator_memory_kind kind)
{
    emulator_lock lock;
    if (!memory) {
        return cudaSuccess;
    }
    if (emulator_spoils_capture()) {
        return emulator_note(cudaErrorStreamCaptureUnsupported);
    }
    emulator_finish_all();
    return emulator_note(emulator_memory_give_back(memory, kind) ? cudaSuccess
                                                                 : cudaErrorInvalidValue);
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    return take(memory, bytes, EMULATOR_DEVICE);
}

cudaError_t cudaFree(void *memory)
{
    return give_back(memory, EMULATOR_DEVICE);
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    return take(memory, bytes, EMULATOR_STAGING);
}

cudaError_t cudaFreeHost(void *memory)
{
    return give_back(memory, EMULATOR_STAGING);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *memory)
{
    static const enum cudaMemoryType types[] = {cudaMemoryTypeUnregistered, cudaMemoryTypeHost,
                                                cudaMemoryTypeDevice};

    emulator_lock lock;
    attributes->type = types[emulator_memory_at(memory, 0)];
    return cudaSuccess;
}

/* The kinds of memory that a direction names are checked; the bounds are in any case. */
static bool fits(enum cudaMemcpyKind kind, emulator_memory_kind to, emulator_memory_kind from)
{
    switch (kind) {
    case cudaMemcpyHostToDevice:
        return to == EMULATOR_DEVICE && from != EMULATOR_DEVICE;
    case cudaMemcpyDeviceToHost:
        return to != EMULATOR_DEVICE && from == EMULATOR_DEVICE;
    case cudaMemcpyDefault:
        return true;
    }
    return false;
}

/* Pageable memory is also read and written late: CUDA promises less than it does. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    emulator_lock lock;
    if (!fits(kind, emulator_memory_at(to, bytes), emulator_memory_at(from, bytes))) {
        return emulator_note(cudaErrorInvalidValue);
    }
    emulator_enqueue(stream, [=]() { emulator_memory_copy(to, from, 0, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    emulator_lock lock;
    if (emulator_memory_at(memory, bytes) == EMULATOR_PAGEABLE) {
        return emulator_note(cudaErrorInvalidValue);
    }
    emulator_enqueue(stream, [=]() { emulator_memory_copy(memory, NULL, value, bytes); });
    return cudaSuccess;
}
