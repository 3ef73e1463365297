/* runtime/ops/cuda/patchify.cu: pictures as patches; a block takes squares of patches, a thread
 * 16 bytes of them at a time. */
#include "runtime/ops/cuda/pack.cuh"
#include "runtime/ops/patchify_math.h"

/* Which pixel of a square an element is: its patch, and the place in it. */
struct place {
    int patch, channel, frame, y, x;
};

static __device__ __forceinline__ place place_of(int element, const judo_patch_form &form)
{
    place at;
    at.x = element % form.side;
    element /= form.side;
    at.y = element % form.side;
    element /= form.side;
    at.frame = element % form.frames;
    element /= form.frames;
    at.channel = element % JUDO_PATCH_CHANNELS;
    at.patch = element / JUDO_PATCH_CHANNELS;
    return at;
}

/* Counts on; false where there was a carry. */
static __device__ __forceinline__ bool stays(int &digit, int base)
{
    digit = digit + 1 < base ? digit + 1 : 0;
    return digit != 0;
}

static __device__ __forceinline__ void advance(place &at, const judo_patch_form &form)
{
    if (!stays(at.x, form.side) && !stays(at.y, form.side) && !stays(at.frame, form.frames) &&
        !stays(at.channel, JUDO_PATCH_CHANNELS)) {
        at.patch++;
    }
}

static __device__ __forceinline__ int64_t byte_of(const place &at, int64_t row_bytes,
                                                  const judo_patch_form &form)
{
    int row = at.patch / form.merge * form.side + at.y;
    int column = at.patch % form.merge * form.side + at.x;
    return row * row_bytes + column * JUDO_PATCH_CHANNELS + at.channel;
}

/* Writes STEP elements of a square at a time. */
template <typename T, int STEP>
static __global__ void patchify(T *y, const uint8_t *pixels, const judo_patch_square *squares,
                                int64_t count, judo_patch_form form)
{
    __shared__ float values[JUDO_PATCH_CHANNELS][JUDO_PIXEL_LEVELS];
    for (int pixel = (int)threadIdx.x; pixel < JUDO_PIXEL_LEVELS; pixel += (int)blockDim.x) {
#pragma unroll
        for (int c = 0; c < JUDO_PATCH_CHANNELS; c++) {
            values[c][pixel] = judo_pixel_value(pixel, form.mean[c], form.deviation[c]);
        }
    }
    __syncthreads();
    int elements =
        form.merge * form.merge * JUDO_PATCH_CHANNELS * form.frames * form.side * form.side;
    for (int64_t s = blockIdx.x; s < count; s += gridDim.x) {
        const uint8_t *from = pixels + squares[s].first_byte;
        int64_t row_bytes = squares[s].row_bytes;
        for (int e = (int)threadIdx.x * STEP; e < elements; e += (int)blockDim.x * STEP) {
            T *to = y + s * elements + e;
            place at = place_of(e, form);
            float step[STEP];
#pragma unroll
            for (int i = 0; i < STEP; i++) {
                step[i] = values[at.channel][from[byte_of(at, row_bytes, form)]];
                advance(at, form);
            }
            if constexpr (STEP == 1) {
                write(to, 0, step[0]);
            } else {
                write_pack(to, step);
            }
        }
    }
}

template <typename T>
static void launch_patchify(judo_tensor *y, const judo_tensor *pixels,
                            const judo_patch_square *squares, int64_t count,
                            const judo_patch_form *form)
{
    const int64_t most_blocks = 2048; /* each makes its own table of values */
    bool wide = judo_tensor_count(y) / count % pack_size<T> == 0 && judo_cuda_is_wide(y->data);
    auto kernel = wide ? patchify<T, pack_size<T>> : patchify<T, 1>;
    judo_cuda_launch(kernel, (unsigned)(count < most_blocks ? count : most_blocks),
                     JUDO_CUDA_THREADS, 0, (T *)y->data, (const uint8_t *)pixels->data, squares,
                     count, *form);
}

judo_status judo_cuda_patchify(judo_tensor *y, const judo_tensor *pixels,
                               const judo_patch_square *squares, int64_t count,
                               const judo_patch_form *form)
{
    JUDO_TRY(judo_patchify_check(y, pixels, squares, count, form));
    if (count == 0) {
        return JUDO_OK;
    }
    int64_t bytes = count * (int64_t)sizeof *squares;
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
    const judo_patch_square *list =
        (const judo_patch_square *)judo_cuda_lists_put(squares, bytes);
    JUDO_TRY(judo_cuda_lists_send());
    JUDO_CUDA_FOR_DTYPE(y->dtype, launch_patchify, y, pixels, list, count, form);
    return judo_cuda_launched("patchify");
}
