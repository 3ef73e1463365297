/* runtime/ops/cuda/sample_row.cuh: the ids of a row of logits that may be drawn, by a block.
 * Logits stay as they are: filters are thresholds. Probabilities are whole numbers of 2^-44 of
 * the highest one, so that sums have no order. */
#ifndef JUDO_RUNTIME_OPS_CUDA_SAMPLE_ROW_CUH
#define JUDO_RUNTIME_OPS_CUDA_SAMPLE_ROW_CUH

#include "runtime/ops/cuda/kernel.cuh"

typedef unsigned long long mass_sum;

enum { RADIX = 256, RADIX_BITS = 8, SAMPLE_THREADS = 512, MOST_VOCABULARY = 1 << 19 };

typedef struct sample_row {
    const float *logits;
    const uint8_t *seen, *banned; /* or NULL */
    int64_t count;
    float penalty, temperature;
    float lowest;       /* scores below are out */
    int64_t last_tie;   /* of scores equal to `lowest`, ids above are out */
    const int32_t *ids; /* of candidates (sample_candidates.cuh); NULL: an id is its place */
} sample_row;

/* The score of an id: penalised, divided by the temperature; minus infinity if it is out. */
static __device__ __forceinline__ float score(const sample_row *row, int64_t i)
{
    float v = row->banned && row->banned[i] ? -INFINITY : row->logits[i];
    if (row->seen && row->seen[i]) {
        v = v < 0.0f ? v * row->penalty : v / row->penalty;
    }
    v = v / row->temperature + 0.0f; /* no negative zero: it equals zero */
    return v < row->lowest || (v == row->lowest && i > row->last_tie) ? -INFINITY : v;
}

/* Floats in the order of unsigned numbers, and back. */
static __device__ __forceinline__ uint32_t order_of(float x)
{
    uint32_t bits = __float_as_uint(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static __device__ __forceinline__ float float_of(uint32_t order)
{
    return __uint_as_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

static __device__ __forceinline__ mass_sum mass_of(float score, float max)
{
    return __float2ull_rz(expf(score - max) * 0x1p44f);
}

static __device__ float highest_score(const sample_row *row)
{
    float highest = -INFINITY;
    for (int64_t i = threadIdx.x; i < row->count; i += blockDim.x) {
        float v = score(row, i);
        highest = v > highest ? v : highest;
    }
    return join_block<highest_of>(highest, -INFINITY);
}

static __device__ mass_sum mass_of_all(const sample_row *row, float max)
{
    mass_sum total = 0;
    for (int64_t i = threadIdx.x; i < row->count; i += blockDim.x) {
        total += mass_of(score(row, i), max);
    }
    return block_sum(total);
}

/* How many scores, and what mass, have each next digit behind `prefix`. */
static __device__ void count_digits(mass_sum masses[RADIX], uint32_t counts[RADIX],
                                    const sample_row *row, float max, uint32_t prefix,
                                    int shift)
{
    __syncthreads();
    for (int b = (int)threadIdx.x; b < RADIX; b += (int)blockDim.x) {
        masses[b] = 0;
        counts[b] = 0;
    }
    __syncthreads();
    uint32_t above = shift + RADIX_BITS == 32 ? 0 : 0xffffffffu << (shift + RADIX_BITS);
    for (int64_t i = threadIdx.x; i < row->count; i += blockDim.x) {
        float v = score(row, i);
        uint32_t order = order_of(v);
        if ((order & above) == prefix) {
            uint32_t digit = order >> shift & (RADIX - 1);
            atomicAdd(&counts[digit], 1u);
            atomicAdd(&masses[digit], mass_of(v, max));
        }
    }
    __syncthreads();
}

/* The kth highest score, 1 <= k <= count. */
static __device__ float kth_highest(const sample_row *row, uint32_t k)
{
    __shared__ mass_sum masses[RADIX];
    __shared__ uint32_t counts[RADIX];
    uint32_t prefix = 0;
    for (int shift = 32 - RADIX_BITS; shift >= 0; shift -= RADIX_BITS) {
        count_digits(masses, counts, row, 0.0f, prefix, shift);
        int digit = RADIX - 1; /* every thread walks the same way */
        while (digit > 0 && counts[digit] < k) {
            k -= counts[digit--];
        }
        prefix |= (uint32_t)digit << shift;
    }
    return float_of(prefix);
}

/* before[t] = the sum of all threads' values before t; returns this thread's. */
static __device__ mass_sum sum_before(mass_sum value)
{
    __shared__ mass_sum before[SAMPLE_THREADS];
    __syncthreads();
    before[threadIdx.x] = value;
    __syncthreads();
    if (threadIdx.x == 0) {
        mass_sum sum = 0;
        for (int t = 0; t < (int)blockDim.x; t++) {
            mass_sum own = before[t];
            before[t] = sum;
            sum += own;
        }
    }
    __syncthreads();
    return before[threadIdx.x];
}

/* The run of ids that a thread walks alone. */
static __device__ __forceinline__ int64_t run_begin(const sample_row *row, int thread)
{
    int64_t width = (row->count + blockDim.x - 1) / blockDim.x;
    int64_t first = thread * width;
    return first < row->count ? first : row->count;
}

/* The id of the `keep`th of the scores equal to `value`, ids ascending, keep >= 1. */
static __device__ int64_t place_of_tie(const sample_row *row, float value, mass_sum keep)
{
    __shared__ int64_t place;
    int64_t first = run_begin(row, (int)threadIdx.x);
    int64_t last = run_begin(row, (int)threadIdx.x + 1);
    mass_sum ties = 0;
    for (int64_t i = first; i < last; i++) {
        ties += score(row, i) == value;
    }
    mass_sum before = sum_before(ties);
    if (before < keep && keep <= before + ties) {
        for (int64_t i = first; i < last; i++) {
            if (score(row, i) == value && ++before == keep) {
                place = i;
            }
        }
    }
    __syncthreads();
    return place;
}

/* Takes out ids from the least likely up while their joint probability is at most 1 - p, of
 * which those with the mass `removed` are out already; of equal ones the higher ids first; one
 * id always stays. */
static __device__ void keep_mass(sample_row *row, float p, float max, mass_sum total,
                                 mass_sum removed)
{
    __shared__ mass_sum masses[RADIX];
    __shared__ uint32_t counts[RADIX];
    mass_sum limit = (mass_sum)((1.0 - (double)p) * (double)total);
    mass_sum keep = 1;
    float lowest = max;
    if (limit < total) {
        uint32_t prefix = 0;
        int digit = 0;
        for (int shift = 32 - RADIX_BITS; shift >= 0; shift -= RADIX_BITS) {
            count_digits(masses, counts, row, max, prefix, shift);
            digit = 0;
            while (digit < RADIX - 1 && removed + masses[digit] <= limit) {
                removed += masses[digit++];
            }
            prefix |= (uint32_t)digit << shift;
        }
        lowest = float_of(prefix);
        mass_sum each = mass_of(lowest, max);
        mass_sum drop = each > 0 ? (limit - removed) / each : 0;
        keep = counts[digit] > drop ? counts[digit] - drop : 1;
    }
    int64_t last_tie = place_of_tie(row, lowest, keep);
    row->lowest = lowest;
    row->last_tie = last_tie;
}

/* The first id at which the cumulative probability passes `uniform`; ids less likely than min_p
 * of the likeliest are out. */
static __device__ int32_t draw(const sample_row *row, float min_p, float uniform)
{
    __shared__ int32_t token;
    float max = highest_score(row);
    int64_t first = run_begin(row, (int)threadIdx.x);
    int64_t last = run_begin(row, (int)threadIdx.x + 1);
    mass_sum own = 0;
    for (int64_t i = first; i < last; i++) {
        float v = score(row, i);
        own += expf(v - max) < min_p ? 0 : mass_of(v, max);
    }
    mass_sum total = block_sum(own);
    mass_sum goal = (mass_sum)((double)total * (double)uniform);
    mass_sum sum = sum_before(own);
    if (sum <= goal && goal < sum + own) {
        int64_t i = first;
        for (;; i++) {
            float v = score(row, i);
            sum += expf(v - max) < min_p ? 0 : mass_of(v, max);
            if (sum > goal) {
                break;
            }
        }
        token = (int32_t)i;
    }
    __syncthreads();
    return token;
}

/* The lowest id of the highest score. */
static __device__ int32_t likeliest(const sample_row *row)
{
    mass_sum best = 0;
    for (int64_t i = threadIdx.x; i < row->count; i += blockDim.x) {
        mass_sum place = (mass_sum)order_of(score(row, i)) << 32 | (0xffffffffu - (uint32_t)i);
        best = place > best ? place : best;
    }
    best = join_block<highest_of>(best, (mass_sum)0);
    return (int32_t)(0xffffffffu - (uint32_t)best);
}

#endif
