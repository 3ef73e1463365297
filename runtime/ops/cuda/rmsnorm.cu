/* runtime/ops/cuda/rmsnorm.cu: RMSNorm forward, alone and behind a sum, and backward. Rows that
 * are whole packs and not too wide stay in registers between the two looks at them. */
#include "runtime/ops/cuda/columns.cuh"
#include "runtime/ops/cuda/pack.cuh"

/* x is [m, n]; `added`, or NULL, is added to it first, in place; rstd may be NULL. */
template <typename T> struct norm_arguments {
    T *y, *x;
    const T *added, *w;
    float *rstd;
    int64_t n;
    float epsilon;
    bool wide_weights;
};

template <typename T>
static __global__ void rmsnorm_row(const __grid_constant__ norm_arguments<T> a)
{
    int64_t first = (int64_t)blockIdx.x * a.n;
    float squares = 0.0f;
    for (int64_t j = threadIdx.x; j < a.n; j += blockDim.x) {
        if (a.added) {
            write(a.x, first + j, read(a.x, first + j) + read(a.added, first + j));
        }
        float v = read(a.x, first + j);
        squares = fmaf(v, v, squares);
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / (float)a.n + a.epsilon);
    for (int64_t j = threadIdx.x; j < a.n; j += blockDim.x) {
        write(a.y, first + j, read(a.x, first + j) * scale * read(a.w, j));
    }
    if (a.rstd && threadIdx.x == 0) {
        a.rstd[blockIdx.x] = scale;
    }
}

/* Pack `place` of the weights, wherever they begin. */
template <typename T>
static __device__ __forceinline__ void read_weights(float (&out)[pack_size<T>], const T *w,
                                                    int64_t first, bool wide)
{
    if (wide) {
        read_pack(out, w + first);
        return;
    }
#pragma unroll
    for (int i = 0; i < pack_size<T>; i++) {
        out[i] = read(w, first + i);
    }
}

/* x + added, rounded to what x holds. */
template <typename T> static __device__ __forceinline__ uint4 add_packs(T *x, const T *added)
{
    float sum[pack_size<T>];
    float other[pack_size<T>];
    read_pack(sum, x);
    read_pack(other, added);
#pragma unroll
    for (int i = 0; i < pack_size<T>; i++) {
        sum[i] += other[i];
    }
    uint4 bits = packed<T>(sum);
    *(uint4 *)x = bits;
    return bits;
}

/* The same with up to P packs of the row to a thread. */
template <typename T, int P>
static __global__ void rmsnorm_packs(const __grid_constant__ norm_arguments<T> a)
{
    const int size = pack_size<T>;
    int64_t row = (int64_t)blockIdx.x * a.n;
    uint4 packs[P];
    float squares = 0.0f;
#pragma unroll
    for (int p = 0; p < P; p++) {
        int64_t j = (int64_t)(p * (int)blockDim.x + (int)threadIdx.x) * size;
        packs[p] = make_uint4(0, 0, 0, 0);
        if (j < a.n) {
            packs[p] = a.added ? add_packs(a.x + row + j, a.added + row + j)
                               : *(const uint4 *)(a.x + row + j);
        }
        float v[size];
        unpack<T>(v, packs[p]);
#pragma unroll
        for (int i = 0; i < size; i++) {
            squares = fmaf(v[i], v[i], squares);
        }
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / (float)a.n + a.epsilon);
#pragma unroll
    for (int p = 0; p < P; p++) {
        int64_t j = (int64_t)(p * (int)blockDim.x + (int)threadIdx.x) * size;
        if (j < a.n) {
            float v[size];
            float w[size];
            unpack<T>(v, packs[p]);
            read_weights(w, a.w, j, a.wide_weights);
#pragma unroll
            for (int i = 0; i < size; i++) {
                v[i] = v[i] * scale * w[i];
            }
            write_pack(a.y + row + j, v);
        }
    }
    if (a.rstd && threadIdx.x == 0) {
        a.rstd[blockIdx.x] = scale;
    }
}

/* How many packs of a row of n fall to a thread; 0: the row is not whole packs, or too wide. */
template <typename T> static int packs_of(int64_t n)
{
    int64_t each =
        (n + JUDO_CUDA_THREADS * pack_size<T> - 1) / (JUDO_CUDA_THREADS * pack_size<T>);
    return n % pack_size<T> != 0 || each > 4 ? 0 : (int)each;
}

template <typename T> static void launch_forward(norm_arguments<T> a, int64_t m)
{
    bool wide = judo_cuda_is_wide(a.y) && judo_cuda_is_wide(a.x) && judo_cuda_is_wide(a.added);
    a.wide_weights = judo_cuda_is_wide(a.w);
    int packs = wide ? packs_of<T>(a.n) : 0;
    auto kernel = packs == 0   ? rmsnorm_row<T>
                  : packs == 1 ? rmsnorm_packs<T, 1>
                  : packs == 2 ? rmsnorm_packs<T, 2>
                               : rmsnorm_packs<T, 4>;
    judo_cuda_launch(kernel, (unsigned)m, JUDO_CUDA_THREADS, 0, a);
}

template <typename T>
static void launch_rmsnorm(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                           const judo_tensor *added, const judo_tensor *w, float epsilon)
{
    norm_arguments<T> a = {};
    a.y = (T *)y->data;
    a.x = (T *)x->data;
    a.added = added ? (const T *)added->data : NULL;
    a.w = (const T *)w->data;
    a.rstd = rstd ? (float *)rstd->data : NULL;
    a.n = x->dims[1];
    a.epsilon = epsilon;
    launch_forward(a, x->dims[0]);
}

judo_status judo_cuda_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                      const judo_tensor *w, float epsilon)
{
    JUDO_TRY(judo_rmsnorm_check_forward(y, rstd, x, w));
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_rmsnorm, y, rstd, x, NULL, w, epsilon);
    }
    return judo_cuda_launched("rmsnorm_forward");
}

judo_status judo_cuda_add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                          const judo_tensor *x, const judo_tensor *w,
                                          float epsilon)
{
    JUDO_TRY(judo_add_check(sum, x));
    JUDO_TRY(judo_rmsnorm_check_forward(y, rstd, sum, w));
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_rmsnorm, y, rstd, sum, x, w, epsilon);
    }
    return judo_cuda_launched("add_rmsnorm_forward");
}

/* dx += rstd (w dy - x rstd^2 mean(w dy x)); what a row adds to the gradient of the weights is
 * dy x rstd. */
template <typename T> struct slope_arguments {
    T *dx;
    const T *dy, *x, *w;
    const float *rstd;
    float *partial; /* [runs, n]: sums over the rows of a run, or NULL */
    int64_t m, n;
    int rows; /* of a run */
    bool wide_weights;
};

template <typename T>
static __global__ void rmsnorm_backward_row(const __grid_constant__ slope_arguments<T> a)
{
    int64_t first = (int64_t)blockIdx.x * a.n;
    float scale = a.rstd[blockIdx.x];
    float along = 0.0f;
    for (int64_t j = threadIdx.x; j < a.n; j += blockDim.x) {
        along = fmaf(read(a.w, j) * read(a.dy, first + j), read(a.x, first + j), along);
    }
    float factor = block_sum(along) * scale * scale / (float)a.n;
    for (int64_t j = threadIdx.x; j < a.n; j += blockDim.x) {
        float slope = read(a.w, j) * read(a.dy, first + j) - read(a.x, first + j) * factor;
        write(a.dx, first + j, read(a.dx, first + j) + scale * slope);
    }
}

template <typename T> struct weight_slope {
    const T *dy, *x;
    const float *rstd;
    int64_t n;

    __device__ float operator()(int64_t i, int64_t j) const
    {
        return read(dy, i * n + j) * read(x, i * n + j) * rstd[i];
    }
};

/* The packs of one row that a thread holds. */
template <int P> struct held_row {
    uint4 dx[P], dy[P], x[P];
};

template <typename T, int P>
static __device__ __forceinline__ void hold_row(held_row<P> *held, const slope_arguments<T> &a,
                                                int64_t row)
{
#pragma unroll
    for (int p = 0; p < P; p++) {
        int64_t j = (int64_t)(p * (int)blockDim.x + (int)threadIdx.x) * pack_size<T>;
        held->dx[p] = held->dy[p] = held->x[p] = make_uint4(0, 0, 0, 0);
        if (j < a.n) {
            held->dy[p] = *(const uint4 *)(a.dy + row * a.n + j);
            held->x[p] = *(const uint4 *)(a.x + row * a.n + j);
            held->dx[p] = *(const uint4 *)(a.dx + row * a.n + j);
        }
    }
}

/* The row's part of dw is added to `sums`. */
template <typename T, int P>
static __device__ __forceinline__ void finish_row(float (&sums)[P][pack_size<T>],
                                                  const held_row<P> *held,
                                                  const slope_arguments<T> &a, int64_t row)
{
    const int size = pack_size<T>;
    float scale = a.rstd[row];
    float along = 0.0f;
    float dy[size];
    float x[size];
    float w[size];
#pragma unroll
    for (int p = 0; p < P; p++) {
        int64_t j = (int64_t)(p * (int)blockDim.x + (int)threadIdx.x) * size;
        unpack<T>(dy, held->dy[p]);
        unpack<T>(x, held->x[p]);
        if (j < a.n) {
            read_weights(w, a.w, j, a.wide_weights);
#pragma unroll
            for (int i = 0; i < size; i++) {
                along = fmaf(w[i] * dy[i], x[i], along);
                sums[p][i] += dy[i] * x[i] * scale;
            }
        }
    }
    float factor = block_sum(along) * scale * scale / (float)a.n;
#pragma unroll
    for (int p = 0; p < P; p++) {
        int64_t j = (int64_t)(p * (int)blockDim.x + (int)threadIdx.x) * size;
        if (j < a.n) {
            float dx[size];
            unpack<T>(dy, held->dy[p]);
            unpack<T>(x, held->x[p]);
            unpack<T>(dx, held->dx[p]);
            read_weights(w, a.w, j, a.wide_weights);
#pragma unroll
            for (int i = 0; i < size; i++) {
                dx[i] += scale * (w[i] * dy[i] - x[i] * factor);
            }
            write_pack(a.dx + row * a.n + j, dx);
        }
    }
}

/* A block per run of rows: dx and the run's part of dw in one look at dy and x. */
template <typename T, int P>
static __global__ void __launch_bounds__(JUDO_CUDA_THREADS, P <= 2 ? 3 : 1)
    rmsnorm_backward_packs(const __grid_constant__ slope_arguments<T> a)
{
    const int size = pack_size<T>;
    int64_t first = (int64_t)blockIdx.x * a.rows;
    int64_t last = first + a.rows < a.m ? first + a.rows : a.m;
    float sums[P][size];
#pragma unroll
    for (int p = 0; p < P; p++) {
#pragma unroll
        for (int i = 0; i < size; i++) {
            sums[p][i] = 0.0f;
        }
    }
    held_row<P> held;
    for (int64_t row = first; row < last; row++) {
        hold_row(&held, a, row);
        finish_row(sums, &held, a, row);
    }
#pragma unroll
    for (int p = 0; p < P; p++) {
        int64_t j = (int64_t)(p * (int)blockDim.x + (int)threadIdx.x) * size;
        for (int i = 0; a.partial && j < a.n && i < size; i++) {
            a.partial[blockIdx.x * a.n + j + i] = sums[p][i];
        }
    }
}

/* dw first where rows are not whole packs: two looks at dy and x. */
template <typename T> static judo_status launch_rows(const slope_arguments<T> &a, float *dw)
{
    if (dw) {
        weight_slope<T> value = {a.dy, a.x, a.rstd, a.n};
        JUDO_TRY(add_column_sums(dw, value, a.m, a.n));
    }
    judo_cuda_launch(rmsnorm_backward_row<T>, (unsigned)a.m, JUDO_CUDA_THREADS, 0, a);
    return JUDO_OK;
}

template <typename T>
static judo_status launch_packs(slope_arguments<T> a, float *dw, int packs)
{
    a.rows = a.m > 4096 ? 16 : 8; /* enough blocks for a GPU, and few partial sums beside dx */
    int64_t runs = (a.m + a.rows - 1) / a.rows;
    if (dw) {
        void *partial = NULL;
        JUDO_TRY(judo_cuda_scratch(&partial, JUDO_CUDA_SCRATCH_OP,
                                   runs * a.n * (int64_t)sizeof(float)));
        a.partial = (float *)partial;
    }
    auto kernel = packs == 1   ? rmsnorm_backward_packs<T, 1>
                  : packs == 2 ? rmsnorm_backward_packs<T, 2>
                               : rmsnorm_backward_packs<T, 4>;
    judo_cuda_launch(kernel, (unsigned)runs, JUDO_CUDA_THREADS, 0, a);
    return dw ? judo_cuda_add_runs(dw, a.partial, runs, a.n) : JUDO_OK;
}

template <typename T>
static void launch_backward(judo_status *status, judo_tensor *dx, judo_tensor *dw,
                            const judo_tensor *dy, const judo_tensor *x, const judo_tensor *w,
                            const judo_tensor *rstd)
{
    slope_arguments<T> a = {};
    a.dx = (T *)dx->data;
    a.dy = (const T *)dy->data;
    a.x = (const T *)x->data;
    a.w = (const T *)w->data;
    a.rstd = (const float *)rstd->data;
    a.m = x->dims[0];
    a.n = x->dims[1];
    a.wide_weights = judo_cuda_is_wide(a.w);
    bool wide = judo_cuda_is_wide(a.dx) && judo_cuda_is_wide(a.dy) && judo_cuda_is_wide(a.x);
    int packs = wide ? packs_of<T>(a.n) : 0;
    float *sums = dw ? (float *)dw->data : NULL;
    *status = packs > 0 ? launch_packs(a, sums, packs) : launch_rows(a, sums);
}

judo_status judo_cuda_rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                       const judo_tensor *x, const judo_tensor *w,
                                       const judo_tensor *rstd)
{
    JUDO_TRY(judo_rmsnorm_check_backward(dx, dw, dy, x, w, rstd));
    judo_status status = JUDO_OK;
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_backward, &status, dx, dw, dy, x, w, rstd);
    }
    JUDO_TRY(status);
    return judo_cuda_launched("rmsnorm_backward");
}
