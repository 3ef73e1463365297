/* runtime/ops/cuda/sample.cu: draws the next token of each row; a block per row. */
#include "runtime/ops/cuda/sample_candidates.cuh"
#include "runtime/ops/cuda/softmax.cuh"

#include <inttypes.h>

/* All that is pointed to is in device memory here. */
typedef struct sample_arguments {
    judo_draw_memory memory;
    const float *logits;
    const judo_draw_row *rows;
    int64_t count;
    judo_sampling sampling;
    float logprob_temperature;
} sample_arguments;

static __global__ void sample_rows(const __grid_constant__ sample_arguments args)
{
    int64_t b = blockIdx.x;
    const judo_sampling *s = &args.sampling;
    sample_row row;
    row.logits = args.logits + b * args.count;
    uint8_t *seen = args.memory.seen ? args.memory.seen + args.rows[b].seen * args.count : NULL;
    judo_draw *drawn = &args.memory.draws[args.rows[b].place];
    row.seen = s->repetition_penalty == 1.0f ? NULL : seen;
    row.banned = args.memory.banned;
    row.count = args.count;
    row.penalty = s->repetition_penalty;
    row.temperature = s->temperature == 0.0f ? 1.0f : s->temperature;
    row.lowest = -INFINITY;
    row.last_tie = args.count;
    row.ids = NULL;
    row_softmax softmax =
        softmax_row(row.logits, row.count, args.logprob_temperature, row.banned);
    if (!isfinite(softmax.sum) || !isfinite(softmax.max)) {
        if (threadIdx.x == 0) {
            drawn->token = JUDO_NO_TOKEN;
            drawn->logprob = NAN;
        }
        return;
    }
    int32_t token = 0;
    if (s->temperature == 0.0f) {
        token = likeliest(&row);
    } else {
        __shared__ candidate_memory memory;
        if (s->top_k > 0 && s->top_k < row.count) {
            keep_top_k(&row, &memory, (uint32_t)s->top_k);
        }
        if (s->top_p < 1.0f) {
            keep_top_p(&row, &memory, s->top_p);
        }
        token = draw(&row, s->min_p, args.rows[b].uniform);
        token = row.ids ? row.ids[token] : token;
    }
    if (threadIdx.x == 0) {
        drawn->token = token;
        drawn->logprob = softmax_logprob(&softmax, args.logits[b * args.count + token],
                                         args.logprob_temperature);
        if (seen) { /* all threads have read their scores */
            seen[token] = 1;
        }
    }
}

judo_status judo_cuda_sample(const judo_draw_memory *memory, judo_tensor *logits,
                             const judo_draw_row *rows, const judo_sampling *sampling,
                             float logprob_temperature)
{
    JUDO_TRY(judo_sample_check(memory, logits, rows, sampling, logprob_temperature));
    if (logits->dims[1] > MOST_VOCABULARY) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "sample: a vocabulary of %" PRId64
                         "; the CUDA backend draws from at most %d",
                         logits->dims[1], (int)MOST_VOCABULARY);
    }
    if (logits->dims[0] == 0) {
        return JUDO_OK;
    }
    int64_t bytes = logits->dims[0] * (int64_t)sizeof *rows;
    sample_arguments args = {};
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
    args.rows = (const judo_draw_row *)judo_cuda_lists_put(rows, bytes);
    JUDO_TRY(judo_cuda_lists_send());
    args.memory = *memory;
    args.logits = (const float *)logits->data;
    args.count = logits->dims[1];
    args.sampling = *sampling;
    args.logprob_temperature = logprob_temperature;
    judo_cuda_launch(sample_rows, (unsigned)logits->dims[0], JUDO_CUDA_SOFTMAX, 0, args);
    return judo_cuda_launched("sample");
}
