/* runtime/ops/cuda/launch.cuh: how kernels are queued, and their memory whose size the launch
 * says: with mma_instructions.cuh all that no C++ compiler understands. The tests put their own
 * headers in the place of both (tests/emulator). */
#ifndef JUDO_RUNTIME_OPS_CUDA_LAUNCH_CUH
#define JUDO_RUNTIME_OPS_CUDA_LAUNCH_CUH

#include <type_traits>

#include "runtime/ops/cuda/replay.cuh"

/* Declares `name`: the shared memory that the launch gives to the kernel. */
#define JUDO_CUDA_LAUNCH_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]

/* Queues a kernel on a stream; judo_cuda_launched says whether it could be. */
template <typename... Parameters>
static inline void judo_cuda_launch_on(cudaStream_t stream, void (*kernel)(Parameters...),
                                       dim3 grid, int threads, size_t shared_bytes,
                                       std::type_identity_t<Parameters>... arguments)
{
    kernel<<<grid, (unsigned)threads, shared_bytes, stream>>>(arguments...);
}

/* The same behind the ops before it. */
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
