/* runtime/ops/cuda/rows.cu: rows gathered, scattered and added by index; a block per row. */
#include "runtime/ops/cuda/kernel.cuh"

extern "C" {
#include "runtime/ops/cuda/row_chains.h"
}

template <typename T>
static __global__ void gather(T *y, const T *x, const int32_t *index, int64_t width)
{
    const T *from = x + index[blockIdx.x] * width;
    T *to = y + blockIdx.x * width;
    for (int64_t j = threadIdx.x; j < width; j += blockDim.x) {
        to[j] = from[j];
    }
}

template <typename T>
static void launch_gather(judo_tensor *y, const judo_tensor *x, const int32_t *index)
{
    judo_cuda_launch(gather<T>, (unsigned)y->dims[0], JUDO_CUDA_THREADS, 0, (T *)y->data,
                     (const T *)x->data, index, judo_row_width(x));
}

judo_status judo_cuda_gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                  int64_t count)
{
    JUDO_TRY(judo_rows_check("gather_rows", y, x, y->dtype, index, count));
    if (judo_tensor_count(y) == 0) {
        return JUDO_OK;
    }
    int64_t bytes = count * (int64_t)sizeof *index;
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
    const int32_t *list = (const int32_t *)judo_cuda_lists_put(index, bytes);
    JUDO_TRY(judo_cuda_lists_send());
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_gather, y, x, list);
    return judo_cuda_launched("gather_rows");
}

template <typename T>
static __global__ void gather_drawn(T *y, const T *x, int64_t rows, const judo_draw *draws,
                                    const int32_t *places, int64_t width)
{
    int64_t row = draws[places[blockIdx.x]].token;
    T *to = y + blockIdx.x * width;
    for (int64_t j = threadIdx.x; j < width; j += blockDim.x) {
        to[j] = row >= 0 && row < rows ? x[row * width + j] : T(0.0f);
    }
}

template <typename T>
static void launch_gather_drawn(judo_tensor *y, const judo_tensor *x, const judo_draw *draws,
                                const int32_t *places)
{
    judo_cuda_launch(gather_drawn<T>, (unsigned)y->dims[0], JUDO_CUDA_THREADS, 0, (T *)y->data,
                     (const T *)x->data, x->dims[0], draws, places, judo_row_width(x));
}

judo_status judo_cuda_gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                        const judo_draw *draws, int64_t num_draws,
                                        const int32_t *places, int64_t count)
{
    JUDO_TRY(judo_drawn_rows_check(y, x, num_draws, places, count));
    if (judo_tensor_count(y) == 0) {
        return JUDO_OK;
    }
    int64_t bytes = count * (int64_t)sizeof *places;
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
    const int32_t *list = (const int32_t *)judo_cuda_lists_put(places, bytes);
    JUDO_TRY(judo_cuda_lists_send());
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_gather_drawn, y, x, draws, list);
    return judo_cuda_launched("gather_drawn_rows");
}

/* The block that owns a row copies the last of its places. */
template <typename T>
static __global__ void scatter(T *y, const T *x, const int32_t *index, const int32_t *firsts,
                               const int32_t *next, int64_t width)
{
    int32_t place = firsts[blockIdx.x];
    while (next[place] >= 0) {
        place = next[place];
    }
    T *to = y + index[place] * width;
    for (int64_t j = threadIdx.x; j < width; j += blockDim.x) {
        to[j] = x[place * width + j];
    }
}

/* The block that owns a row adds its places in their order. */
template <typename T>
static __global__ void scatter_add(float *y, const T *x, const int32_t *index,
                                   const int32_t *firsts, const int32_t *next, int64_t width)
{
    int32_t first = firsts[blockIdx.x];
    float *to = y + index[first] * width;
    for (int64_t j = threadIdx.x; j < width; j += blockDim.x) {
        float sum = to[j];
        for (int32_t place = first; place >= 0; place = next[place]) {
            sum += read(x, place * width + j);
        }
        to[j] = sum;
    }
}

/* Lists of a call on the device. */
typedef struct row_lists {
    const int32_t *index, *firsts, *next;
    int64_t chains;
} row_lists;

static judo_status send_chains(row_lists *lists, const int32_t *index, int64_t count,
                               int64_t rows)
{
    void *memory = NULL;
    JUDO_TRY(judo_cuda_host_scratch(&memory, (2 * count + rows) * (int64_t)sizeof(int32_t)));
    int32_t *firsts = (int32_t *)memory;
    int32_t *next = firsts + count;
    lists->chains = judo_row_chains(firsts, next, next + count, index, count, rows);
    int64_t bytes = count * (int64_t)sizeof(int32_t);
    JUDO_TRY(judo_cuda_lists_open(3 * judo_cuda_aligned(bytes)));
    lists->index = (const int32_t *)judo_cuda_lists_put(index, bytes);
    lists->firsts = (const int32_t *)judo_cuda_lists_put(firsts, bytes);
    lists->next = (const int32_t *)judo_cuda_lists_put(next, bytes);
    return judo_cuda_lists_send();
}

template <typename T>
static void launch_scatter(judo_tensor *y, const judo_tensor *x, const row_lists *lists)
{
    judo_cuda_launch(scatter<T>, (unsigned)lists->chains, JUDO_CUDA_THREADS, 0, (T *)y->data,
                     (const T *)x->data, lists->index, lists->firsts, lists->next,
                     judo_row_width(x));
}

judo_status judo_cuda_scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                   int64_t count)
{
    JUDO_TRY(judo_rows_check("scatter_rows", x, y, x->dtype, index, count));
    if (judo_tensor_count(x) == 0) {
        return JUDO_OK;
    }
    row_lists lists;
    JUDO_TRY(send_chains(&lists, index, count, y->dims[0]));
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_scatter, y, x, &lists);
    return judo_cuda_launched("scatter_rows");
}

template <typename T>
static void launch_scatter_add(judo_tensor *y, const judo_tensor *x, const row_lists *lists)
{
    judo_cuda_launch(scatter_add<T>, (unsigned)lists->chains, JUDO_CUDA_THREADS, 0,
                     (float *)y->data, (const T *)x->data, lists->index, lists->firsts,
                     lists->next, judo_row_width(x));
}

judo_status judo_cuda_scatter_add_rows(judo_tensor *y, const judo_tensor *x,
                                       const int32_t *index, int64_t count)
{
    JUDO_TRY(judo_rows_check("scatter_add_rows", x, y, JUDO_F32, index, count));
    if (judo_tensor_count(x) == 0) {
        return JUDO_OK;
    }
    row_lists lists;
    JUDO_TRY(send_chains(&lists, index, count, y->dims[0]));
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_scatter_add, y, x, &lists);
    return judo_cuda_launched("scatter_add_rows");
}
