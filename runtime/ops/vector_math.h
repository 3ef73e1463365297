/* runtime/ops/vector_math.h: 16-lane vectors of floats and an exponential that compilers can
 * vectorise. Always 16 lanes, whatever the machine has: the same sums in the same order, so the
 * same bits, in every build. */
#ifndef JUDO_RUNTIME_OPS_VECTOR_MATH_H
#define JUDO_RUNTIME_OPS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __FMA__
#include <immintrin.h>
#endif

#define JUDO_INLINE static inline __attribute__((always_inline))

enum { JUDO_LANES = 16 };

typedef float judo_vector __attribute__((vector_size(64)));

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi" /* all functions are inlined: no call crosses an ABI  \
                                          */

JUDO_INLINE judo_vector judo_vector_load(const float *x)
{
    judo_vector v;
    memcpy(&v, x, sizeof v);
    return v;
}

JUDO_INLINE void judo_vector_store(float *x, judo_vector v)
{
    memcpy(x, &v, sizeof v);
}

JUDO_INLINE judo_vector judo_vector_all(float x)
{
    return (judo_vector){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

/* The first `count` < 16 elements of x, then zeros. */
JUDO_INLINE judo_vector judo_vector_load_part(const float *x, int64_t count)
{
    judo_vector v = {0};
    memcpy(&v, x, (size_t)count * sizeof *x);
    return v;
}

/* a b + c, rounded once. */
JUDO_INLINE judo_vector judo_vector_fma(judo_vector a, judo_vector b, judo_vector c)
{
#if defined(__AVX512F__)
    return (judo_vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    __m256 x[2], y[2], z[2];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    memcpy(z, &c, sizeof z);
    z[0] = _mm256_fmadd_ps(x[0], y[0], z[0]);
    z[1] = _mm256_fmadd_ps(x[1], y[1], z[1]);
    memcpy(&c, z, sizeof c);
    return c;
#else
    for (int i = 0; i < JUDO_LANES; i++) {
        c[i] = fmaf(a[i], b[i], c[i]);
    }
    return c;
#endif
}

/* The sum of all lanes: halves are folded onto each other. */
JUDO_INLINE float judo_vector_sum(judo_vector v)
{
    float x[JUDO_LANES];
    judo_vector_store(x, v);
    for (int half = JUDO_LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            x[i] += x[i + half];
        }
    }
    return x[0];
}

#pragma GCC diagnostic pop

/* exp(x), within 2 units in the last place for every x, subnormal results included; exp(-inf)
 * is 0, a NaN stays one. x = n ln 2 + r with |r| <= ln 2 / 2. */
JUDO_INLINE float judo_exp(float x)
{
    x = x < -104.0f ? -104.0f : x; /* below: exp is 0 */
    x = x > 89.0f ? 89.0f : x;     /* above: exp is infinite */
    const float magic = 0x1.8p23f; /* adding it rounds to an integer */
    float shifted = fmaf(x, 0x1.715476p+0f, magic);
    float n = shifted - magic;
    float r = fmaf(n, -0x1.62e400p-1f, x); /* the high bits of ln 2: the product is exact */
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 0x1.6850e4p-10f;
    p = fmaf(p, r, 0x1.123bccp-7f);
    p = fmaf(p, r, 0x1.555b98p-5f);
    p = fmaf(p, r, 0x1.55548ep-3f);
    p = fmaf(p, r, 0x1.fffff8p-2f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    /* 2^n in two factors, since n reaches below the normal exponents. */
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    int32_t whole = (int32_t)((uint32_t)bits - 0x4b400000u);
    int32_t half = whole >> 1;
    uint32_t first_bits = (uint32_t)(half + 127) << 23;
    uint32_t second_bits = ((uint32_t)whole - (uint32_t)half + 127u) << 23;
    float first, second;
    memcpy(&first, &first_bits, sizeof first);
    memcpy(&second, &second_bits, sizeof second);
    return p * first * second;
}

/* x / (1 + exp(-x)) is x times this. */
JUDO_INLINE float judo_sigmoid(float x)
{
    return 1.0f / (1.0f + judo_exp(-x));
}

#endif
