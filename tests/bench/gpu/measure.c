/* tests/bench/gpu/measure.c: see bench.h. */
#include "runtime/median.h"
#include "tests/bench/gpu/bench.h"

#include <stdlib.h>

static judo_status time_calls(const bench *b, bench_work work, void *context, int calls,
                              double *seconds)
{
    JUDO_TRY(b->device->stream_finish(NULL));
    double start = bench_now();
    for (int i = 0; i < calls; i++) {
        JUDO_TRY(work(b->device, context));
    }
    JUDO_TRY(b->device->stream_finish(NULL));
    *seconds = (bench_now() - start) / calls;
    return JUDO_OK;
}

judo_status bench_time(const bench *b, bench_work work, void *context, double *seconds)
{
    const double window = b->small ? 1e-3 : 2e-2;
    double times[BENCH_REPEATS];
    double one = 0.0;
    for (int i = 0; i < 3; i++) { /* warm-up: choices of algorithms, memory, clocks */
        JUDO_TRY(time_calls(b, work, context, 1, &one));
    }
    int calls = one > window ? 1 : (int)(window / (one + 1e-7)) + 1;
    for (int i = 0; i < BENCH_REPEATS; i++) {
        JUDO_TRY(time_calls(b, work, context, calls, &times[i]));
    }
    *seconds = judo_median(times, BENCH_REPEATS);
    return JUDO_OK;
}

/* One host buffer of numbers, copied piece by piece: products of equal numbers would draw less
 * power, and run faster, than those of a model. */
static judo_status fill(const bench *b, judo_tensor *t, float scale)
{
    enum { PIECE = 1 << 20 };

    int64_t width = judo_dtype_bytes(t->dtype);
    int64_t count = judo_tensor_count(t);
    float *numbers = malloc(PIECE * sizeof *numbers);
    char *stored = malloc((size_t)(PIECE * width));
    judo_status status = JUDO_OK;
    if (!numbers || !stored) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a piece of a tensor");
    }
    uint32_t state = 12345u + (uint32_t)count;
    for (int64_t first = 0; status == JUDO_OK && first < count; first += PIECE) {
        int64_t piece = count - first < PIECE ? count - first : PIECE;
        for (int64_t i = 0; i < piece; i++) {
            state = state * 1664525u + 1013904223u;
            numbers[i] = ((float)(state >> 8) * 0x1p-23f - 1.0f) * scale;
        }
        judo_convert_from_f32(stored, t->dtype, numbers, piece);
        status = b->device->copy((char *)t->data + first * width, stored, piece * width, NULL);
    }
    free(numbers);
    free(stored);
    return status;
}

judo_status bench_tensor(const bench *b, judo_tensor *out, judo_dtype dtype, int num_dims,
                         const int64_t *dims, float scale)
{
    judo_tensor t = {.dtype = dtype, .num_dims = num_dims};
    for (int i = 0; i < num_dims; i++) {
        t.dims[i] = dims[i];
    }
    JUDO_TRY(b->device->allocate(&t.data, judo_tensor_count(&t) * judo_dtype_bytes(dtype)));
    judo_status status = fill(b, &t, scale);
    if (status != JUDO_OK) {
        b->device->release(t.data);
        return status;
    }
    *out = t;
    return JUDO_OK;
}

void bench_release(const bench *b, judo_tensor *tensors, int count)
{
    for (int i = 0; i < count; i++) {
        b->device->release(tensors[i].data);
        tensors[i].data = NULL;
    }
}
