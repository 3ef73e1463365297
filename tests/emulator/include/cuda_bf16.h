/* tests/emulator/include/cuda_bf16.h: stands in for CUDA's bf16 numbers. */
#ifndef JUDO_TESTS_EMULATOR_CUDA_BF16_H
#define JUDO_TESTS_EMULATOR_CUDA_BF16_H

#include <stdint.h>
#include <string.h>

typedef struct __nv_bfloat16 {
    uint16_t bits;
} __nv_bfloat16;

typedef struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y; /* x is the low half */
} __nv_bfloat162;

static inline float __bfloat162float(__nv_bfloat16 x)
{
    uint32_t bits = (uint32_t)x.bits << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest, ties to even; every not-a-number becomes 0x7fff. */
static inline __nv_bfloat16 __float2bfloat16_rn(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return __nv_bfloat16{0x7fff};
    }
    bits += 0x7fffu + (bits >> 16 & 1u);
    return __nv_bfloat16{(uint16_t)(bits >> 16)};
}

static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y)
{
    return __nv_bfloat162{__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}

static inline uint16_t __bfloat16_as_ushort(__nv_bfloat16 x)
{
    return x.bits;
}

static inline __nv_bfloat16 __ushort_as_bfloat16(uint16_t bits)
{
    return __nv_bfloat16{bits};
}

#endif
