/* runtime/tensor.c: tensor views and floating-point formats. */
#include "runtime/tensor.h"

#include <string.h>

int64_t judo_dtype_bytes(judo_dtype dtype)
{
    switch (dtype) {
    case JUDO_F32:
    case JUDO_I32:
        return 4;
    case JUDO_BF16:
    case JUDO_F16:
        return 2;
    case JUDO_U8:
        return 1;
    }
    return 0;
}

const char *judo_dtype_name(judo_dtype dtype)
{
    switch (dtype) {
    case JUDO_F32:
        return "F32";
    case JUDO_BF16:
        return "BF16";
    case JUDO_F16:
        return "F16";
    case JUDO_I32:
        return "I32";
    case JUDO_U8:
        return "U8";
    }
    return "?";
}

judo_tensor judo_tensor_1d(void *data, judo_dtype dtype, int64_t rows)
{
    return (judo_tensor){.data = data, .dtype = dtype, .num_dims = 1, .dims = {rows}};
}

judo_tensor judo_tensor_2d(void *data, judo_dtype dtype, int64_t rows, int64_t columns)
{
    return (judo_tensor){.data = data, .dtype = dtype, .num_dims = 2, .dims = {rows, columns}};
}

judo_tensor judo_tensor_3d(void *data, judo_dtype dtype, int64_t a, int64_t b, int64_t c)
{
    return (judo_tensor){.data = data, .dtype = dtype, .num_dims = 3, .dims = {a, b, c}};
}

int64_t judo_tensor_count(const judo_tensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->num_dims; i++) {
        count *= tensor->dims[i];
    }
    return count;
}

judo_status judo_dims_count(const int64_t *dims, int num_dims, int64_t *count)
{
    int64_t product = 1;
    for (int i = 0; i < num_dims; i++) {
        if (dims[i] < 0 || __builtin_mul_overflow(product, dims[i], &product)) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "tensor dimensions overflow or are negative");
        }
    }
    *count = product;
    return JUDO_OK;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t judo_f32_to_bf16(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((bits >> 16) | 0x40u); /* keep NaN a NaN */
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float judo_bf16_to_f32(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t judo_f32_to_f16(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (magnitude >= 0x477ff000u) { /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) { /* subnormal: adding 0.5 lets the FPU round at bit 24 */
        float shifted = float_of(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000u));
    }
    uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u;
    return (uint16_t)(sign | (rounded >> 13));
}

float judo_f16_to_f32(uint16_t bits)
{
    uint32_t sign = ((uint32_t)bits & 0x8000u) << 16;
    uint32_t exponent = ((uint32_t)bits >> 10) & 0x1fu;
    uint32_t mantissa = (uint32_t)bits & 0x3ffu;
    if (exponent == 0) {
        float value = (float)mantissa * 0x1p-24f;
        return float_of(sign | bits_of(value));
    }
    if (exponent == 31) {
        return float_of(sign | 0x7f800000u | (mantissa << 13));
    }
    return float_of(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

void judo_convert_to_f32(float *out, const void *in, judo_dtype dtype, int64_t count)
{
    if (dtype == JUDO_F32) {
        memcpy(out, in, (size_t)count * sizeof *out);
        return;
    }
    const uint16_t *half = in;
    for (int64_t i = 0; i < count; i++) {
        out[i] = dtype == JUDO_BF16 ? judo_bf16_to_f32(half[i]) : judo_f16_to_f32(half[i]);
    }
}

void judo_convert_from_f32(void *out, judo_dtype dtype, const float *in, int64_t count)
{
    if (dtype == JUDO_F32) {
        memcpy(out, in, (size_t)count * sizeof *in);
        return;
    }
    uint16_t *half = out;
    for (int64_t i = 0; i < count; i++) {
        half[i] = dtype == JUDO_BF16 ? judo_f32_to_bf16(in[i]) : judo_f32_to_f16(in[i]);
    }
}
