/* runtime/ops/cuda/pack.cuh: elements 16 bytes at a time: what is bound by memory reads and
 * writes no less at once. */
#ifndef JUDO_RUNTIME_OPS_CUDA_PACK_CUH
#define JUDO_RUNTIME_OPS_CUDA_PACK_CUH

#include "runtime/ops/cuda/kernel.cuh"

enum { JUDO_PACK_BYTES = 16 };

template <typename T> constexpr int pack_size = JUDO_PACK_BYTES / (int)sizeof(T);

template <typename T>
__device__ __forceinline__ void unpack(float (&out)[pack_size<T>], const uint4 &bits)
{
    T elements[pack_size<T>];
    memcpy(elements, &bits, sizeof bits);
#pragma unroll
    for (int i = 0; i < pack_size<T>; i++) {
        out[i] = read(elements, i);
    }
}

/* From an address that JUDO_PACK_BYTES divides. */
template <typename T>
__device__ __forceinline__ void read_pack(float (&out)[pack_size<T>], const T *x)
{
    unpack<T>(out, *(const uint4 *)x);
}

template <typename T>
__device__ __forceinline__ uint4 packed(const float (&values)[pack_size<T>])
{
    T elements[pack_size<T>];
#pragma unroll
    for (int i = 0; i < pack_size<T>; i++) {
        write(elements, i, values[i]);
    }
    uint4 bits;
    memcpy(&bits, elements, sizeof bits);
    return bits;
}

template <typename T>
__device__ __forceinline__ void write_pack(T *x, const float (&values)[pack_size<T>])
{
    *(uint4 *)x = packed<T>(values);
}

static inline bool judo_cuda_is_wide(const void *address)
{
    return (uintptr_t)address % JUDO_PACK_BYTES == 0;
}

#endif
