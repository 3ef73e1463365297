/* runtime/ops/head_loss_cpu.c: output head, log-probabilities, loss and gradients, fused over
 * chunks of rows. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

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
static judo_token_outcome finish_row(const head_arguments *head, float *row, int64_t i)
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
        return (judo_token_outcome){.counted = false};
    }
    judo_token_loss_value value = judo_token_loss_at(spec, i, logprob);
    double factor = (double)weight * spec->scale;
    if (head->gradient) {
        double coefficient = factor * (double)value.gradient / (double)spec->temperature;
        write_gradient(row, head->vocabulary, target, coefficient, softmax.sum);
    }
    return (judo_token_outcome){.loss = factor * (double)value.loss,
                                .kl = (double)value.kl,
                                .entropy = entropy,
                                .counted = true,
                                .correct = logit / spec->temperature >= softmax.max};
}

/* One call's memory for a chunk of rows. */
typedef struct head_chunk {
    judo_token_outcome *outcomes;
    float *logits;
    uint16_t *gradients; /* of the logits in bf16, where the model has that dtype */
} head_chunk;

static int64_t aligned(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static judo_status chunk_memory(head_chunk *chunk, int64_t rows, int64_t v, bool bf16)
{
    int64_t outcome_bytes = aligned(rows * (int64_t)sizeof(judo_token_outcome));
    int64_t logit_bytes = aligned(rows * v * (int64_t)sizeof(float));
    int64_t gradient_bytes = bf16 ? rows * v * (int64_t)sizeof(uint16_t) : 0;
    void *memory = NULL;
    JUDO_TRY(judo_cpu_scratch(&memory, JUDO_SCRATCH_OP,
                              outcome_bytes + logit_bytes + gradient_bytes));
    chunk->outcomes = memory;
    chunk->logits = (float *)((char *)memory + outcome_bytes);
    chunk->gradients = bf16 ? (uint16_t *)((char *)chunk->logits + logit_bytes) : NULL;
    return JUDO_OK;
}

/* dhidden and dw of `rows` rows of hidden states at `in`. */
static judo_status chunk_gradients(const head_chunk *chunk, void *dhidden, judo_tensor *dw,
                                   const void *in, const judo_tensor *w, int64_t rows)
{
    int64_t v = w->dims[0];
    int64_t h = w->dims[1];
    const void *slopes = chunk->logits;
    if (chunk->gradients) {
        slopes = chunk->gradients;
    }
    judo_cpu_product to_hidden = {.c = dhidden,
                                  .a = slopes,
                                  .b = w->data,
                                  .m = rows,
                                  .n = h,
                                  .k = v,
                                  .dtype = w->dtype,
                                  .c_dtype = w->dtype};
    JUDO_TRY(judo_cpu_matmul(&to_hidden));
    if (!dw) {
        return JUDO_OK;
    }
    judo_cpu_product to_w = {.c = dw->data,
                             .a = slopes,
                             .b = in,
                             .m = v,
                             .n = h,
                             .k = rows,
                             .dtype = w->dtype,
                             .c_dtype = JUDO_F32,
                             .transpose_a = true,
                             .accumulate = true};
    return judo_cpu_matmul(&to_w);
}

judo_status judo_cpu_head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                               const judo_tensor *hidden, const judo_tensor *w,
                               const int32_t *targets, const judo_token_loss *spec,
                               const uint8_t *banned, int64_t chunk_rows)
{
    JUDO_TRY(judo_head_loss_check(dhidden, dw, hidden, w, targets, spec, chunk_rows));
    int64_t m = hidden->dims[0];
    int64_t h = hidden->dims[1];
    int64_t v = w->dims[0];
    int64_t most = chunk_rows < m ? chunk_rows : m;
    judo_dtype dtype = hidden->dtype;
    head_chunk chunk = {0};
    JUDO_TRY(chunk_memory(&chunk, most, v, dhidden && dtype == JUDO_BF16));
    head_arguments head = {targets,           spec, banned,         result->logprobs,
                           result->entropies, v,    dhidden != NULL};
    for (int64_t first = 0; first < m; first += most) {
        int64_t rows = m - first < most ? m - first : most;
        const void *in = judo_cpu_at(hidden->data, dtype, first * h);
        judo_cpu_product to_logits = {.c = chunk.logits,
                                      .a = in,
                                      .b = w->data,
                                      .m = rows,
                                      .n = v,
                                      .k = h,
                                      .dtype = dtype,
                                      .c_dtype = JUDO_F32,
                                      .transpose_b = true};
        JUDO_TRY(judo_cpu_matmul(&to_logits));
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(rows *v))
        for (int64_t i = 0; i < rows; i++) {
            chunk.outcomes[i] = finish_row(&head, chunk.logits + i * v, first + i);
            if (chunk.gradients) {
                judo_vector_convert(chunk.gradients + i * v, JUDO_BF16, chunk.logits + i * v,
                                    JUDO_F32, v);
            }
        }
        judo_token_result_add(result, chunk.outcomes, rows);
        if (dhidden) {
            JUDO_TRY(chunk_gradients(&chunk, judo_cpu_to(dhidden->data, dtype, first * h), dw,
                                     in, w, rows));
        }
    }
    return JUDO_OK;
}
