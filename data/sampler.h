/* data/sampler.h: the order in which samples are visited: a fresh permutation in each epoch, a
 * pure function of (seed, epoch, number of samples), the same on every rank. The whole state of
 * a run is one cursor: how many samples have been visited since its start. */
#ifndef JUDO_DATA_SAMPLER_H
#define JUDO_DATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_sampler judo_sampler;

/* `count` samples, 1 to 2^32 - 1. Without `shuffle` every epoch is 0, 1, .. count - 1. */
judo_status judo_sampler_create(uint64_t seed, int64_t count, bool shuffle,
                                judo_sampler **out) JUDO_MUST_CHECK;
void judo_sampler_destroy(judo_sampler **sampler);

/* The sample at `cursor` >= 0; epoch = cursor / count. Safe from several threads. Keeps the
 * permutations of two epochs: calls that stay within neighbouring epochs are cheap. */
judo_status judo_sampler_index(judo_sampler *sampler, int64_t cursor,
                               int64_t *index) JUDO_MUST_CHECK;

#endif
