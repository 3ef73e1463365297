/* runtime/ops/cuda/heads.cu: the heads of attention, out of the rows of one product and back,
 * with the rotary position embedding on the way. */
#include "runtime/ops/cuda/pack.cuh"

/* Rows of all heads side by side, and the same heads apart: q, then k and v in their order or,
 * where there are `places`, in rows of a cache. */
template <typename T> struct head_rows {
    T *rows, *q, *k, *v;
    const float *cosines, *sines;
    const int32_t *places; /* NULL: token t's in row t */
    int query_heads, key_heads, pairs;
};

/* The head `head` of a token, counted through q, k and v, where it stands apart. */
template <typename T>
static __device__ __forceinline__ T *apart(const head_rows<T> &h, int64_t token, int head)
{
    int64_t dim = 2 * h.pairs;
    if (head < h.query_heads) {
        return h.q + (token * h.query_heads + head) * dim;
    }
    int64_t row = h.places ? h.places[token] : token;
    head -= h.query_heads;
    return head < h.key_heads ? h.k + (row * h.key_heads + head) * dim
                              : h.v + (row * h.key_heads + head - h.key_heads) * dim;
}

template <typename T, int STEP>
static __device__ __forceinline__ void read_step(float (&out)[STEP], const T *x)
{
    if constexpr (STEP == 1) {
        out[0] = read(x, 0);
    } else {
#pragma unroll
        for (int first = 0; first < STEP; first += pack_size<T>) {
            float part[pack_size<T>];
            read_pack(part, x + first);
#pragma unroll
            for (int e = 0; e < pack_size<T>; e++) {
                out[first + e] = part[e];
            }
        }
    }
}

template <typename T, int STEP>
static __device__ __forceinline__ void write_step(T *x, const float (&values)[STEP])
{
    if constexpr (STEP == 1) {
        write(x, 0, values[0]);
    } else {
        write_pack(x, values);
    }
}

/* Turns the pairs (a, b) by the angles of the token's pairs from j on. */
template <typename T, int STEP>
static __device__ __forceinline__ void turn(float (&a)[STEP], float (&b)[STEP],
                                            const head_rows<T> &h, int64_t at, float sign)
{
    float cosines[STEP];
    float sines[STEP];
    read_step(cosines, h.cosines + at);
    read_step(sines, h.sines + at);
#pragma unroll
    for (int e = 0; e < STEP; e++) {
        float sine = sign * sines[e];
        float turned = a[e] * cosines[e] - b[e] * sine;
        b[e] = b[e] * cosines[e] + a[e] * sine;
        a[e] = turned;
    }
}

/* A block per token, a thread per STEP pairs (j, j + pairs) of a head. */
template <typename T, int STEP, bool JOIN>
static __global__ void move_heads(const __grid_constant__ head_rows<T> h)
{
    int64_t token = blockIdx.x;
    int steps = h.pairs / STEP;
    int heads = h.query_heads + 2 * h.key_heads;
    for (int i = (int)threadIdx.x; i < heads * steps; i += (int)blockDim.x) {
        int head = i / steps;
        int j = i % steps * STEP;
        T *row = h.rows + (token * heads + head) * 2 * h.pairs + j;
        T *one = apart(h, token, head) + j;
        const T *from = JOIN ? one : row;
        T *to = JOIN ? row : one;
        float a[STEP];
        float b[STEP];
        read_step(a, from);
        read_step(b, from + h.pairs);
        if (head < h.query_heads + h.key_heads) {
            turn(a, b, h, token * h.pairs + j, JOIN ? -1.0f : 1.0f);
        }
        write_step(to, a);
        write_step(to + h.pairs, b);
    }
}

/* What both slots are called with. */
typedef struct head_tensors {
    const judo_tensor *rows, *q, *k, *v, *cos, *sin;
    const int32_t *places; /* on the device */
} head_tensors;

template <typename T>
static void launch_move(const judo_heads_shape *shape, const head_tensors *t, bool join)
{
    enum { MOST_THREADS = 512 };

    head_rows<T> h = {};
    h.rows = (T *)t->rows->data;
    h.q = (T *)t->q->data;
    h.k = (T *)t->k->data;
    h.v = (T *)t->v->data;
    h.cosines = (const float *)t->cos->data;
    h.sines = (const float *)t->sin->data;
    h.places = t->places;
    h.query_heads = (int)shape->query_heads;
    h.key_heads = (int)shape->key_heads;
    h.pairs = (int)shape->dim / 2;
    bool wide = h.pairs % pack_size<T> == 0 && judo_cuda_is_wide(h.rows) &&
                judo_cuda_is_wide(h.q) && judo_cuda_is_wide(h.k) && judo_cuda_is_wide(h.v) &&
                judo_cuda_is_wide(h.cosines) && judo_cuda_is_wide(h.sines);
    auto split = wide ? move_heads<T, pack_size<T>, false> : move_heads<T, 1, false>;
    auto joined = wide ? move_heads<T, pack_size<T>, true> : move_heads<T, 1, true>;
    int work = (h.query_heads + 2 * h.key_heads) * h.pairs / (wide ? pack_size<T> : 1);
    int warps = (work + JUDO_CUDA_WARP - 1) / JUDO_CUDA_WARP;
    int threads = warps * JUDO_CUDA_WARP;
    judo_cuda_launch(join ? joined : split, (unsigned)shape->tokens,
                     threads < MOST_THREADS ? threads : MOST_THREADS, 0, h);
}

judo_status judo_cuda_split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                                  const judo_tensor *qkv, const judo_tensor *cos,
                                  const judo_tensor *sin, const int32_t *places)
{
    judo_heads_shape shape;
    JUDO_TRY(judo_heads_check_split(&shape, q, k, v, qkv, cos, sin, places));
    if (judo_tensor_count(qkv) == 0) {
        return JUDO_OK;
    }
    head_tensors t = {qkv, q, k, v, cos, sin, NULL};
    if (places) {
        int64_t bytes = shape.tokens * (int64_t)sizeof *places;
        JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
        t.places = (const int32_t *)judo_cuda_lists_put(places, bytes);
        JUDO_TRY(judo_cuda_lists_send());
    }
    JUDO_CUDA_FOR_DTYPE(shape.dtype, launch_move, &shape, &t, false);
    return judo_cuda_launched("split_heads");
}

judo_status judo_cuda_join_heads(judo_tensor *dqkv, const judo_tensor *dq,
                                 const judo_tensor *dk, const judo_tensor *dv,
                                 const judo_tensor *cos, const judo_tensor *sin)
{
    judo_heads_shape shape;
    JUDO_TRY(judo_heads_check_join(&shape, dqkv, dq, dk, dv, cos, sin));
    if (judo_tensor_count(dqkv) > 0) {
        head_tensors t = {dqkv, dq, dk, dv, cos, sin, NULL};
        JUDO_CUDA_FOR_DTYPE(shape.dtype, launch_move, &shape, &t, true);
    }
    return judo_cuda_launched("join_heads");
}
