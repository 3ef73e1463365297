/* tests/bench/gpu/limits/ledger_ops.c: what each op moves and computes at least, as the CUDA
 * backend does it: kernels per op as its sources start them. */
#include "tests/bench/gpu/limits/ledger.h"
#include "tests/bench/gpu/model.h"

#include <stdlib.h>

static double bytes_of(const judo_tensor *t)
{
    return t ? (double)judo_tensor_count(t) * (double)judo_dtype_bytes(t->dtype) : 0.0;
}

static void elementwise(double bytes)
{
    ledger_add(LEDGER_ELEMENTWISE, 0.0, 0.0, bytes, 1);
}

static void product(double m, double n, double k, double bytes)
{
    ledger_add(LEDGER_PRODUCT, 2.0 * m * n * k, LEDGER_PRODUCT_RATE, bytes, 1);
}

static judo_status linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                  const judo_tensor *bias)
{
    product((double)x->dims[0], (double)w->dims[0], (double)w->dims[1],
            bytes_of(y) + bytes_of(x) + bytes_of(w) + bytes_of(bias));
    return JUDO_OK;
}

static int64_t linear_packed_bytes(const judo_tensor *w)
{
    (void)w;
    return 0;
}

static judo_status linear_pack(void *packed, const judo_tensor *w)
{
    (void)packed;
    (void)w;
    return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "ledger: packs nothing");
}

static judo_status linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                   judo_tensor *dbias, const judo_tensor *dy,
                                   const judo_tensor *x, const judo_tensor *w)
{
    double m = (double)dy->dims[0];
    double n = (double)dy->dims[1];
    if (dx) {
        product(m, (double)w->dims[1], n,
                bytes_of(dy) + bytes_of(w) + (accumulate_dx ? 2.0 : 1.0) * bytes_of(dx));
    }
    if (dw) {
        product(n, (double)x->dims[1], m, bytes_of(dy) + bytes_of(x) + 2.0 * bytes_of(dw));
    }
    if (dbias) {
        ledger_add(LEDGER_ELEMENTWISE, 0.0, 0.0, bytes_of(dy), 2);
    }
    return JUDO_OK;
}

static judo_status rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                   const judo_tensor *w, float epsilon)
{
    (void)rstd;
    (void)w;
    (void)epsilon;
    elementwise(bytes_of(x) + bytes_of(y));
    return JUDO_OK;
}

static judo_status rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                    const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *rstd)
{
    (void)w;
    (void)rstd;
    ledger_add(LEDGER_ELEMENTWISE, 0.0, 0.0, 2.0 * bytes_of(dx) + bytes_of(dy) + bytes_of(x),
               dw ? 2 : 1);
    return JUDO_OK;
}

static judo_status layernorm_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias, float epsilon)
{
    (void)w;
    (void)bias;
    (void)epsilon;
    elementwise(bytes_of(x) + bytes_of(y));
    return JUDO_OK;
}

static judo_status split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                               const judo_tensor *qkv, const judo_tensor *cos,
                               const judo_tensor *sin, const int32_t *places)
{
    (void)q;
    (void)k;
    (void)v;
    (void)places;
    elementwise(2.0 * bytes_of(qkv) + bytes_of(cos) + bytes_of(sin));
    return JUDO_OK;
}

static judo_status join_heads(judo_tensor *dqkv, const judo_tensor *dq, const judo_tensor *dk,
                              const judo_tensor *dv, const judo_tensor *cos,
                              const judo_tensor *sin)
{
    (void)dq;
    (void)dk;
    (void)dv;
    elementwise(2.0 * bytes_of(dqkv) + bytes_of(cos) + bytes_of(sin));
    return JUDO_OK;
}

static judo_status attention_forward(judo_tensor *out, judo_tensor *lse, const judo_tensor *q,
                                     const judo_tensor *k, const judo_tensor *v,
                                     const judo_attention_span *spans, int num_spans,
                                     float scale)
{
    (void)scale;
    double width = (double)(q->dims[1] * q->dims[2]);
    ledger_add(LEDGER_ATTENTION, 4.0 * width * bench_attention_pairs(spans, num_spans),
               LEDGER_ATTENTION_FORWARD_RATE,
               bytes_of(out) + bytes_of(lse) + bytes_of(q) + bytes_of(k) + bytes_of(v), 1);
    return JUDO_OK;
}

static judo_status attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                      const judo_tensor *dout, const judo_tensor *q,
                                      const judo_tensor *k, const judo_tensor *v,
                                      const judo_tensor *out, const judo_tensor *lse,
                                      const judo_attention_span *spans, int num_spans,
                                      float scale)
{
    (void)scale;
    double width = (double)(q->dims[1] * q->dims[2]);
    ledger_add(LEDGER_ATTENTION, 10.0 * width * bench_attention_pairs(spans, num_spans),
               LEDGER_ATTENTION_BACKWARD_RATE,
               bytes_of(dq) + bytes_of(dk) + bytes_of(dv) + 2.0 * bytes_of(dout) + bytes_of(q) +
                   bytes_of(k) + bytes_of(v) + bytes_of(out) + bytes_of(lse),
               3);
    return JUDO_OK;
}

/* Keys and values of a prefix count once for all the rows that share it. */
static judo_status attention_decode(judo_tensor *out, const judo_tensor *q,
                                    const judo_decode_row *rows, int num_kv_heads, float scale)
{
    (void)scale;
    double tokens = 0.0;
    for (int64_t i = 0; i < q->dims[0]; i++) {
        bool shared = i > 0 && rows[i].prefix_keys == rows[i - 1].prefix_keys;
        tokens += rows[i].own_length + (shared ? 0 : rows[i].prefix_length);
    }
    double width = (double)num_kv_heads * (double)q->dims[2];
    ledger_add(LEDGER_ATTENTION, 0.0, 0.0,
               2.0 * tokens * width * (double)judo_dtype_bytes(q->dtype) + bytes_of(q) +
                   bytes_of(out),
               2);
    return JUDO_OK;
}

static judo_status swiglu_forward(judo_tensor *y, const judo_tensor *gate_up)
{
    elementwise(bytes_of(y) + bytes_of(gate_up));
    return JUDO_OK;
}

static judo_status swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                   const judo_tensor *gate_up)
{
    elementwise(bytes_of(dgate_up) + bytes_of(dy) + bytes_of(gate_up));
    return JUDO_OK;
}

static judo_status gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    elementwise(bytes_of(y) + bytes_of(x));
    return JUDO_OK;
}

static judo_status gelu_backward(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    elementwise(bytes_of(dx) + bytes_of(dy) + bytes_of(x));
    return JUDO_OK;
}

static judo_status add(judo_tensor *y, const judo_tensor *x)
{
    elementwise(2.0 * bytes_of(y) + bytes_of(x));
    return JUDO_OK;
}

static judo_status convert(judo_tensor *y, const judo_tensor *x)
{
    elementwise(bytes_of(y) + bytes_of(x));
    return JUDO_OK;
}

static judo_status move_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                             int64_t count)
{
    (void)index;
    double row = (double)(x->dims[x->num_dims - 1] * judo_dtype_bytes(x->dtype));
    (void)y;
    elementwise(2.0 * (double)count * row);
    return JUDO_OK;
}

static judo_status scatter_add_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                    int64_t count)
{
    (void)index;
    double columns = (double)x->dims[x->num_dims - 1];
    elementwise((double)count * columns *
                (double)(judo_dtype_bytes(x->dtype) + 2 * judo_dtype_bytes(y->dtype)));
    return JUDO_OK;
}

/* Logits are written by a product, read twice by the loss, and replaced by their gradient. */
static judo_status head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                             const judo_tensor *hidden, const judo_tensor *w,
                             const int32_t *targets, const judo_token_loss *spec,
                             const uint8_t *banned, int64_t chunk_rows)
{
    (void)targets;
    (void)spec;
    (void)banned;
    double m = (double)hidden->dims[0];
    double n = (double)w->dims[0];
    double k = (double)w->dims[1];
    double logits = m * n;
    double chunks = m / (double)(chunk_rows > 0 ? chunk_rows : 1) + 1.0;
    double width = (double)judo_dtype_bytes(w->dtype);
    ledger_add(LEDGER_HEAD, 2.0 * m * n * k, LEDGER_PRODUCT_RATE, chunks * bytes_of(w), 1);
    ledger_add(LEDGER_HEAD, 0.0, 0.0, logits * (4.0 + 8.0 + (dhidden ? width : 0.0)), 2);
    if (dhidden) {
        ledger_add(LEDGER_HEAD, 2.0 * m * n * k, LEDGER_PRODUCT_RATE, chunks * bytes_of(w), 1);
    }
    if (dw) {
        ledger_add(LEDGER_HEAD, 2.0 * m * n * k, LEDGER_PRODUCT_RATE, chunks * bytes_of(dw), 1);
    }
    (void)result;
    return JUDO_OK;
}

static judo_status sample(const judo_draw_memory *memory, judo_tensor *logits,
                          const judo_draw_row *rows, const judo_sampling *sampling,
                          float logprob_temperature)
{
    (void)memory;
    (void)rows;
    (void)sampling;
    (void)logprob_temperature;
    ledger_add(LEDGER_HEAD, 0.0, 0.0, 2.0 * bytes_of(logits), 1);
    return JUDO_OK;
}

static judo_status gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                     const judo_draw *draws, int64_t num_draws,
                                     const int32_t *places, int64_t count)
{
    (void)draws;
    (void)num_draws;
    return move_rows(y, x, places, count);
}

/* Weights are read and written, in one piece or as two halves, and so are both moments; a copy
 * in bf16 is written. */
static judo_status adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                         int num_segments, const judo_adamw *options)
{
    (void)options;
    double count = 0.0;
    for (int i = 0; i < num_segments; i++) {
        count += (double)(segments[i].end - segments[i].begin);
    }
    double copy = arrays->weights && arrays->bf16 ? 2.0 : 0.0;
    ledger_add(LEDGER_OPTIMIZER, 0.0, 0.0,
               count * (24.0 + copy + (double)judo_dtype_bytes(arrays->gradient_dtype)), 1);
    return JUDO_OK;
}

static judo_status sum_of_squares(double *sum, const judo_tensor *x)
{
    *sum = 1.0;
    ledger_add(LEDGER_OPTIMIZER, 0.0, 0.0, bytes_of(x), 1);
    return JUDO_OK;
}

static judo_status add_rounded(judo_tensor *y, const judo_tensor *x)
{
    elementwise(2.0 * bytes_of(y) + bytes_of(x));
    return JUDO_OK;
}

static judo_status add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                       const judo_tensor *x, const judo_tensor *w,
                                       float epsilon)
{
    (void)rstd;
    (void)w;
    (void)epsilon;
    elementwise(bytes_of(y) + 2.0 * bytes_of(sum) + bytes_of(x));
    return JUDO_OK;
}

/* Every frame of a patch is written, its pixels are read once. */
static judo_status patchify(judo_tensor *y, const judo_tensor *pixels,
                            const judo_patch_square *squares, int64_t count,
                            const judo_patch_form *form)
{
    (void)squares;
    (void)count;
    (void)form;
    elementwise(bytes_of(y) + bytes_of(pixels));
    return JUDO_OK;
}

const judo_ops *ledger_ops(void)
{
    static const judo_ops ops = {
        .name = "ledger",
        .linear_forward = linear_forward,
        .linear_packed_bytes = linear_packed_bytes,
        .linear_pack = linear_pack,
        .linear_backward = linear_backward,
        .rmsnorm_forward = rmsnorm_forward,
        .rmsnorm_backward = rmsnorm_backward,
        .layernorm_forward = layernorm_forward,
        .split_heads = split_heads,
        .join_heads = join_heads,
        .attention_forward = attention_forward,
        .attention_backward = attention_backward,
        .attention_decode = attention_decode,
        .swiglu_forward = swiglu_forward,
        .swiglu_backward = swiglu_backward,
        .gelu_forward = gelu_forward,
        .gelu_backward = gelu_backward,
        .add = add,
        .convert = convert,
        .gather_rows = move_rows,
        .scatter_rows = move_rows,
        .scatter_add_rows = scatter_add_rows,
        .head_loss = head_loss,
        .sample = sample,
        .gather_drawn_rows = gather_drawn_rows,
        .adamw = adamw,
        .sum_of_squares = sum_of_squares,
        .add_rounded = add_rounded,
        .add_rmsnorm_forward = add_rmsnorm_forward,
        .patchify = patchify,
    };
    return &ops;
}
