/* runtime/ops/sampling_cpu.c: draws the next token from a row of logits. Ties are decided by
 * id: lower ids stay and come first. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

#include <omp.h>

static float highest(const float *x, int64_t count)
{
    judo_vector max = judo_vector_all(-INFINITY);
    for (; count > 0; x += JUDO_LANES, count -= JUDO_LANES) {
        judo_vector part = judo_vector_load(x, count);
        for (int64_t i = count; i < JUDO_LANES; i++) {
            part[i] = -INFINITY;
        }
        max = judo_vector_max(part, max);
    }
    return judo_vector_highest(max);
}

static void penalise(float *logits, int64_t count, const uint8_t *seen, float penalty)
{
    for (int64_t i = 0; i < count; i++) {
        if (seen[i]) {
            logits[i] = logits[i] < 0.0f ? logits[i] * penalty : logits[i] / penalty;
        }
    }
}

/* Orders x[first..last) into (below | equal | above) the pivot. */
static void split(float *x, int64_t first, int64_t last, float pivot, int64_t *equal_first,
                  int64_t *above_first)
{
    int64_t low = first;
    int64_t next = first;
    int64_t high = last;
    while (next < high) {
        float value = x[next];
        if (value < pivot) {
            x[next++] = x[low];
            x[low++] = value;
        } else if (value > pivot) {
            x[next] = x[--high];
            x[high] = value;
        } else {
            next++;
        }
    }
    *equal_first = low;
    *above_first = high;
}

static float middle_of_three(const float *x, int64_t first, int64_t last)
{
    float a = x[first];
    float b = x[first + (last - first) / 2];
    float c = x[last - 1];
    float low = a < b ? a : b;
    float high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* The kth highest of `count` values, 1 <= k <= count. */
static float kth_highest(float *x, int64_t count, int64_t k)
{
    int64_t first = 0;
    int64_t last = count;
    int64_t place = count - k;
    for (;;) {
        float pivot = middle_of_three(x, first, last);
        int64_t equal = 0;
        int64_t above = 0;
        split(x, first, last, pivot, &equal, &above);
        if (place < equal) {
            last = equal;
        } else if (place >= above) {
            first = above;
        } else {
            return pivot;
        }
    }
}

static void keep_top_k(float *logits, int64_t count, int32_t k, float *work)
{
    memcpy(work, logits, (size_t)count * sizeof *work);
    float threshold = kth_highest(work, count, k);
    for (int64_t i = 0; i < count; i++) {
        logits[i] = logits[i] < threshold ? -INFINITY : logits[i];
    }
}

static double mass(const float *x, int64_t first, int64_t last, float max)
{
    enum { BLOCK = 512 };

    double sum = 0.0;
    while (first < last) {
        int64_t end = last - first < BLOCK ? last : first + BLOCK;
        judo_vector lanes = {0};
        for (; first < end; first += JUDO_LANES) {
            judo_vector part = judo_vector_exp(judo_vector_load(x + first, end - first) -
                                               judo_vector_all(max));
            for (int64_t i = end - first; i < JUDO_LANES; i++) {
                part[i] = 0.0f;
            }
            lanes += part;
        }
        first = end;
        sum += (double)judo_vector_sum(lanes);
    }
    return sum;
}

/* Removes ids from the least likely up while their joint probability is at most 1 - p; one id
 * always stays. Selection instead of sorting: each round halves what is left. */
static void keep_top_p(float *logits, int64_t count, float p, float *work)
{
    int64_t last = 0;
    for (int64_t i = 0; i < count; i++) {
        if (logits[i] > -INFINITY) {
            work[last++] = logits[i];
        }
    }
    float max = highest(work, last);
    double limit = (1.0 - (double)p) * mass(work, 0, last, max);
    double removed = 0.0;
    int64_t first = 0;
    float threshold = max;
    int64_t drop = 0; /* how many of those at the threshold go */
    while (first < last) {
        int64_t equal = 0;
        int64_t above = 0;
        threshold = middle_of_three(work, first, last);
        split(work, first, last, threshold, &equal, &above);
        double below_mass = mass(work, first, equal, max);
        if (removed + below_mass > limit) {
            last = equal;
            continue;
        }
        removed += below_mass;
        double each = (double)judo_exp(threshold - max);
        drop = 0;
        while (drop < above - equal && removed + each <= limit) {
            removed += each;
            drop++;
        }
        if (drop < above - equal) {
            break;
        }
        first = above;
    }
    if (first >= last) { /* everything went: the first of the highest stays */
        threshold = max;
        drop = count;
    }
    int64_t best = -1;
    for (int64_t i = count - 1; i >= 0; i--) {
        best = logits[i] == max ? i : best;
    }
    for (int64_t i = count - 1; i >= 0; i--) {
        if (logits[i] < threshold || (logits[i] == threshold && drop-- > 0 && i != best)) {
            logits[i] = -INFINITY;
        }
    }
}

/* The first id at which the cumulative probability passes `uniform`. */
static int32_t draw(const float *logits, int64_t count, float min_p, float uniform, float *work)
{
    float max = highest(logits, count);
    double total = 0.0;
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector e =
            judo_vector_exp(judo_vector_load(logits + i, count - i) - judo_vector_all(max));
        e = judo_vector_select(e < judo_vector_all(min_p), judo_vector_all(0.0f), e);
        judo_vector_store(work + i, e, count - i);
    }
    for (int64_t i = 0; i < count; i++) {
        total += (double)work[i];
    }
    double goal = total * (double)uniform;
    double sum = 0.0;
    int32_t token = 0;
    for (int64_t i = 0; i < count; i++) {
        if (work[i] > 0.0f) {
            token = (int32_t)i; /* stays the last possible id if rounding never passes goal */
            sum += (double)work[i];
            if (sum > goal) {
                break;
            }
        }
    }
    return token;
}

static int32_t argmax(const float *x, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return (int32_t)best;
}

/* What a row's token is drawn with. */
typedef struct row_options {
    const judo_sampling *sampling;
    float uniform, logprob_temperature;
    const uint8_t *seen, *banned; /* or NULL */
} row_options;

/* `work` has 2 `count` floats. */
static judo_draw sample_row(float *logits, int64_t count, const row_options *options,
                            float *work)
{
    const judo_sampling *sampling = options->sampling;
    const float logprob_temperature = options->logprob_temperature;
    judo_cpu_softmax softmax =
        judo_cpu_softmax_row(logits, NULL, count, logprob_temperature, options->banned);
    if (!isfinite(softmax.sum) || !isfinite(softmax.max)) {
        return (judo_draw){.token = JUDO_NO_TOKEN, .logprob = NAN};
    }
    float *raw = work + count;
    memcpy(raw, logits, (size_t)count * sizeof *raw);
    for (int64_t i = 0; options->banned && i < count; i++) {
        logits[i] = options->banned[i] ? -INFINITY : logits[i];
    }
    if (options->seen && sampling->repetition_penalty != 1.0f) {
        penalise(logits, count, options->seen, sampling->repetition_penalty);
    }
    judo_draw drawn;
    if (sampling->temperature == 0.0f) {
        drawn.token = argmax(logits, count);
    } else {
        for (int64_t i = 0; i < count; i++) {
            logits[i] /= sampling->temperature;
        }
        if (sampling->top_k > 0 && sampling->top_k < count) {
            keep_top_k(logits, count, sampling->top_k, work);
        }
        if (sampling->top_p < 1.0f) {
            keep_top_p(logits, count, sampling->top_p, work);
        }
        drawn.token = draw(logits, count, sampling->min_p, options->uniform, work);
    }
    drawn.logprob = judo_cpu_softmax_logprob(&softmax, raw[drawn.token], logprob_temperature);
    return drawn;
}

judo_status judo_cpu_sample(const judo_draw_memory *memory, judo_tensor *logits,
                            const judo_draw_row *rows, const judo_sampling *sampling,
                            float logprob_temperature)
{
    JUDO_TRY(judo_sample_check(memory, logits, rows, sampling, logprob_temperature));
    int64_t count = logits->dims[1];
    int threads = judo_cpu_threads_for(logits->dims[0] * count);
    void *scratch = NULL;
    JUDO_TRY(judo_cpu_scratch(&scratch, JUDO_SCRATCH_OP,
                              threads * 2 * count * (int64_t)sizeof(float)));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t b = 0; b < logits->dims[0]; b++) {
        float *work = (float *)scratch + omp_get_thread_num() * 2 * count;
        uint8_t *seen = memory->seen ? memory->seen + rows[b].seen * count : NULL;
        const row_options options = {.sampling = sampling,
                                     .uniform = rows[b].uniform,
                                     .logprob_temperature = logprob_temperature,
                                     .seen = seen,
                                     .banned = memory->banned};
        judo_draw drawn = sample_row((float *)logits->data + b * count, count, &options, work);
        if (seen && drawn.token != JUDO_NO_TOKEN) {
            seen[drawn.token] = 1;
        }
        memory->draws[rows[b].place] = drawn;
    }
    return JUDO_OK;
}
