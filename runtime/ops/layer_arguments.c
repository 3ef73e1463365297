/* runtime/ops/layer_arguments.c: checks of what the slots of linear layers, norms and
 * activations are called with. */
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
