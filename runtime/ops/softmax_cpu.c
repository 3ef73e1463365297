/* runtime/ops/softmax_cpu.c: the softmax of one row of logits. Training and generation both
 * take their log-probabilities from here, so that they agree to the last bit. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

enum { BLOCK = 512 };

/* Logits / temperature of one block, minus infinity where banned and up to a whole vector. */
static void load_block(float *out, const float *logits, int64_t count, float temperature,
                       const uint8_t *banned)
{
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector scaled =
            judo_vector_load(logits + i, count - i) / judo_vector_all(temperature);
        judo_vector_store(out + i, scaled, JUDO_LANES);
    }
    for (int64_t i = 0; banned && i < count; i++) {
        out[i] = banned[i] ? -INFINITY : out[i];
    }
    for (int64_t i = count; i % JUDO_LANES != 0; i++) {
        out[i] = -INFINITY;
    }
}

/* Sums one block of exponentials, 16 lanes in fp32, and their products with the differences. */
static void add_block(judo_cpu_softmax *softmax, float *exponentials, const float *scaled,
                      int64_t count)
{
    judo_vector sum = {0};
    judo_vector weighted = {0};
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector difference =
            judo_vector_load(scaled + i, JUDO_LANES) - judo_vector_all(softmax->max);
        judo_vector exponential = judo_vector_exp(difference);
        sum += exponential;
        /* 0 x -inf would not be a number */
        difference = judo_vector_max(judo_vector_all(-1000.0f), difference);
        weighted = judo_vector_fma(exponential, difference, weighted);
        if (exponentials) {
            judo_vector_store(exponentials + i, exponential, count - i);
        }
    }
    softmax->sum += (double)judo_vector_sum(sum);
    softmax->weighted += (double)judo_vector_sum(weighted);
}

judo_cpu_softmax judo_cpu_softmax_row(const float *logits, float *exponentials, int64_t count,
                                      float temperature, const uint8_t *banned)
{
    judo_cpu_softmax softmax = {.max = -INFINITY};
    float scaled[BLOCK];
    judo_vector highest = judo_vector_all(-INFINITY);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t width = count - first < BLOCK ? count - first : BLOCK;
        load_block(scaled, logits + first, width, temperature, banned ? banned + first : NULL);
        for (int64_t i = 0; i < width; i += JUDO_LANES) {
            highest = judo_vector_max(judo_vector_load(scaled + i, JUDO_LANES), highest);
        }
    }
    softmax.max = judo_vector_highest(highest);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t width = count - first < BLOCK ? count - first : BLOCK;
        load_block(scaled, logits + first, width, temperature, banned ? banned + first : NULL);
        add_block(&softmax, exponentials ? exponentials + first : NULL, scaled, width);
    }
    return softmax;
}

float judo_cpu_softmax_logprob(const judo_cpu_softmax *softmax, float logit, float temperature)
{
    float difference = logit / temperature - softmax->max;
    return (float)((double)difference - log(softmax->sum));
}
