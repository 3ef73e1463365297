/* data/sampler.c: Fisher and Yates' shuffle with counter-based numbers. */
#include "data/sampler.h"

#include <pthread.h>
#include <stdlib.h>

#include "runtime/random.h"

struct judo_sampler {
    uint64_t seed;
    int64_t count;
    bool shuffle;
    pthread_mutex_t lock;
    int64_t epochs[2]; /* of the permutations below, by parity; -1: none yet */
    uint32_t *orders[2];
};

judo_status judo_sampler_create(uint64_t seed, int64_t count, bool shuffle, judo_sampler **out)
{
    if (count < 1 || count > UINT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "an order of %lld samples; 1 to 2^32 - 1 are possible",
                         (long long)count);
    }
    judo_sampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a sampler");
    }
    *sampler =
        (judo_sampler){.seed = seed, .count = count, .shuffle = shuffle, .epochs = {-1, -1}};
    (void)pthread_mutex_init(&sampler->lock, NULL);
    for (int i = 0; shuffle && i < 2; i++) {
        sampler->orders[i] = malloc((size_t)count * sizeof *sampler->orders[i]);
        if (sampler->orders[i] == NULL) {
            judo_sampler_destroy(&sampler);
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the order of %lld samples",
                             (long long)count);
        }
    }
    *out = sampler;
    return JUDO_OK;
}

void judo_sampler_destroy(judo_sampler **sampler)
{
    if (*sampler == NULL) {
        return;
    }
    free((*sampler)->orders[0]);
    free((*sampler)->orders[1]);
    (void)pthread_mutex_destroy(&(*sampler)->lock);
    free(*sampler);
    *sampler = NULL;
}

static void shuffle_epoch(judo_sampler *sampler, int64_t epoch)
{
    uint32_t *order = sampler->orders[epoch & 1];
    for (int64_t i = 0; i < sampler->count; i++) {
        order[i] = (uint32_t)i;
    }
    for (uint32_t i = (uint32_t)sampler->count - 1; i > 0; i--) {
        uint32_t j =
            judo_random_below(sampler->seed, JUDO_STREAM_ORDER, (uint64_t)epoch, i, 0, i + 1);
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    sampler->epochs[epoch & 1] = epoch;
}

judo_status judo_sampler_index(judo_sampler *sampler, int64_t cursor, int64_t *index)
{
    if (cursor < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a data cursor of %lld; it counts from 0",
                         (long long)cursor);
    }
    int64_t epoch = cursor / sampler->count;
    int64_t place = cursor % sampler->count;
    if (!sampler->shuffle) {
        *index = place;
        return JUDO_OK;
    }
    (void)pthread_mutex_lock(&sampler->lock);
    if (sampler->epochs[epoch & 1] != epoch) {
        shuffle_epoch(sampler, epoch);
    }
    *index = sampler->orders[epoch & 1][place];
    (void)pthread_mutex_unlock(&sampler->lock);
    return JUDO_OK;
}
