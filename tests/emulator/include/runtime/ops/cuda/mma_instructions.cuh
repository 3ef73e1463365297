/* tests/emulator/include/runtime/ops/cuda/mma_instructions.cuh: takes the place of the
 * product's header of this name: the instructions as the PTX ISA describes them, lane by lane.
 */
#ifndef JUDO_TESTS_EMULATOR_MMA_INSTRUCTIONS_CUH
#define JUDO_TESTS_EMULATOR_MMA_INSTRUCTIONS_CUH

#include "runtime/ops/cuda/cuda.h"
#include "tests/emulator/mma.h"

static inline void start_copy(void *shared, const void *global, bool there)
{
    emulator_start_copy(shared, there ? global : NULL);
}

static inline void copies_arrive(void)
{
    emulator_copies_arrive();
}

static inline void close_copies(void)
{
    emulator_close_copies();
}

template <int Open> static inline void copies_arrive_but(void)
{
    emulator_copies_arrive_but(Open);
}

/* Results below the least normal number become 0. */
static inline float power_of_two(float x)
{
    float y = exp2f(x);
    return y < 0x1p-126f ? 0.0f : y;
}

static inline void load_matrices(uint32_t r[4], const __nv_bfloat16 *row)
{
    emulator_load_matrices(r, row, false);
}

static inline void load_transposed(uint32_t r[4], const __nv_bfloat16 *row)
{
    emulator_load_matrices(r, row, true);
}

static inline void multiply_add(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    emulator_multiply_add(c, a, b0, b1);
}

#endif
