/* tests/emulator/include/cuda_runtime.h: stands in for CUDA's header of this name where kernels
 * are compiled for the host: what judo's kernels use of the language and of the runtime, and no
 * more. What each name means is in the CUDA C++ Programming Guide and the Runtime API. */
#ifndef JUDO_TESTS_EMULATOR_CUDA_RUNTIME_H
#define JUDO_TESTS_EMULATOR_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/emulator/block.h"
#include "tests/emulator/vector_types.h"

/* --- the language --- */

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
/* Blocks run one after the other, so one place for all of them is enough. As thread-local
 * memory it lies in one run and can be filled before each block; the address sanitizer has to
 * see separate arrays. */
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

#define threadIdx (emulator_place.thread)
#define blockIdx  (emulator_place.block)
#define blockDim  (emulator_place.block_size)
#define gridDim   (emulator_place.grid)

static inline void __syncthreads(void)
{
    (void)emulator_barrier(EMULATOR_SYNC, 0);
}

static inline int __syncthreads_or(int predicate)
{
    return emulator_barrier(EMULATOR_SYNC_OR, predicate);
}

template <typename T> T __shfl_xor_sync(unsigned mask, T value, int lanes)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "the hardware exchanges words");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emulator_shuffle_xor(mask, bits, lanes);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* One thread runs at a time. */
template <typename T> T atomicAdd(T *address, T value)
{
    T old = *address;
    *address = old + value;
    return old;
}

static inline int atomicMin(int *address, int value)
{
    int old = *address;
    *address = value < old ? value : old;
    return old;
}

static inline unsigned atomicMax(unsigned *address, unsigned value)
{
    unsigned old = *address;
    *address = value > old ? value : old;
    return old;
}

static inline unsigned __float_as_uint(float x)
{
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Towards zero; what is out of range becomes the nearest end, not-a-number 2^63. */
static inline unsigned long long __float2ull_rz(float x)
{
    if (x != x) {
        return 1ull << 63;
    }
    return x <= 0.0f ? 0 : x >= 0x1p64f ? ~0ull : (unsigned long long)x;
}

/* --- the runtime --- */

#define CUDART_VERSION 13000

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidDevice = 101,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
} cudaError_t;

typedef struct emulator_stream *cudaStream_t;
typedef struct emulator_event *cudaEvent_t;
typedef struct emulator_graph *cudaGraph_t;
typedef struct emulator_executable *cudaGraphExec_t;

enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };

enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };

enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDefault = 4
};

enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice };

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

typedef struct cudaPointerAttributes {
    enum cudaMemoryType type;
} cudaPointerAttributes;

typedef struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor;
} cudaDeviceProp;

const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError(void);

cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetPCIBusId(char *name, int bytes, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t *available, size_t *total);

cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMallocHost(void **memory, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *memory);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreate(cudaEvent_t *event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
/* Always one: nothing here takes a GPU's time. */
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

cudaError_t emulator_set_attribute(const void *kernel, enum cudaFuncAttribute attribute,
                                   int value);

template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel *kernel, enum cudaFuncAttribute attribute, int value)
{
    return emulator_set_attribute((const void *)kernel, attribute, value);
}

#endif
