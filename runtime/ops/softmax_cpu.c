/* runtime/ops/softmax_cpu.c: the softmax of one row of logits. Training and generation both
 * take their log-probabilities from here, so that they agree to the last bit. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

enum { BLOCK = 512 };

/* Logits / temperature of one block, minus infinity where banned. */
static void load_block(float *out, const float *logits, int64_t count, float temperature,
                       const uint8_t *banned)
{
    for (int64_t i = 0; i < count; i++) {
        out[i] = logits[i] / temperature;
    }
    if (banned) {
        for (int64_t i = 0; i < count; i++) {
            out[i] = banned[i] ? -INFINITY : out[i];
        }
    }
}

static float block_max(const float *x, int64_t count, float max)
{
    float lanes[JUDO_LANES];
    for (int i = 0; i < JUDO_LANES; i++) {
        lanes[i] = max;
    }
    int64_t i = 0;
    for (; i + JUDO_LANES <= count; i += JUDO_LANES) {
        for (int j = 0; j < JUDO_LANES; j++) {
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
        }
    }
    for (; i < count; i++) {
        max = x[i] > max ? x[i] : max;
    }
    for (int j = 0; j < JUDO_LANES; j++) {
        max = lanes[j] > max ? lanes[j] : max;
    }
    return max;
}

/* Sums one block of exponentials, 16 lanes in fp32, and their products with the differences. */
static void add_block(judo_cpu_softmax *softmax, float *exponentials, float *differences,
                      int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float difference = differences[i] - softmax->max;
        exponentials[i] = judo_exp(difference);
        differences[i] = difference < -1000.0f ? -1000.0f : difference; /* 0 x -inf */
    }
    judo_vector sum = {0};
    judo_vector weighted = {0};
    int64_t i = 0;
    for (; i + JUDO_LANES <= count; i += JUDO_LANES) {
        judo_vector e = judo_vector_load(exponentials + i);
        sum += e;
        weighted = judo_vector_fma(e, judo_vector_load(differences + i), weighted);
    }
    if (i < count) {
        judo_vector e = judo_vector_load_part(exponentials + i, count - i);
        sum += e;
        weighted =
            judo_vector_fma(e, judo_vector_load_part(differences + i, count - i), weighted);
    }
    softmax->sum += (double)judo_vector_sum(sum);
    softmax->weighted += (double)judo_vector_sum(weighted);
}

judo_cpu_softmax judo_cpu_softmax_row(const float *logits, float *exponentials, int64_t count,
                                      float temperature, const uint8_t *banned)
{
    judo_cpu_softmax softmax = {.max = -INFINITY};
    float scaled[BLOCK];
    float local[BLOCK];
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t width = count - first < BLOCK ? count - first : BLOCK;
        load_block(scaled, logits + first, width, temperature, banned ? banned + first : NULL);
        softmax.max = block_max(scaled, width, softmax.max);
    }
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t width = count - first < BLOCK ? count - first : BLOCK;
        load_block(scaled, logits + first, width, temperature, banned ? banned + first : NULL);
        add_block(&softmax, exponentials ? exponentials + first : local, scaled, width);
    }
    return softmax;
}

float judo_cpu_softmax_logprob(const judo_cpu_softmax *softmax, float logit, float temperature)
{
    float difference = logit / temperature - softmax->max;
    return (float)((double)difference - log(softmax->sum));
}
