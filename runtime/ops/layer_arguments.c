/* runtime/ops/layer_arguments.c: checks of what the slots of linear layers, norms, activations
 * and patches are called with. */
#include "runtime/ops/arguments.h"

judo_status judo_linear_check_forward(const judo_tensor *y, const judo_tensor *x,
                                      const judo_tensor *w, const judo_tensor *bias)
{
    const char *op = "linear_forward";
    JUDO_TRY(judo_expect_dims(op, "x", x, 2));
    JUDO_TRY(judo_expect_dims(op, "w", w, 2));
    int64_t n = w->dims[0];
    JUDO_TRY(judo_expect_2d(op, "w", w, x->dtype, n, x->dims[1]));
    judo_dtype dtype = y->dtype == JUDO_F32 ? JUDO_F32 : x->dtype;
    JUDO_TRY(judo_expect_2d(op, "y", y, dtype, x->dims[0], n));
    return bias ? judo_expect_1d(op, "bias", bias, x->dtype, n) : JUDO_OK;
}

judo_status judo_linear_check_backward(const judo_tensor *dx, const judo_tensor *dw,
                                       const judo_tensor *dbias, const judo_tensor *dy,
                                       const judo_tensor *x, const judo_tensor *w)
{
    const char *op = "linear_backward";
    JUDO_TRY(judo_expect_dims(op, "dy", dy, 2));
    int64_t m = dy->dims[0];
    int64_t n = dy->dims[1];
    if ((dx && !w) || (dw && !x)) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s", op,
                         dx && !w ? "dx is wanted without w" : "dw is wanted without x");
    }
    if (dx) {
        JUDO_TRY(judo_expect_dims(op, "w", w, 2));
        JUDO_TRY(judo_expect_2d(op, "w", w, dy->dtype, n, w->dims[1]));
        JUDO_TRY(judo_expect_2d(op, "dx", dx, dy->dtype, m, w->dims[1]));
    }
    if (dw) {
        JUDO_TRY(judo_expect_dims(op, "x", x, 2));
        JUDO_TRY(judo_expect_2d(op, "x", x, dy->dtype, m, x->dims[1]));
        JUDO_TRY(judo_expect_2d(op, "dw", dw, JUDO_F32, n, x->dims[1]));
    }
    return dbias ? judo_expect_1d(op, "dbias", dbias, JUDO_F32, n) : JUDO_OK;
}

judo_status judo_rmsnorm_check_forward(const judo_tensor *y, const judo_tensor *rstd,
                                       const judo_tensor *x, const judo_tensor *w)
{
    const char *op = "rmsnorm_forward";
    JUDO_TRY(judo_expect_dims(op, "x", x, 2));
    JUDO_TRY(judo_expect_like(op, "y", y, x));
    JUDO_TRY(judo_expect_1d(op, "w", w, x->dtype, x->dims[1]));
    return rstd ? judo_expect_1d(op, "rstd", rstd, JUDO_F32, x->dims[0]) : JUDO_OK;
}

judo_status judo_rmsnorm_check_backward(const judo_tensor *dx, const judo_tensor *dw,
                                        const judo_tensor *dy, const judo_tensor *x,
                                        const judo_tensor *w, const judo_tensor *rstd)
{
    const char *op = "rmsnorm_backward";
    JUDO_TRY(judo_expect_dims(op, "x", x, 2));
    JUDO_TRY(judo_expect_like(op, "dx", dx, x));
    JUDO_TRY(judo_expect_like(op, "dy", dy, x));
    JUDO_TRY(judo_expect_1d(op, "w", w, x->dtype, x->dims[1]));
    JUDO_TRY(judo_expect_1d(op, "rstd", rstd, JUDO_F32, x->dims[0]));
    return dw ? judo_expect_1d(op, "dw", dw, JUDO_F32, x->dims[1]) : JUDO_OK;
}

judo_status judo_layernorm_check_forward(const judo_tensor *y, const judo_tensor *x,
                                         const judo_tensor *w, const judo_tensor *bias)
{
    const char *op = "layernorm_forward";
    JUDO_TRY(judo_expect_dims(op, "x", x, 2));
    JUDO_TRY(judo_expect_like(op, "y", y, x));
    JUDO_TRY(judo_expect_1d(op, "w", w, x->dtype, x->dims[1]));
    return judo_expect_1d(op, "bias", bias, x->dtype, x->dims[1]);
}

judo_status judo_swiglu_check_forward(const judo_tensor *y, const judo_tensor *gate_up)
{
    const char *op = "swiglu_forward";
    JUDO_TRY(judo_expect_dims(op, "y", y, 2));
    return judo_expect_2d(op, "gate_up", gate_up, y->dtype, y->dims[0], 2 * y->dims[1]);
}

judo_status judo_swiglu_check_backward(const judo_tensor *dgate_up, const judo_tensor *dy,
                                       const judo_tensor *gate_up)
{
    const char *op = "swiglu_backward";
    JUDO_TRY(judo_expect_dims(op, "dy", dy, 2));
    JUDO_TRY(judo_expect_2d(op, "gate_up", gate_up, dy->dtype, dy->dims[0], 2 * dy->dims[1]));
    return judo_expect_like(op, "dgate_up", dgate_up, gate_up);
}

judo_status judo_gelu_check_forward(const judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_expect_dims("gelu_forward", "x", x, 0));
    return judo_expect_like("gelu_forward", "y", y, x);
}

judo_status judo_gelu_check_backward(const judo_tensor *dx, const judo_tensor *dy,
                                     const judo_tensor *x)
{
    JUDO_TRY(judo_expect_dims("gelu_backward", "x", x, 0));
    JUDO_TRY(judo_expect_like("gelu_backward", "dy", dy, x));
    return judo_expect_like("gelu_backward", "dx", dx, x);
}

judo_status judo_add_check(const judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_expect_dims("add", "y", y, 0));
    return judo_expect_like("add", "x", x, y);
}

judo_status judo_add_rounded_check(const judo_tensor *y, const judo_tensor *x)
{
    judo_tensor like = *x;
    JUDO_TRY(judo_expect_dims("add_rounded", "x", x, 0));
    like.dtype = JUDO_F32;
    JUDO_TRY(judo_expect_like("add_rounded", "x", x, &like));
    like.dtype = JUDO_BF16;
    return judo_expect_like("add_rounded", "y", y, &like);
}

judo_status judo_convert_check(const judo_tensor *y, const judo_tensor *x)
{
    judo_tensor like = *y;
    JUDO_TRY(judo_expect_dims("convert", "y", y, 0));
    JUDO_TRY(judo_expect_dims("convert", "x", x, 0));
    like.dtype = x->dtype;
    return judo_expect_like("convert", "x", x, &like);
}

static bool is_within(int32_t value, int32_t most)
{
    return value >= 1 && value <= most;
}

/* Whether the square's last byte, too, is one of the pixels' `bytes`. */
static bool holds_square(int64_t bytes, const judo_patch_square *square, int64_t side)
{
    int64_t width = side * JUDO_PATCH_CHANNELS;
    return square->first_byte >= 0 && width <= square->row_bytes &&
           square->row_bytes <= bytes && square->first_byte <= bytes - width &&
           side - 1 <= (bytes - width - square->first_byte) / square->row_bytes;
}

judo_status judo_patchify_check(const judo_tensor *y, const judo_tensor *pixels,
                                const judo_patch_square *squares, int64_t count,
                                const judo_patch_form *form)
{
    const char *op = "patchify";
    if (!is_within(form->side, 256) || !is_within(form->frames, 16) ||
        !is_within(form->merge, 16) || count < 0 || count > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: %lld squares of %d x %d patches of %d pixels in %d frames", op,
                         (long long)count, form->merge, form->merge, form->side, form->frames);
    }
    int64_t values = (int64_t)JUDO_PATCH_CHANNELS * form->frames * form->side * form->side;
    JUDO_TRY(judo_expect_dims(op, "y", y, 2));
    JUDO_TRY(judo_expect_2d(op, "y", y, y->dtype, count * form->merge * form->merge, values));
    JUDO_TRY(judo_expect_1d(op, "pixels", pixels, JUDO_U8, pixels->dims[0]));
    for (int64_t i = 0; i < count; i++) {
        if (!holds_square(pixels->dims[0], &squares[i], (int64_t)form->side * form->merge)) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: square %lld from byte %lld, rows %lld apart, is not within "
                             "%lld bytes of pixels",
                             op, (long long)i, (long long)squares[i].first_byte,
                             (long long)squares[i].row_bytes, (long long)pixels->dims[0]);
        }
    }
    return JUDO_OK;
}
