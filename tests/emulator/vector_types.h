/* tests/emulator/vector_types.h: CUDA's small vectors of integers. */
#ifndef JUDO_TESTS_EMULATOR_VECTOR_TYPES_H
#define JUDO_TESTS_EMULATOR_VECTOR_TYPES_H

typedef struct uint3 {
    unsigned x, y, z;
} uint3;

struct dim3 {
    unsigned x, y, z;

    constexpr dim3(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x(nx), y(ny), z(nz)
    {
    }
};

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return uint4{x, y, z, w};
}

#endif
