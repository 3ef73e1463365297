/* tests/emulator/vector_types.h: CUDA's small vectors. */
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

struct alignas(8) float2 {
    float x, y;
};

static inline float2 make_float2(float x, float y)
{
    return float2{x, y};
}

static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return uint4{x, y, z, w};
}

#endif
