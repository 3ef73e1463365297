/* runtime/tensor.h: views of memory. A tensor owns nothing; dimensions are row-major, the last
 * one contiguous. */
#ifndef JUDO_RUNTIME_TENSOR_H
#define JUDO_RUNTIME_TENSOR_H

#include <stdint.h>

#include "runtime/status.h"

typedef enum judo_dtype {
    JUDO_F32,
    JUDO_BF16,
    JUDO_F16,
    JUDO_I32,
    JUDO_U8,
} judo_dtype;

enum { JUDO_MAX_DIMS = 5 };

typedef struct judo_tensor {
    void *data;
    judo_dtype dtype;
    int num_dims;
    int64_t dims[JUDO_MAX_DIMS];
    const void *packed; /* of a weight: its copy made by judo_ops.linear_pack, or NULL */
} judo_tensor;

/* Bytes of one element. */
int64_t judo_dtype_bytes(judo_dtype dtype);

/* "F32", "BF16", "F16", "I32", "U8": the names that safetensors uses. */
const char *judo_dtype_name(judo_dtype dtype);

/* A view of `data` as [rows] or [rows, columns] or [a, b, c]. */
judo_tensor judo_tensor_1d(void *data, judo_dtype dtype, int64_t rows);
judo_tensor judo_tensor_2d(void *data, judo_dtype dtype, int64_t rows, int64_t columns);
judo_tensor judo_tensor_3d(void *data, judo_dtype dtype, int64_t a, int64_t b, int64_t c);

/* Number of elements. */
int64_t judo_tensor_count(const judo_tensor *tensor);

/* Product of `num_dims` dimensions; JUDO_ERROR_FORMAT if one is negative or the product
 * overflows. */
judo_status judo_dims_count(const int64_t *dims, int num_dims, int64_t *count) JUDO_MUST_CHECK;

/* Conversions between fp32 and the 16-bit formats; to bf16 and fp16 rounds to nearest even. */
uint16_t judo_f32_to_bf16(float value);
float judo_bf16_to_f32(uint16_t bits);
uint16_t judo_f32_to_f16(float value);
float judo_f16_to_f32(uint16_t bits);

/* Converts `count` elements of a floating type to or from fp32. */
void judo_convert_to_f32(float *out, const void *in, judo_dtype dtype, int64_t count);
void judo_convert_from_f32(void *out, judo_dtype dtype, const float *in, int64_t count);

#endif
