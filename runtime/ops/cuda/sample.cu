/* runtime/ops/cuda/sample.cu: draws the next token of each row; a block per row. */
#include "runtime/ops/cuda/sample_candidates.cuh"
#include "runtime/ops/cuda/softmax.cuh"

#include <inttypes.h>

/* Everything is in device memory here. */
typedef struct sample_arguments {
    const float *logits, *uniform;
    const uint8_t *seen, *banned; /* or NULL */
    int64_t count;
    judo_sampling sampling;
    float logprob_temperature;
    int32_t *tokens;
    float *logprobs;
    int32_t *bad; /* lowest row from which nothing can be drawn */
} sample_arguments;

static __global__ void sample_rows(const __grid_constant__ sample_arguments args)
{
    int64_t b = blockIdx.x;
    const judo_sampling *s = &args.sampling;
    sample_row row;
    row.logits = args.logits + b * args.count;
    row.seen = args.seen ? args.seen + b * args.count : NULL;
    row.banned = args.banned;
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
            atomicMin(args.bad, (int32_t)b);
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
        token = draw(&row, s->min_p, args.uniform[b]);
        token = row.ids ? row.ids[token] : token;
    }
    if (threadIdx.x == 0) {
        args.tokens[b] = token;
        args.logprobs[b] = softmax_logprob(&softmax, args.logits[b * args.count + token],
                                           args.logprob_temperature);
    }
}

/* The marks of all rows, one behind the other, for the rows that have any. */
static judo_status copy_seen(uint8_t *to, const uint8_t *const *seen, int64_t rows,
                             int64_t count)
{
    for (int64_t b = 0; b < rows; b++) {
        if (seen[b]) {
            JUDO_CUDA_TRY(cudaMemcpyAsync(to + b * count, seen[b], (size_t)count,
                                          cudaMemcpyDefault, judo_cuda.stream));
        } else {
            JUDO_CUDA_TRY(cudaMemsetAsync(to + b * count, 0, (size_t)count, judo_cuda.stream));
        }
    }
    return JUDO_OK;
}

/* Results first, in one run, then the marks. */
static judo_status prepare(sample_arguments *args, int64_t rows, const float *uniform,
                           const uint8_t *const *seen, const uint8_t *banned)
{
    bool penalty = seen && args->sampling.repetition_penalty != 1.0f;
    int64_t results = judo_cuda_aligned((2 * rows + 1) * (int64_t)sizeof(int32_t));
    void *memory = NULL;
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_OP,
                               results + (penalty ? rows * args->count : 0)));
    args->tokens = (int32_t *)memory;
    args->logprobs = (float *)(args->tokens + rows);
    args->bad = args->tokens + 2 * rows;
    JUDO_CUDA_TRY(cudaMemsetAsync(args->bad, 0x7f, sizeof *args->bad, judo_cuda.stream));
    if (penalty) {
        uint8_t *marks = (uint8_t *)memory + results;
        JUDO_TRY(copy_seen(marks, seen, rows, args->count));
        args->seen = marks;
    }
    int64_t bytes = rows * (int64_t)sizeof(float);
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes) + judo_cuda_aligned(args->count)));
    args->uniform = (const float *)judo_cuda_lists_put(uniform, bytes);
    args->banned = (const uint8_t *)judo_cuda_lists_put(banned, args->count);
    return judo_cuda_lists_send();
}

judo_status judo_cuda_sample(int32_t *tokens, float *logprobs, judo_tensor *logits,
                             const judo_sampling *sampling, const float *uniform,
                             const uint8_t *const *seen, const uint8_t *banned,
                             float logprob_temperature)
{
    JUDO_TRY(judo_sample_check(logits, sampling, logprob_temperature));
    int64_t rows = logits->dims[0];
    if (logits->dims[1] > MOST_VOCABULARY) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "sample: a vocabulary of %" PRId64
                         "; the CUDA backend draws from at most %d",
                         logits->dims[1], (int)MOST_VOCABULARY);
    }
    if (rows == 0) {
        return JUDO_OK;
    }
    sample_arguments args = {};
    args.logits = (const float *)logits->data;
    args.count = logits->dims[1];
    args.sampling = *sampling;
    args.logprob_temperature = logprob_temperature;
    JUDO_TRY(prepare(&args, rows, uniform, seen, banned));
    judo_cuda_launch(sample_rows, (unsigned)rows, JUDO_CUDA_SOFTMAX, 0, args);
    JUDO_TRY(judo_cuda_launched("sample"));
    void *memory = NULL;
    JUDO_TRY(judo_cuda_host_scratch(&memory, (2 * rows + 1) * (int64_t)sizeof(int32_t)));
    JUDO_TRY(judo_cuda_fetch(memory, args.tokens, (2 * rows + 1) * (int64_t)sizeof(int32_t)));
    const int32_t *drawn = (const int32_t *)memory;
    if (drawn[2 * rows] < rows) {
        return judo_sample_bad_row(drawn[2 * rows]);
    }
    memcpy(tokens, drawn, (size_t)rows * sizeof *tokens);
    memcpy(logprobs, drawn + rows, (size_t)rows * sizeof *logprobs);
    return JUDO_OK;
}
