/* models/random_init.c: normal deviates by counter, so that any range of any parameter can be
 * made alone. */
#include "models/random_init.h"

#include <math.h>
#include <string.h>

#include "runtime/random.h"

static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++) {
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    }
    return hash;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text);
    size_t tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* Box-Muller; one deviate per counter. */
static float normal(uint64_t seed, uint64_t element, uint32_t name)
{
    static const double two_pi = 6.28318530717958647692;
    uint32_t words[4];
    judo_random_words(seed, JUDO_STREAM_INIT, element, name, 0, words);
    double radius = sqrt(-2.0 * log(((double)words[0] + 1.0) * 0x1p-32));
    return (float)(radius * cos(two_pi * (double)words[1] * 0x1p-32));
}

static judo_status read_random(void *context, const judo_param *param, int64_t first,
                               int64_t count, float *out)
{
    const judo_random_init *init = context;
    bool is_bias = ends_with(param->name, ".bias");
    bool is_norm = !is_bias && param->num_dims == 1;
    uint32_t name = hash_name(param->name);
    for (int64_t i = 0; i < count; i++) {
        if (is_bias || is_norm) {
            out[i] = is_norm ? 1.0f : 0.0f;
        } else {
            out[i] = (float)init->deviation * normal(init->seed, (uint64_t)(first + i), name);
        }
    }
    return JUDO_OK;
}

judo_weight_source judo_random_init_source(judo_random_init *init)
{
    return (judo_weight_source){.context = init, .read = read_random};
}
