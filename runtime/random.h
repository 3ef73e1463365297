/* runtime/random.h: a counter-based generator (Philox 4x32-10, Salmon et al., SC 2011). A
 * number is a pure function of (seed, stream, a, b, c), so that neither the number of ranks nor
 * a restart changes it. */
#ifndef JUDO_RUNTIME_RANDOM_H
#define JUDO_RUNTIME_RANDOM_H

#include <stdint.h>

/* What a number is used for; keeps uses apart that share the same counters. */
typedef enum judo_random_stream {
    JUDO_STREAM_INIT = 1,
    JUDO_STREAM_ORDER = 2,
    JUDO_STREAM_SAMPLE = 3,
    JUDO_STREAM_SYNTH = 4,
    JUDO_STREAM_TEST = 5,
} judo_random_stream;

static inline void judo_philox_round(uint32_t x[4], const uint32_t key[2])
{
    uint64_t p0 = (uint64_t)0xD2511F53u * x[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * x[2];
    uint32_t x1 = x[1];
    uint32_t x3 = x[3];
    x[0] = (uint32_t)(p1 >> 32) ^ x1 ^ key[0];
    x[1] = (uint32_t)p1;
    x[2] = (uint32_t)(p0 >> 32) ^ x3 ^ key[1];
    x[3] = (uint32_t)p0;
}

/* Four words for (seed, stream, a, b, c). */
static inline void judo_random_words(uint64_t seed, judo_random_stream stream, uint64_t a,
                                     uint32_t b, uint32_t c, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32) ^ ((uint32_t)stream << 24)};
    out[0] = (uint32_t)a;
    out[1] = (uint32_t)(a >> 32);
    out[2] = b;
    out[3] = c;
    for (int i = 0; i < 10; i++) {
        judo_philox_round(out, key);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
}

/* Uniform in [0, 1), 24 bits. */
static inline float judo_random_uniform(uint64_t seed, judo_random_stream stream, uint64_t a,
                                        uint32_t b, uint32_t c)
{
    uint32_t words[4];
    judo_random_words(seed, stream, a, b, c, words);
    return (float)(words[0] >> 8) * 0x1p-24f;
}

/* Uniform integer in [0, bound), bound > 0; the bias is below bound / 2^64. */
static inline uint32_t judo_random_below(uint64_t seed, judo_random_stream stream, uint64_t a,
                                         uint32_t b, uint32_t c, uint32_t bound)
{
    uint32_t words[4];
    judo_random_words(seed, stream, a, b, c, words);
    uint64_t wide = ((uint64_t)words[0] << 32) | words[1];
    return (uint32_t)(((unsigned __int128)wide * bound) >> 64);
}

#endif
