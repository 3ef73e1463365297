/* runtime/ops/cuda/sample_candidates.cuh: most ids of a row can be ruled out by one look at it;
 * the filters then work on the few that are left, in shared memory. */
#ifndef JUDO_RUNTIME_OPS_CUDA_SAMPLE_CANDIDATES_CUH
#define JUDO_RUNTIME_OPS_CUDA_SAMPLE_CANDIDATES_CUH

#include "runtime/ops/cuda/sample_row.cuh"

enum { MOST_CANDIDATES = 1024 };

typedef struct candidate_memory {
    float found_scores[MOST_CANDIDATES], scores[MOST_CANDIDATES];
    int32_t found_ids[MOST_CANDIDATES], ids[MOST_CANDIDATES];
    float maxima[SAMPLE_THREADS];
    float lowest;
    int32_t count;
} candidate_memory;

/* The row becomes that of its ids with scores of at least `lowest`, ids ascending; false, and
 * the row as it was, where they are too many. */
static __device__ bool keep_candidates(sample_row *row, candidate_memory *m, float lowest)
{
    __syncthreads();
    if (threadIdx.x == 0) {
        m->count = 0;
    }
    __syncthreads();
    for (int64_t i = threadIdx.x; i < row->count; i += blockDim.x) {
        float v = score(row, i);
        if (v >= lowest) {
            int32_t place = atomicAdd(&m->count, 1);
            if (place < MOST_CANDIDATES) {
                m->found_scores[place] = v;
                m->found_ids[place] = (int32_t)i;
            }
        }
    }
    __syncthreads();
    int32_t count = m->count;
    if (count > MOST_CANDIDATES) {
        return false;
    }
    /* They came in no order: each goes to its rank. */
    for (int32_t c = (int32_t)threadIdx.x; c < count; c += (int32_t)blockDim.x) {
        int32_t rank = 0;
        for (int32_t other = 0; other < count; other++) {
            rank += m->found_ids[other] < m->found_ids[c];
        }
        m->scores[rank] = m->found_scores[c];
        m->ids[rank] = m->found_ids[c];
    }
    __syncthreads();
    row->logits = m->scores;
    row->ids = m->ids;
    row->seen = row->banned = NULL;
    row->count = count;
    row->penalty = row->temperature = 1.0f;
    return true;
}

/* A score that at least k ids reach, k <= the threads of the block: the kth highest of the
 * threads' highest. */
static __device__ float reached_by(const sample_row *row, candidate_memory *m, uint32_t k)
{
    float own = -INFINITY;
    for (int64_t i = threadIdx.x; i < row->count; i += blockDim.x) {
        float v = score(row, i);
        own = v > own ? v : own;
    }
    m->maxima[threadIdx.x] = own;
    __syncthreads();
    uint32_t rank = 0;
    for (uint32_t t = 0; t < blockDim.x; t++) {
        rank += m->maxima[t] > own || (m->maxima[t] == own && t < threadIdx.x);
    }
    if (rank == k - 1) {
        m->lowest = own;
    }
    __syncthreads();
    return m->lowest;
}

/* Of the candidates: ids whose score is below the kth highest are out. */
static __device__ void keep_top_k_of_few(sample_row *row, candidate_memory *m, uint32_t k)
{
    for (int64_t c = threadIdx.x; c < row->count; c += blockDim.x) {
        uint32_t above = 0;
        uint32_t equal = 0;
        for (int64_t other = 0; other < row->count; other++) {
            above += row->logits[other] > row->logits[c];
            equal += row->logits[other] == row->logits[c];
        }
        if (above < k && k <= above + equal) {
            m->lowest = row->logits[c]; /* who comes here has the same */
        }
    }
    __syncthreads();
    row->lowest = m->lowest;
}

/* Ids whose score is below the kth highest are out. */
static __device__ void keep_top_k(sample_row *row, candidate_memory *m, uint32_t k)
{
    if (k <= blockDim.x && keep_candidates(row, m, reached_by(row, m, k))) {
        keep_top_k_of_few(row, m, k);
    } else {
        row->lowest = kth_highest(row, k);
    }
}

/* Top-p on the ids that it cannot rule out together. Those whose probability is below (1 - p) /
 * count of the likeliest's have at most 1 - p all together: they go whatever the rest is. */
static __device__ void keep_top_p(sample_row *row, candidate_memory *m, float p)
{
    float max = highest_score(row);
    mass_sum total = mass_of_all(row, max);
    float distance = logf((float)row->count / (1.0f - p)) + 0.01f; /* rounding's share */
    mass_sum removed = 0;
    if (!row->ids && keep_candidates(row, m, max - distance)) {
        removed = total - mass_of_all(row, max);
    }
    keep_mass(row, p, max, total, removed);
}

#endif
