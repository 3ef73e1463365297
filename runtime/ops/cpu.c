/* runtime/ops/cpu.c: checks, threads and scratch memory of the CPU backend. */
#include "runtime/ops/cpu.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/memory.h"

enum { GRAIN = 16384, SHAPE_TEXT = 128 };

static int num_threads;

void judo_ops_cpu_set_threads(int threads)
{
    num_threads = threads > 0 ? threads : 0;
}

int judo_ops_cpu_threads(void)
{
    if (num_threads == 0) {
        num_threads = omp_get_max_threads(); /* OMP_NUM_THREADS, else the CPUs in the mask */
    }
    return num_threads;
}

int judo_cpu_threads_for(int64_t work)
{
    return work < GRAIN ? 1 : judo_ops_cpu_threads();
}

judo_status judo_cpu_scratch(void **memory, judo_cpu_scratch_user user, int64_t bytes)
{
    static void *buffers[JUDO_SCRATCH_USERS];
    static int64_t capacities[JUDO_SCRATCH_USERS];
    if (bytes > capacities[user]) {
        void *grown = judo_memory_take((size_t)bytes);
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY,
                             "ops: no memory for %" PRId64 " bytes of scratch; use smaller "
                             "batches or chunks",
                             bytes);
        }
        free(buffers[user]);
        buffers[user] = grown;
        capacities[user] = bytes;
    }
    *memory = buffers[user];
    return JUDO_OK;
}

static const char *shape_text(char text[SHAPE_TEXT], const int64_t *dims, int num_dims)
{
    int length = snprintf(text, SHAPE_TEXT, "[");
    for (int i = 0; i < num_dims && length < SHAPE_TEXT - 2; i++) {
        length += snprintf(text + length, (size_t)(SHAPE_TEXT - length), "%s%" PRId64,
                           i > 0 ? "," : "", dims[i]);
    }
    if (length < SHAPE_TEXT - 1) {
        snprintf(text + length, (size_t)(SHAPE_TEXT - length), "]");
    }
    return text;
}

static judo_status expect(const char *op, const char *argument, const judo_tensor *tensor,
                          judo_dtype dtype, const int64_t *dims, int num_dims)
{
    if (tensor->dtype != dtype) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: %s has dtype %s, expected %s", op,
                         argument, judo_dtype_name(tensor->dtype), judo_dtype_name(dtype));
    }
    bool same = tensor->num_dims == num_dims;
    for (int i = 0; same && i < num_dims; i++) {
        same = tensor->dims[i] == dims[i];
    }
    if (!same) {
        char has[SHAPE_TEXT];
        char wants[SHAPE_TEXT];
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s has shape %s, expected %s", op, argument,
                         shape_text(has, tensor->dims, tensor->num_dims),
                         shape_text(wants, dims, num_dims));
    }
    if (!tensor->data && judo_tensor_count(tensor) > 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s has no memory", op, argument);
    }
    return JUDO_OK;
}

judo_status judo_cpu_expect_1d(const char *op, const char *argument, const judo_tensor *tensor,
                               judo_dtype dtype, int64_t a)
{
    return expect(op, argument, tensor, dtype, &a, 1);
}

judo_status judo_cpu_expect_2d(const char *op, const char *argument, const judo_tensor *tensor,
                               judo_dtype dtype, int64_t a, int64_t b)
{
    return expect(op, argument, tensor, dtype, (const int64_t[]){a, b}, 2);
}

judo_status judo_cpu_expect_3d(const char *op, const char *argument, const judo_tensor *tensor,
                               judo_dtype dtype, int64_t a, int64_t b, int64_t c)
{
    return expect(op, argument, tensor, dtype, (const int64_t[]){a, b, c}, 3);
}

judo_status judo_cpu_expect_like(const char *op, const char *argument,
                                 const judo_tensor *tensor, const judo_tensor *like)
{
    return expect(op, argument, tensor, like->dtype, like->dims, like->num_dims);
}

judo_status judo_cpu_expect_dims(const char *op, const char *argument,
                                 const judo_tensor *tensor, int num_dims)
{
    if (tensor->dtype != JUDO_F32 && tensor->dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: %s has dtype %s; the CPU backend computes on F32 and BF16", op,
                         argument, judo_dtype_name(tensor->dtype));
    }
    if (num_dims == 0 ? tensor->num_dims < 1 : tensor->num_dims != num_dims) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s has %d dimensions, expected %s%d", op,
                         argument, tensor->num_dims, num_dims == 0 ? "at least " : "",
                         num_dims == 0 ? 1 : num_dims);
    }
    return expect(op, argument, tensor, tensor->dtype, tensor->dims, tensor->num_dims);
}
