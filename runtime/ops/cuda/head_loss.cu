/* runtime/ops/cuda/head_loss.cu: output head, log-probabilities, loss and gradients, fused over
 * chunks of rows: a product, one kernel that turns logits into their gradients, two products.
 */
#include "runtime/ops/cuda/softmax.cuh"

/* Everything is in device memory here. */
typedef struct head_arguments {
    const int32_t *targets;
    const uint8_t *banned;
    float *logprobs, *entropies;
    judo_token_outcome *outcomes;
    judo_token_loss spec;
    int64_t vocabulary;
    bool gradient;
} head_arguments;

enum { TILE = 8 }; /* logits that a thread holds while its block takes their place */

/* A row's logits become coefficient (onehot - p), or 0, from the row's first byte on: bf16
 * takes the first half of the room. What a tile writes lies in tiles that all have read. */
template <typename T>
static __device__ void write_gradient(T *out, const float *logits, const head_arguments *head,
                                      const row_softmax *softmax, int32_t target,
                                      double coefficient)
{
    float factor = coefficient == 0.0 ? 0.0f : (float)(-coefficient / softmax->sum);
    float extra = (float)coefficient;
    for (int64_t first = 0; first < head->vocabulary; first += TILE * (int)blockDim.x) {
        float slopes[TILE];
#pragma unroll
        for (int t = 0; t < TILE; t++) {
            int64_t j = first + t * (int)blockDim.x + (int)threadIdx.x;
            slopes[t] = 0.0f;
            if (coefficient != 0.0 && j < head->vocabulary) {
                float logit = scaled_logit(logits, j, head->spec.temperature, head->banned);
                slopes[t] = expf(logit - softmax->max) * factor + (j == target ? extra : 0.0f);
            }
        }
        __syncthreads();
#pragma unroll
        for (int t = 0; t < TILE; t++) {
            int64_t j = first + t * (int)blockDim.x + (int)threadIdx.x;
            if (j < head->vocabulary) {
                write(out, j, slopes[t]);
            }
        }
    }
}

/* A block per target. Gradients take the place of the logits, row by row. */
template <typename T>
static __global__ void finish_rows(const __grid_constant__ head_arguments head, float *logits,
                                   int64_t first)
{
    int64_t row = blockIdx.x;
    int64_t i = first + row;
    float *in = logits + row * head.vocabulary;
    float temperature = head.spec.temperature;
    int32_t target = head.targets[i];
    float logit = head.banned && head.banned[target] ? -INFINITY : in[target];
    row_softmax softmax = softmax_row(in, head.vocabulary, temperature, head.banned);
    float logprob = softmax_logprob(&softmax, logit, temperature);
    double entropy = log(softmax.sum) - softmax.weighted / softmax.sum;
    float weight = head.spec.weights ? head.spec.weights[i] : 1.0f;
    judo_token_loss_value value = {0.0f, 0.0f, 0.0f, 0};
    if (weight != 0.0f) {
        value = judo_token_loss_at(&head.spec, i, logprob);
    }
    double factor = (double)weight * head.spec.scale;
    if (threadIdx.x == 0) {
        judo_token_outcome outcome;
        outcome.loss = factor * (double)value.loss;
        outcome.kl = (double)value.kl;
        outcome.entropy = entropy;
        outcome.counted = weight != 0.0f;
        outcome.correct = logit / temperature >= softmax.max;
        head.outcomes[i] = outcome;
        head.logprobs[i] = logprob;
        head.entropies[i] = (float)entropy;
    }
    if (head.gradient) {
        double coefficient = factor * (double)value.gradient / (double)temperature;
        __syncthreads(); /* the logit of the target has been read */
        write_gradient((T *)in, in, &head, &softmax, target,
                       weight == 0.0f ? 0.0 : coefficient);
    }
}

template <typename T>
static void launch_finish(const head_arguments *head, float *logits, int64_t first,
                          int64_t rows)
{
    judo_cuda_launch(finish_rows<T>, (unsigned)rows, JUDO_CUDA_SOFTMAX, 0, *head, logits,
                     first);
}

/* Lists of the host that the kernel reads, put on the device. */
static judo_status send_lists(head_arguments *head, int64_t m, const int32_t *targets,
                              const judo_token_loss *spec, const uint8_t *banned)
{
    int64_t bytes = m * (int64_t)sizeof(float);
    JUDO_TRY(judo_cuda_lists_open(6 * judo_cuda_aligned(bytes) +
                                  judo_cuda_aligned(head->vocabulary)));
    head->targets = (const int32_t *)judo_cuda_lists_put(targets, bytes);
    head->banned = (const uint8_t *)judo_cuda_lists_put(banned, head->vocabulary);
    head->spec = *spec;
    head->spec.weights = (const float *)judo_cuda_lists_put(spec->weights, bytes);
    if (spec->kind == JUDO_LOSS_POLICY) {
        head->spec.advantages = (const float *)judo_cuda_lists_put(spec->advantages, bytes);
        head->spec.old_logprobs = (const float *)judo_cuda_lists_put(spec->old_logprobs, bytes);
        head->spec.ref_logprobs = (const float *)judo_cuda_lists_put(
            spec->kl_beta != 0.0f ? spec->ref_logprobs : NULL, bytes);
        head->spec.log_ratios =
            (float *)judo_cuda_lists_put(spec->old_logprobs ? spec->log_ratios : NULL, bytes);
    }
    return judo_cuda_lists_send();
}

/* Scratch of a call: results of all rows, then the logits of a chunk. */
static judo_status take_memory(head_arguments *head, float **chunk, int64_t m, int64_t rows)
{
    int64_t outcomes = judo_cuda_aligned(m * (int64_t)sizeof(judo_token_outcome));
    int64_t numbers = judo_cuda_aligned(m * (int64_t)sizeof(float));
    int64_t logits = rows * head->vocabulary * (int64_t)sizeof(float);
    void *start = NULL;
    JUDO_TRY(judo_cuda_scratch(&start, JUDO_CUDA_SCRATCH_OP, outcomes + 2 * numbers + logits));
    char *next = (char *)start;
    head->outcomes = (judo_token_outcome *)next;
    head->logprobs = (float *)(next + outcomes);
    head->entropies = (float *)(next + outcomes + numbers);
    *chunk = (float *)(next + outcomes + 2 * numbers);
    return JUDO_OK;
}

/* dhidden and dw of `rows` rows from `first` on. */
static judo_status chunk_gradients(const float *gradients, judo_tensor *dhidden,
                                   judo_tensor *dw, const judo_tensor *hidden,
                                   const judo_tensor *w, int64_t first, int64_t rows)
{
    int64_t h = w->dims[1];
    int64_t offset = first * h * judo_dtype_bytes(hidden->dtype);
    judo_cuda_product product = {};
    product.a = gradients;
    product.a_stride = w->dims[0] * (int64_t)sizeof(float) / judo_dtype_bytes(w->dtype);
    product.dtype = w->dtype;
    product.c = (char *)dhidden->data + offset;
    product.b = w->data;
    product.m = rows;
    product.n = h;
    product.k = w->dims[0];
    product.c_dtype = w->dtype;
    JUDO_TRY(judo_cuda_matmul(&product));
    if (!dw) {
        return JUDO_OK;
    }
    product.c = dw->data;
    product.b = (const char *)hidden->data + offset;
    product.m = w->dims[0];
    product.k = rows;
    product.c_dtype = JUDO_F32;
    product.transpose_a = true;
    product.accumulate = true;
    return judo_cuda_matmul(&product);
}

/* The results of all rows, to the host. */
static judo_status fetch_results(judo_token_result *result, const head_arguments *head,
                                 int64_t m)
{
    void *memory = NULL;
    int64_t bytes = m * (int64_t)sizeof(judo_token_outcome);
    JUDO_TRY(judo_cuda_host_scratch(&memory, bytes));
    JUDO_TRY(judo_cuda_fetch(memory, head->outcomes, bytes));
    if (result->logprobs) {
        JUDO_TRY(judo_cuda_fetch(result->logprobs, head->logprobs, m * (int64_t)sizeof(float)));
    }
    if (result->entropies) {
        JUDO_TRY(
            judo_cuda_fetch(result->entropies, head->entropies, m * (int64_t)sizeof(float)));
    }
    judo_token_result_add(result, (const judo_token_outcome *)memory, m);
    return JUDO_OK;
}

judo_status judo_cuda_head_loss(judo_token_result *result, judo_tensor *dhidden,
                                judo_tensor *dw, const judo_tensor *hidden,
                                const judo_tensor *w, const int32_t *targets,
                                const judo_token_loss *spec, const uint8_t *banned,
                                int64_t chunk_rows)
{
    JUDO_TRY(judo_head_loss_check(dhidden, dw, hidden, w, targets, spec, chunk_rows));
    int64_t m = hidden->dims[0];
    if (m == 0) {
        return JUDO_OK;
    }
    int64_t most = chunk_rows < m ? chunk_rows : m;
    head_arguments head = {};
    float *logits = NULL;
    head.vocabulary = w->dims[0];
    head.gradient = dhidden != NULL;
    JUDO_TRY(take_memory(&head, &logits, m, most));
    JUDO_TRY(send_lists(&head, m, targets, spec, banned));
    for (int64_t first = 0; first < m; first += most) {
        int64_t rows = m - first < most ? m - first : most;
        judo_cuda_product product = {};
        product.c = logits;
        product.a = (const char *)hidden->data +
                    first * hidden->dims[1] * judo_dtype_bytes(hidden->dtype);
        product.b = w->data;
        product.m = rows;
        product.n = head.vocabulary;
        product.k = hidden->dims[1];
        product.dtype = w->dtype;
        product.c_dtype = JUDO_F32;
        product.transpose_b = true;
        JUDO_TRY(judo_cuda_matmul(&product));
        JUDO_CUDA_FOR_DTYPE(w->dtype, launch_finish, &head, logits, first, rows);
        JUDO_TRY(judo_cuda_launched("head_loss"));
        if (dhidden) {
            JUDO_TRY(chunk_gradients(logits, dhidden, dw, hidden, w, first, rows));
        }
    }
    return fetch_results(result, &head, m);
}
