/* runtime/ops/head_loss_cpu.c: output head, log-probabilities, loss and gradients, fused over
 * chunks of rows. */
#include "runtime/ops/cpu.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What one target adds to the sums; summed over rows in order, by one thread. */
typedef struct target_outcome {
    double loss, kl, entropy;
    bool counted, correct;
} target_outcome;

typedef struct head_arguments {
    const int32_t *targets;
    const judo_token_loss *spec;
    const uint8_t *banned;
    float *logprobs, *entropies; /* or NULL */
    int64_t vocabulary;
    bool gradient;
} head_arguments;

/* Turns one row of logits into the gradient with respect to them: coefficient (onehot - p). */
static void write_gradient(float *row, int64_t count, int32_t target, double coefficient,
                           double sum)
{
    if (coefficient == 0.0) {
        memset(row, 0, (size_t)count * sizeof *row);
        return;
    }
    float factor = (float)(-coefficient / sum);
    for (int64_t i = 0; i < count; i++) {
        row[i] *= factor;
    }
    row[target] += (float)coefficient;
}

/* Target i of the batch, whose logits are `row`. */
static target_outcome finish_row(const head_arguments *head, float *row, int64_t i)
{
    const judo_token_loss *spec = head->spec;
    int32_t target = head->targets[i];
    bool target_banned = head->banned && head->banned[target];
    float logit = target_banned ? -INFINITY : row[target];
    judo_cpu_softmax softmax = judo_cpu_softmax_row(
        row, head->gradient ? row : NULL, head->vocabulary, spec->temperature, head->banned);
    float logprob = judo_cpu_softmax_logprob(&softmax, logit, spec->temperature);
    double entropy = log(softmax.sum) - softmax.weighted / softmax.sum;
    if (head->logprobs) {
        head->logprobs[i] = logprob;
    }
    if (head->entropies) {
        head->entropies[i] = (float)entropy;
    }
    float weight = spec->weights ? spec->weights[i] : 1.0f;
    if (weight == 0.0f) {
        if (head->gradient) {
            memset(row, 0, (size_t)head->vocabulary * sizeof *row);
        }
        return (target_outcome){.counted = false};
    }
    judo_token_loss_value value = judo_token_loss_at(spec, i, logprob);
    double factor = (double)weight * spec->scale;
    if (head->gradient) {
        double coefficient = factor * (double)value.gradient / (double)spec->temperature;
        write_gradient(row, head->vocabulary, target, coefficient, softmax.sum);
    }
    return (target_outcome){.loss = factor * (double)value.loss,
                            .kl = (double)value.kl,
                            .entropy = entropy,
                            .counted = true,
                            .correct = logit / spec->temperature >= softmax.max};
}

static void add_outcomes(judo_token_result *result, const target_outcome *outcomes,
                         int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!outcomes[i].counted) {
            continue; /* a weight of 0 counts for nothing, even where the row is not finite */
        }
        result->loss += outcomes[i].loss;
        result->kl += outcomes[i].kl;
        result->entropy += outcomes[i].entropy;
        result->num_correct += outcomes[i].correct;
    }
}

static judo_status check_arguments(const judo_tensor *dhidden, const judo_tensor *dw,
                                   const judo_tensor *hidden, const judo_tensor *w,
                                   const int32_t *targets, const judo_token_loss *spec,
                                   int64_t chunk_rows)
{
    const char *op = "head_loss";
    JUDO_TRY(judo_cpu_expect_dims(op, "hidden", hidden, 2));
    JUDO_TRY(judo_cpu_expect_dims(op, "w", w, 2));
    JUDO_TRY(judo_cpu_expect_2d(op, "w", w, w->dims[0], hidden->dims[1]));
    if (dhidden) {
        JUDO_TRY(judo_cpu_expect_like(op, "dhidden", dhidden, hidden));
    }
    if (dw) {
        JUDO_TRY(judo_cpu_expect_like(op, "dw", dw, w));
    }
    if (chunk_rows < 1 || !(spec->temperature > 0.0f) ||
        (spec->kind == JUDO_LOSS_POLICY && hidden->dims[0] > 0 &&
         (!spec->advantages || (spec->kl_beta != 0.0f && !spec->ref_logprobs)))) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: chunk of %" PRId64 " rows, temperature %g%s",
                         op, chunk_rows, (double)spec->temperature,
                         spec->kind == JUDO_LOSS_POLICY
                             ? ", or no advantages or reference log-probabilities"
                             : "");
    }
    for (int64_t i = 0; i < hidden->dims[0]; i++) {
        if (targets[i] < 0 || targets[i] >= w->dims[0]) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: targets[%" PRId64 "] = %" PRId32
                             " is outside of the vocabulary of %" PRId64,
                             op, i, targets[i], w->dims[0]);
        }
    }
    return JUDO_OK;
}

judo_status judo_cpu_head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                               const judo_tensor *hidden, const judo_tensor *w,
                               const int32_t *targets, const judo_token_loss *spec,
                               const uint8_t *banned, int64_t chunk_rows)
{
    JUDO_TRY(check_arguments(dhidden, dw, hidden, w, targets, spec, chunk_rows));
    int64_t m = hidden->dims[0];
    int64_t h = hidden->dims[1];
    int64_t v = w->dims[0];
    int64_t chunk = chunk_rows < m ? chunk_rows : m;
    void *memory = NULL;
    int64_t outcome_bytes = chunk * (int64_t)sizeof(target_outcome);
    outcome_bytes = (outcome_bytes + 63) / 64 * 64;
    JUDO_TRY(judo_cpu_scratch(&memory, outcome_bytes + chunk * v * (int64_t)sizeof(float)));
    target_outcome *outcomes = memory;
    float *logits = (float *)((char *)memory + outcome_bytes);
    head_arguments head = {targets,           spec, banned,         result->logprobs,
                           result->entropies, v,    dhidden != NULL};
    for (int64_t first = 0; first < m; first += chunk) {
        int64_t rows = m - first < chunk ? m - first : chunk;
        const float *in = (const float *)hidden->data + first * h;
        JUDO_TRY(judo_cpu_matmul(logits, in, false, w->data, true, NULL, rows, v, h, false));
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(rows *v))
        for (int64_t i = 0; i < rows; i++) {
            outcomes[i] = finish_row(&head, logits + i * v, first + i);
        }
        add_outcomes(result, outcomes, rows);
        if (dhidden) {
            JUDO_TRY(judo_cpu_matmul((float *)dhidden->data + first * h, logits, false, w->data,
                                     false, NULL, rows, h, v, false));
        }
        if (dhidden && dw) {
            JUDO_TRY(
                judo_cpu_matmul(dw->data, logits, true, in, false, NULL, v, h, rows, true));
        }
    }
    return JUDO_OK;
}
