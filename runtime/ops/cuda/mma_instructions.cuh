/* runtime/ops/cuda/mma_instructions.cuh: the tensor-core instructions that attention uses, and
 * where each lane of a warp holds its part of the operands (PTX ISA, "Matrix
 * multiply-accumulate operation using mma instruction", "Warp-level matrix load instruction:
 * ldmatrix"); copies to shared memory that go on beside them ("cp.async"); "ex2". */
#ifndef JUDO_RUNTIME_OPS_CUDA_MMA_INSTRUCTIONS_CUH
#define JUDO_RUNTIME_OPS_CUDA_MMA_INSTRUCTIONS_CUH

#include "runtime/ops/cuda/cuda.h"

/* Starts a copy of 16 bytes, both addresses aligned to 16, or of zeros where there is nothing
 * to copy. This thread sees them after copies_arrive, others after a barrier behind that. */
static __device__ __forceinline__ void start_copy(void *shared, const void *global, bool there)
{
    uint32_t address = (uint32_t)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(address), "l"(global), "r"(there ? 16 : 0)
                 : "memory");
}

/* Waits for all copies that this thread started. */
static __device__ __forceinline__ void copies_arrive(void)
{
    asm volatile("cp.async.wait_all;" ::: "memory");
}

/* Makes a group of the copies that this thread started since the last one, maybe of none. */
static __device__ __forceinline__ void close_copies(void)
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Waits for all copies of this thread's groups but the last `Open` groups. */
template <int Open> static __device__ __forceinline__ void copies_arrive_but(void)
{
    asm volatile("cp.async.wait_group %0;" ::"n"(Open) : "memory");
}

/* 2^x, off by up to 2 units in the last place; what is below 2^-126 becomes 0. */
static __device__ __forceinline__ float power_of_two(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Four 8 x 8 matrices of 16-bit elements in shared memory: lane 8 i + j gives the address of
 * row j (16 bytes, aligned to 16) of matrix i. r[i] of a lane is the pair of elements of matrix
 * i in row lane / 4, columns lane % 4 * 2 and the next, the first in the low half. */
static __device__ __forceinline__ void load_matrices(uint32_t r[4], const __nv_bfloat16 *row)
{
    uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* The same of the transposed matrices: the pair stands in column lane / 4, rows lane % 4 * 2
 * and the next. */
static __device__ __forceinline__ void load_transposed(uint32_t r[4], const __nv_bfloat16 *row)
{
    uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* c[16,8] += a[16,16] b[16,8], bf16 products summed in fp32. With g = lane / 4 and t = lane % 4
 * a lane holds, as pairs or elements that follow one another in a row of a and c, in a column
 * of b: a[0]: row g, columns 2t, 2t + 1      a[1]: row g + 8     a[2], a[3]: columns 8 more b0:
 * rows 2t, 2t + 1, column g      b1:   rows 8 more c[0], c[1]: row g, columns 2t, 2t + 1 c[2],
 * c[3]: row g + 8 */
static __device__ __forceinline__ void multiply_add(float c[4], const uint32_t a[4],
                                                    uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif
