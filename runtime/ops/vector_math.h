/* runtime/ops/vector_math.h: vectors of 16 floats, their exponential and error function. Always
 * 16 lanes, whatever the machine has: the same sums in the same order, so the same bits, in
 * every build. */
#ifndef JUDO_RUNTIME_OPS_VECTOR_MATH_H
#define JUDO_RUNTIME_OPS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __FMA__
#include <immintrin.h>
#endif

#include "runtime/tensor.h"

#define JUDO_INLINE static inline __attribute__((always_inline))

enum { JUDO_LANES = 16 };

typedef float judo_vector __attribute__((vector_size(64)));
typedef int32_t judo_vector_bits __attribute__((vector_size(64)));
typedef uint32_t judo_vector_words __attribute__((vector_size(64)));
typedef uint16_t judo_vector_halves __attribute__((vector_size(32)));

/* Narrower machines would pass such vectors in memory; here every function is inlined. */
#pragma GCC diagnostic ignored "-Wpsabi"

JUDO_INLINE judo_vector judo_vector_all(float x)
{
    return (judo_vector){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

/* One bit for each of the first `count` < 16 lanes. */
JUDO_INLINE uint16_t judo_vector_mask(int64_t count)
{
    return (uint16_t)(count > 0 ? (1u << count) - 1u : 0u);
}

/* The first min(count, 16) elements of x, then zeros. Whole vectors have a path of their own,
 * without the variable that a partial one is put together in. */
JUDO_INLINE judo_vector judo_vector_load(const float *x, int64_t count)
{
    if (count >= JUDO_LANES) {
        judo_vector whole;
        memcpy(&whole, x, sizeof whole);
        return whole;
    }
#ifdef __AVX512F__
    return (judo_vector)_mm512_maskz_loadu_ps(judo_vector_mask(count), x);
#else
    judo_vector part = {0};
    if (count > 0) {
        memcpy(&part, x, (size_t)count * sizeof *x);
    }
    return part;
#endif
}

/* Stores the first min(count, 16) lanes. */
JUDO_INLINE void judo_vector_store(float *x, judo_vector v, int64_t count)
{
    if (count >= JUDO_LANES) {
        memcpy(x, &v, sizeof v);
        return;
    }
#ifdef __AVX512F__
    _mm512_mask_storeu_ps(x, judo_vector_mask(count), (__m512)v);
#else
    judo_vector part = v;
    if (count > 0) {
        memcpy(x, &part, (size_t)count * sizeof *x);
    }
#endif
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

/* Per lane `yes` where the condition (all bits or none) holds, else `no`. */
JUDO_INLINE judo_vector judo_vector_select(judo_vector_bits condition, judo_vector yes,
                                           judo_vector no)
{
    return (judo_vector)(((judo_vector_bits)yes & condition) |
                         ((judo_vector_bits)no & ~condition));
}

/* --- bf16: the upper half of an fp32 --- */

#if defined(__AVX512BF16__) && defined(__AVX512DQ__)
#define JUDO_VECTOR_HAS_BF16
#endif

JUDO_INLINE judo_vector judo_vector_widen(judo_vector_halves halves)
{
#ifdef __AVX512F__
    return (judo_vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)halves), 16);
#else
    return (judo_vector)(__builtin_convertvector(halves, judo_vector_words) << 16);
#endif
}

/* The first min(count, 16) elements of x as fp32, then zeros. */
JUDO_INLINE judo_vector judo_vector_load_bf16(const uint16_t *x, int64_t count)
{
    if (count >= JUDO_LANES) {
        judo_vector_halves whole;
        memcpy(&whole, x, sizeof whole);
        return judo_vector_widen(whole);
    }
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    __m256i part = _mm256_maskz_loadu_epi16(judo_vector_mask(count), x);
    return judo_vector_widen((judo_vector_halves)part);
#else
    judo_vector_halves part = {0};
    if (count > 0) {
        memcpy(&part, x, (size_t)count * sizeof *x);
    }
    return judo_vector_widen(part);
#endif
}

/* v in bf16, to nearest even; a NaN stays one. The machine's own conversion takes subnormal
 * numbers for 0: vectors that hold one go without it. */
JUDO_INLINE judo_vector_halves judo_vector_narrow(judo_vector v)
{
#ifdef JUDO_VECTOR_HAS_BF16
    enum { SUBNORMAL = 0x20 };

    if (__builtin_expect(_mm512_fpclass_ps_mask((__m512)v, SUBNORMAL) == 0, 1)) {
        return (judo_vector_halves)_mm512_cvtneps_pbh((__m512)v);
    }
#endif
    judo_vector_words words = (judo_vector_words)v;
    judo_vector_words rounded = words + 0x7fffu + ((words >> 16) & 1u);
    judo_vector_words number = (judo_vector_words)((words & 0x7fffffffu) <= 0x7f800000u);
    words = (rounded & number) | ((words | 0x400000u) & ~number);
    return __builtin_convertvector(words >> 16, judo_vector_halves);
}

/* v rounded to bf16, as fp32. */
JUDO_INLINE judo_vector judo_vector_round_bf16(judo_vector v)
{
    return judo_vector_widen(judo_vector_narrow(v));
}

/* Stores the first min(count, 16) lanes as bf16. */
JUDO_INLINE void judo_vector_store_bf16(uint16_t *x, judo_vector v, int64_t count)
{
    judo_vector_halves halves = judo_vector_narrow(v);
    if (count >= JUDO_LANES) {
        memcpy(x, &halves, sizeof halves);
        return;
    }
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    _mm256_mask_storeu_epi16(x, judo_vector_mask(count), (__m256i)halves);
#else
    judo_vector_halves part = halves;
    if (count > 0) {
        memcpy(x, &part, (size_t)count * sizeof *x);
    }
#endif
}

/* v in bf16 as the machine does it, for terms of sums, which take subnormal numbers for 0 too.
 */
JUDO_INLINE judo_vector_halves judo_vector_terms(judo_vector v)
{
#ifdef JUDO_VECTOR_HAS_BF16
    return (judo_vector_halves)_mm512_cvtneps_pbh((__m512)v);
#else
    return judo_vector_narrow(v);
#endif
}

/* Words of two such terms, lane i of `first` in the lower half, of `second` in the upper. */
JUDO_INLINE judo_vector judo_vector_pairs(judo_vector first, judo_vector second)
{
    judo_vector_words low =
        (judo_vector_words)judo_vector_widen(judo_vector_terms(first)) >> 16;
    judo_vector_words high = (judo_vector_words)judo_vector_widen(judo_vector_terms(second));
    return (judo_vector)(low | high);
}

/* sum + a b over both halves of each word of such pairs. How often the sum is rounded is the
 * machine's choice. */
JUDO_INLINE judo_vector judo_vector_dot_pairs(judo_vector a, judo_vector b, judo_vector sum)
{
#ifdef JUDO_VECTOR_HAS_BF16
    return (judo_vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    judo_vector_words x = (judo_vector_words)a;
    judo_vector_words y = (judo_vector_words)b;
    sum = judo_vector_fma((judo_vector)(x & 0xffff0000u), (judo_vector)(y & 0xffff0000u), sum);
    return judo_vector_fma((judo_vector)(x << 16), (judo_vector)(y << 16), sum);
#endif
}

/* Elements [first, first + min(count, 16)) of an array of F32 or BF16. A kernel is an inlined
 * body that takes `dtype` last; JUDO_FOR_DTYPE compiles it for both. */
JUDO_INLINE judo_vector judo_vector_read(const void *x, judo_dtype dtype, int64_t first,
                                         int64_t count)
{
    return dtype == JUDO_BF16 ? judo_vector_load_bf16((const uint16_t *)x + first, count)
                              : judo_vector_load((const float *)x + first, count);
}

JUDO_INLINE void judo_vector_write(void *x, judo_dtype dtype, int64_t first, judo_vector v,
                                   int64_t count)
{
    if (dtype == JUDO_BF16) {
        judo_vector_store_bf16((uint16_t *)x + first, v, count);
    } else {
        judo_vector_store((float *)x + first, v, count);
    }
}

#define JUDO_FOR_DTYPE(dtype, body, ...)                                                       \
    do {                                                                                       \
        if ((dtype) == JUDO_BF16) {                                                            \
            body(__VA_ARGS__, JUDO_BF16);                                                      \
        } else {                                                                               \
            body(__VA_ARGS__, JUDO_F32);                                                       \
        }                                                                                      \
    } while (0)

/* Copies `count` elements, from one dtype to the other or the same. */
JUDO_INLINE void judo_vector_convert(void *out, judo_dtype out_dtype, const void *in,
                                     judo_dtype in_dtype, int64_t count)
{
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector_write(out, out_dtype, i, judo_vector_read(in, in_dtype, i, count - i),
                          count - i);
    }
}

/* All bits in the first `count` lanes, none in the others. */
JUDO_INLINE judo_vector_bits judo_vector_lanes_before(int64_t count)
{
    const judo_vector_bits lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lanes < (int32_t)count;
}

/* v with 0 in the lanes from `count` on. */
JUDO_INLINE judo_vector judo_vector_first(judo_vector v, int64_t count)
{
    return (judo_vector)((judo_vector_bits)v & judo_vector_lanes_before(count));
}

/* The larger and the smaller; b where one is not a number. */
JUDO_INLINE judo_vector judo_vector_max(judo_vector a, judo_vector b)
{
#ifdef __AVX512F__
    return (judo_vector)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return judo_vector_select(a > b, a, b);
#endif
}

JUDO_INLINE judo_vector judo_vector_min(judo_vector a, judo_vector b)
{
#ifdef __AVX512F__
    return (judo_vector)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return judo_vector_select(a < b, a, b);
#endif
}

JUDO_INLINE judo_vector judo_vector_sqrt(judo_vector x)
{
#ifdef __AVX512F__
    return (judo_vector)_mm512_sqrt_ps((__m512)x);
#else
    for (int i = 0; i < JUDO_LANES; i++) {
        x[i] = sqrtf(x[i]);
    }
    return x;
#endif
}

/* The upper half of the first 2 `half` lanes, moved to the front. */
#define JUDO_VECTOR_UPPER(v, half)                                                             \
    __builtin_shufflevector(v, v, (half), (half) + 1 % (half), (half) + 2 % (half),            \
                            (half) + 3 % (half), (half) + 4 % (half), (half) + 5 % (half),     \
                            (half) + 6 % (half), (half) + 7 % (half), 8, 9, 10, 11, 12, 13,    \
                            14, 15)

/* The sum and the maximum of all lanes: halves are folded onto each other. */
JUDO_INLINE float judo_vector_sum(judo_vector v)
{
    v += JUDO_VECTOR_UPPER(v, 8);
    v += JUDO_VECTOR_UPPER(v, 4);
    v += JUDO_VECTOR_UPPER(v, 2);
    v += JUDO_VECTOR_UPPER(v, 1);
    return v[0];
}

JUDO_INLINE float judo_vector_highest(judo_vector v)
{
    v = judo_vector_max(JUDO_VECTOR_UPPER(v, 8), v);
    v = judo_vector_max(JUDO_VECTOR_UPPER(v, 4), v);
    v = judo_vector_max(JUDO_VECTOR_UPPER(v, 2), v);
    v = judo_vector_max(JUDO_VECTOR_UPPER(v, 1), v);
    return v[0];
}

/* p 2^n for a whole n, rounded once; `shifted` is n + 1.5 2^23. */
JUDO_INLINE judo_vector judo_vector_scale(judo_vector p, judo_vector n, judo_vector shifted)
{
#ifdef __AVX512F__
    (void)shifted;
    return (judo_vector)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    /* Two factors, since n reaches below the normal exponents; the first product is exact. */
    (void)n;
    judo_vector_bits whole = (judo_vector_bits)shifted - 0x4b400000;
    judo_vector_bits half = whole >> 1;
    judo_vector first = (judo_vector)((half + 127) << 23);
    judo_vector second = (judo_vector)((whole - half + 127) << 23);
    return p * first * second;
#endif
}

/* exp(x), within 1 unit in the last place for every x, subnormal results included; exp(-inf) is
 * 0, a NaN stays one. x = n ln 2 + r with |r| <= ln 2 / 2. */
JUDO_INLINE judo_vector judo_vector_exp(judo_vector x)
{
    x = judo_vector_max(judo_vector_all(-104.0f), x);     /* below: exp is 0 */
    x = judo_vector_min(judo_vector_all(89.0f), x);       /* above: exp is infinite */
    const judo_vector magic = judo_vector_all(0x1.8p23f); /* adding it rounds to an integer */
    judo_vector shifted = judo_vector_fma(x, judo_vector_all(0x1.715476p+0f), magic);
    judo_vector n = shifted - magic;
    /* The high bits of ln 2 first: their product is exact. */
    judo_vector r = judo_vector_fma(n, judo_vector_all(-0x1.62e400p-1f), x);
    r = judo_vector_fma(n, judo_vector_all(-0x1.7f7d1cp-20f), r);
    judo_vector p = judo_vector_all(0x1.6850e4p-10f);
    p = judo_vector_fma(p, r, judo_vector_all(0x1.123bccp-7f));
    p = judo_vector_fma(p, r, judo_vector_all(0x1.555b98p-5f));
    p = judo_vector_fma(p, r, judo_vector_all(0x1.55548ep-3f));
    p = judo_vector_fma(p, r, judo_vector_all(0x1.fffff8p-2f));
    p = judo_vector_fma(p, r, judo_vector_all(1.0f));
    p = judo_vector_fma(p, r, judo_vector_all(1.0f));
    return judo_vector_scale(p, n, shifted);
}

/* The same for one number: the same bits as in a vector. */
JUDO_INLINE float judo_exp(float x)
{
    return judo_vector_exp(judo_vector_all(x))[0];
}

/* 1 / (1 + exp(-x)) */
JUDO_INLINE judo_vector judo_vector_sigmoid(judo_vector x)
{
    const judo_vector one = judo_vector_all(1.0f);
    return one / (one + judo_vector_exp(-x));
}

/* erf(x), within 2 units in the last place: a polynomial near 0, 1 - exp(polynomial) beyond
 * (coefficients: N. Juffa's single-precision erff). */
JUDO_INLINE judo_vector judo_vector_erf(judo_vector x)
{
    judo_vector_bits sign = (judo_vector_bits)x & INT32_MIN;
    judo_vector t = (judo_vector)((judo_vector_bits)x & INT32_MAX);
    judo_vector s = x * x;
    judo_vector far =
        judo_vector_fma(judo_vector_all(-1.72853470e-5f), t, judo_vector_all(3.83197126e-4f));
    judo_vector u =
        judo_vector_fma(judo_vector_all(-3.88396438e-3f), t, judo_vector_all(2.42546219e-2f));
    far = judo_vector_fma(far, s, u);
    far = judo_vector_fma(far, t, judo_vector_all(-1.06777877e-1f));
    far = judo_vector_fma(far, t, judo_vector_all(-6.34846687e-1f));
    far = judo_vector_fma(far, t, judo_vector_all(-1.28717512e-1f));
    far = judo_vector_fma(far, t, -t);
    far = judo_vector_all(1.0f) - judo_vector_exp(far);
    far = (judo_vector)((judo_vector_bits)far | sign);
    judo_vector near = judo_vector_all(-5.96761703e-4f);
    near = judo_vector_fma(near, s, judo_vector_all(4.99119423e-3f));
    near = judo_vector_fma(near, s, judo_vector_all(-2.67681349e-2f));
    near = judo_vector_fma(near, s, judo_vector_all(1.12819925e-1f));
    near = judo_vector_fma(near, s, judo_vector_all(-3.76125336e-1f));
    near = judo_vector_fma(near, s, judo_vector_all(1.28379166e-1f));
    near = judo_vector_fma(near, x, x);
    return judo_vector_select(t > judo_vector_all(0.921875f), far, near);
}

#endif
