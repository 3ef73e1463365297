/* runtime/ops/convert_cpu.c: elements of one floating dtype as another. */
#include <string.h>

#include "runtime/ops/cpu.h"

static void convert_chunk(void *y, judo_dtype y_dtype, const void *x, judo_dtype x_dtype,
                          int64_t count)
{
    if (y_dtype == x_dtype) {
        memmove(y, x, (size_t)(count * judo_dtype_bytes(x_dtype)));
    } else if (x_dtype == JUDO_F32) {
        judo_convert_from_f32(y, y_dtype, x, count);
    } else {
        judo_convert_to_f32(y, x, x_dtype, count);
    }
}

judo_status judo_cpu_convert(judo_tensor *y, const judo_tensor *x)
{
    enum { CHUNK = 4096 }; /* elements that one thread takes at a time */

    JUDO_TRY(judo_convert_check(y, x));
    int64_t count = judo_tensor_count(y);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += CHUNK) {
        convert_chunk(judo_cpu_to(y->data, y->dtype, i), y->dtype,
                      judo_cpu_at(x->data, x->dtype, i), x->dtype,
                      count - i < CHUNK ? count - i : CHUNK);
    }
    return JUDO_OK;
}
