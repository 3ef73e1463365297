/* tests/emulator/include/runtime/ops/cuda/launch.cuh: takes the place of the product's header
 * of this name: kernels are queued as calls that the emulator makes once per thread. */
#ifndef JUDO_TESTS_EMULATOR_LAUNCH_CUH
#define JUDO_TESTS_EMULATOR_LAUNCH_CUH

#include <type_traits>

#include "runtime/ops/cuda/replay.cuh"
#include "tests/emulator/stream.h"

#define JUDO_CUDA_LAUNCH_MEMORY(name) unsigned char *name = emulator_launch_memory()

template <typename... Parameters>
static inline void judo_cuda_launch_on(cudaStream_t stream, void (*kernel)(Parameters...),
                                       dim3 grid, int threads, size_t shared_bytes,
                                       std::type_identity_t<Parameters>... arguments)
{
    emulator_launch({(const void *)kernel, grid, threads, shared_bytes}, stream,
                    [=]() { kernel(arguments...); });
}

template <typename... Parameters>
static inline void judo_cuda_launch(void (*kernel)(Parameters...), dim3 grid, int threads,
                                    size_t shared_bytes,
                                    std::type_identity_t<Parameters>... arguments)
{
    if (judo_cuda_queues(kernel, grid, threads, shared_bytes, arguments...)) {
        judo_cuda_launch_on(judo_cuda.stream, kernel, grid, threads, shared_bytes,
                            arguments...);
    }
}

#endif
