/* data/synth_random.h: a sequence of random numbers of one drawn thing, counter-based. */
#ifndef JUDO_DATA_SYNTH_RANDOM_H
#define JUDO_DATA_SYNTH_RANDOM_H

#include "runtime/random.h"

typedef struct judo_synth_random {
    uint64_t seed, thing;
    uint32_t use, next;
} judo_synth_random;

static inline judo_synth_random judo_synth_random_of(uint64_t seed, uint64_t thing,
                                                     uint32_t use)
{
    return (judo_synth_random){.seed = seed, .thing = thing, .use = use};
}

static inline float judo_synth_between(judo_synth_random *random, float low, float high)
{
    float u = judo_random_uniform(random->seed, JUDO_STREAM_SYNTH, random->thing, random->use,
                                  random->next++);
    return low + (high - low) * u;
}

static inline int judo_synth_below(judo_synth_random *random, int bound)
{
    return (int)judo_random_below(random->seed, JUDO_STREAM_SYNTH, random->thing, random->use,
                                  random->next++, (uint32_t)bound);
}

/* Fisher-Yates over `count` ints. */
static inline void judo_synth_shuffle(judo_synth_random *random, int *items, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int j = judo_synth_below(random, i + 1);
        int keep = items[i];
        items[i] = items[j];
        items[j] = keep;
    }
}

#endif
