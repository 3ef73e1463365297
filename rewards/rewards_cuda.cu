/* rewards/rewards_cuda.cu: rewards on the GPU, a part of the CUDA module: one kernel turns the
 * tokens of all completions into text and reads it, a block per completion. */
#include "runtime/ops/cuda/kernel.cuh"

extern "C" {
#include "rewards/device_rewards.h"
}

enum { SCORE_THREADS = (int)JUDO_COMPLETION_PARTS * (int)JUDO_CUDA_WARP };

typedef struct vocabulary {
    char *bytes;
    int32_t *offsets;
    int32_t size;
} vocabulary;

static vocabulary loaded;

/* The lists of judo_device_completions on the device, and where the texts go. */
typedef struct score_job {
    const int32_t *tokens;
    const int64_t *token_offsets, *text_offsets;
    const uint32_t *answers;
    const judo_cells *gold;
    char *text;
    judo_device_verdict *verdicts;
} score_job;

static __device__ int32_t token_length(const vocabulary &words, int32_t token)
{
    return token < words.size ? words.offsets[token + 1] - words.offsets[token] : 0;
}

/* Every thread writes a run of tokens, behind the bytes of the runs before. */
static __device__ void write_text(const vocabulary &words, const int32_t *tokens, int64_t count,
                                  char *text)
{
    __shared__ int64_t ends[SCORE_THREADS];
    int64_t first = count * threadIdx.x / SCORE_THREADS;
    int64_t last = count * (threadIdx.x + 1) / SCORE_THREADS;
    int64_t bytes = 0;
    for (int64_t i = first; i < last; i++) {
        bytes += token_length(words, tokens[i]);
    }
    ends[threadIdx.x] = bytes;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int t = 1; t < SCORE_THREADS; t++) {
            ends[t] += ends[t - 1];
        }
    }
    __syncthreads();
    char *to = text + ends[threadIdx.x] - bytes;
    for (int64_t i = first; i < last; i++) {
        int32_t length = token_length(words, tokens[i]);
        for (int32_t k = 0; k < length; k++) {
            *to++ = words.bytes[words.offsets[tokens[i]] + k];
        }
    }
    __syncthreads();
}

/* A warp per part: parts go their own ways through the text. */
static __global__ void score_completions(judo_reward_rules rules, vocabulary words,
                                         score_job job)
{
    __shared__ judo_completion_parts parts;
    int64_t row = blockIdx.x;
    char *text = job.text + job.text_offsets[row];
    int64_t first = job.token_offsets[row];
    write_text(words, job.tokens + first, job.token_offsets[row + 1] - first, text);

    size_t length = (size_t)(job.text_offsets[row + 1] - job.text_offsets[row]);
    if (threadIdx.x % JUDO_CUDA_WARP == 0) {
        judo_completion_parse(&rules, judo_span_of(text, length),
                              (int)threadIdx.x / JUDO_CUDA_WARP, &parts);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        judo_device_verdict *out = job.verdicts + row;
        judo_reward_values_of(&rules, &parts, job.answers[row], &job.gold[row], &out->values);
        bool thinks = parts.think.text != NULL;
        out->think_first = thinks ? parts.think.text - text : -1;
        out->think_length = thinks ? (int64_t)parts.think.length : -1;
    }
}

static judo_status load(const char *bytes, const int32_t *offsets, int32_t size)
{
    vocabulary fresh = {NULL, NULL, size};
    size_t offset_bytes = ((size_t)size + 1) * sizeof *offsets;
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
    JUDO_CUDA_TRY(cudaFree(loaded.bytes));
    loaded.bytes = NULL;
    JUDO_CUDA_TRY(cudaFree(loaded.offsets));
    loaded.offsets = NULL;
    loaded.size = 0;
    JUDO_TRY(judo_cuda_take((void **)&fresh.bytes, (int64_t)offsets[size] + 1));
    loaded.bytes = fresh.bytes;
    JUDO_TRY(judo_cuda_take((void **)&fresh.offsets, (int64_t)offset_bytes));
    loaded.offsets = fresh.offsets;
    JUDO_CUDA_TRY(cudaMemcpyAsync(fresh.bytes, bytes, (size_t)offsets[size],
                                  cudaMemcpyHostToDevice, judo_cuda.stream));
    JUDO_CUDA_TRY(cudaMemcpyAsync(fresh.offsets, offsets, offset_bytes, cudaMemcpyHostToDevice,
                                  judo_cuda.stream));
    JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
    loaded.size = size;
    return JUDO_OK;
}

static judo_status send_lists(const judo_device_completions *c, score_job *job)
{
    const int64_t tokens = c->token_offsets[c->count] * (int64_t)sizeof *c->tokens;
    const int64_t offsets = (c->count + 1) * (int64_t)sizeof *c->token_offsets;
    const int64_t answers = c->count * (int64_t)sizeof *c->answers;
    const int64_t gold = c->count * (int64_t)sizeof *c->gold;
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(tokens) + 2 * judo_cuda_aligned(offsets) +
                                  judo_cuda_aligned(answers) + judo_cuda_aligned(gold)));
    job->tokens = (const int32_t *)judo_cuda_lists_put(c->tokens, tokens);
    job->token_offsets = (const int64_t *)judo_cuda_lists_put(c->token_offsets, offsets);
    job->text_offsets = (const int64_t *)judo_cuda_lists_put(c->text_offsets, offsets);
    job->answers = (const uint32_t *)judo_cuda_lists_put(c->answers, answers);
    job->gold = (const judo_cells *)judo_cuda_lists_put(c->gold, gold);
    return judo_cuda_lists_send();
}

static judo_status score(const judo_reward_rules *rules, const judo_device_completions *c,
                         judo_device_verdict *verdicts)
{
    score_job job;
    void *scratch = NULL;
    const int64_t text = judo_cuda_aligned(c->text_offsets[c->count] + 1);
    const int64_t bytes = c->count * (int64_t)sizeof *verdicts;
    if (c->count == 0) {
        return JUDO_OK;
    }
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    JUDO_TRY(judo_cuda_scratch(&scratch, JUDO_CUDA_SCRATCH_OP, text + bytes));
    JUDO_TRY(send_lists(c, &job));
    job.text = (char *)scratch;
    job.verdicts = (judo_device_verdict *)((char *)scratch + text);
    judo_cuda_launch(score_completions, (unsigned)c->count, SCORE_THREADS, 0, *rules, loaded,
                     job);
    JUDO_TRY(judo_cuda_launched("score"));
    return judo_cuda_fetch(verdicts, job.verdicts, bytes);
}

extern "C" const struct judo_device_rewards *judo_cuda_rewards(void)
{
    static const judo_device_rewards table = {.load = load, .score = score};
    return &table;
}
