/* tests/runtime/ops/bf16_ops.c: see bf16_ops.h. */
#include "tests/runtime/ops/bf16_ops.h"

#include <stdlib.h>

enum { MOST_BOXES = 12 };

/* A BF16 copy of a tensor, written back to it when it is an output. */
typedef struct box {
    const judo_tensor *original;
    judo_tensor copy;
    bool output;
} box;

typedef struct call {
    box boxes[MOST_BOXES];
    int count;
} call;

static judo_tensor *find_or_copy(call *c, const judo_tensor *t, bool output)
{
    for (int i = 0; i < c->count; i++) {
        if (c->boxes[i].original->data == t->data &&
            judo_tensor_count(c->boxes[i].original) == judo_tensor_count(t)) {
            c->boxes[i].output |= output;
            return &c->boxes[i].copy;
        }
    }
    box *b = &c->boxes[c->count++];
    int64_t count = judo_tensor_count(t);
    b->original = t;
    b->output = output;
    b->copy = *t;
    if (t->dtype == JUDO_F32) {
        b->copy.dtype = JUDO_BF16;
        b->copy.data = malloc((size_t)count * sizeof(uint16_t) + (count == 0));
        judo_convert_from_f32(b->copy.data, JUDO_BF16, t->data, count);
    }
    return &b->copy;
}

static const judo_tensor *in(call *c, const judo_tensor *t)
{
    return t ? find_or_copy(c, t, false) : NULL;
}

static judo_tensor *out(call *c, judo_tensor *t)
{
    return t ? find_or_copy(c, t, true) : NULL;
}

static judo_status finish(call *c, judo_status status)
{
    for (int i = 0; i < c->count; i++) {
        box *b = &c->boxes[i];
        if (b->copy.data == b->original->data) {
            continue; /* was not fp32 */
        }
        if (status == JUDO_OK && b->output) {
            judo_convert_to_f32(b->original->data, b->copy.data, JUDO_BF16,
                                judo_tensor_count(&b->copy));
        }
        free(b->copy.data);
    }
    return status;
}

static judo_status linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                  const judo_tensor *bias)
{
    call c = {0};
    return finish(
        &c, judo_ops_cpu()->linear_forward(out(&c, y), in(&c, x), in(&c, w), in(&c, bias)));
}

static judo_status linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                   judo_tensor *dbias, const judo_tensor *dy,
                                   const judo_tensor *x, const judo_tensor *w)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->linear_backward(out(&c, dx), accumulate_dx, dw, dbias,
                                                      in(&c, dy), in(&c, x), in(&c, w)));
}

static judo_status rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                   const judo_tensor *w, float epsilon)
{
    call c = {0};
    return finish(
        &c, judo_ops_cpu()->rmsnorm_forward(out(&c, y), rstd, in(&c, x), in(&c, w), epsilon));
}

static judo_status rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                    const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *rstd)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->rmsnorm_backward(out(&c, dx), dw, in(&c, dy), in(&c, x),
                                                       in(&c, w), rstd));
}

static judo_status layernorm_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias, float epsilon)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->layernorm_forward(out(&c, y), in(&c, x), in(&c, w),
                                                        in(&c, bias), epsilon));
}

static judo_status rotary(judo_tensor *x, const judo_tensor *cos, const judo_tensor *sin,
                          bool inverse)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->rotary(out(&c, x), cos, sin, inverse));
}

static judo_status attention_forward(judo_tensor *o, judo_tensor *lse, const judo_tensor *q,
                                     const judo_tensor *k, const judo_tensor *v,
                                     const judo_attention_span *spans, int num_spans,
                                     float scale)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->attention_forward(out(&c, o), lse, in(&c, q), in(&c, k),
                                                        in(&c, v), spans, num_spans, scale));
}

static judo_status attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                      const judo_tensor *dout, const judo_tensor *q,
                                      const judo_tensor *k, const judo_tensor *v,
                                      const judo_tensor *o, const judo_tensor *lse,
                                      const judo_attention_span *spans, int num_spans,
                                      float scale)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->attention_backward(
                          out(&c, dq), out(&c, dk), out(&c, dv), in(&c, dout), in(&c, q),
                          in(&c, k), in(&c, v), in(&c, o), lse, spans, num_spans, scale));
}

static void *round_run(const void *values, int64_t count)
{
    uint16_t *rounded = malloc((size_t)count * sizeof *rounded + (count == 0));
    judo_convert_from_f32(rounded, JUDO_BF16, values, count);
    return rounded;
}

/* Rows that follow each other and share a prefix go on sharing its copy. */
static judo_status attention_decode(judo_tensor *o, const judo_tensor *q,
                                    const judo_decode_row *rows, int num_kv_heads, float scale)
{
    call c = {0};
    int64_t count = q->dims[0];
    int64_t stride = num_kv_heads * q->dims[2];
    judo_decode_row *copies = calloc((size_t)count + 1, sizeof *copies);
    for (int64_t i = 0; i < count; i++) {
        copies[i] = rows[i];
        if (i > 0 && rows[i].prefix_keys == rows[i - 1].prefix_keys &&
            rows[i].prefix_length == rows[i - 1].prefix_length) {
            copies[i].prefix_keys = copies[i - 1].prefix_keys;
            copies[i].prefix_values = copies[i - 1].prefix_values;
        } else {
            copies[i].prefix_keys =
                round_run(rows[i].prefix_keys, rows[i].prefix_length * stride);
            copies[i].prefix_values =
                round_run(rows[i].prefix_values, rows[i].prefix_length * stride);
        }
        copies[i].own_keys = round_run(rows[i].own_keys, rows[i].own_length * stride);
        copies[i].own_values = round_run(rows[i].own_values, rows[i].own_length * stride);
    }
    judo_status status =
        judo_ops_cpu()->attention_decode(out(&c, o), in(&c, q), copies, num_kv_heads, scale);
    for (int64_t i = 0; i < count; i++) {
        if (i + 1 == count || copies[i + 1].prefix_keys != copies[i].prefix_keys) {
            free((void *)(uintptr_t)copies[i].prefix_keys);
            free((void *)(uintptr_t)copies[i].prefix_values);
        }
        free((void *)(uintptr_t)copies[i].own_keys);
        free((void *)(uintptr_t)copies[i].own_values);
    }
    free(copies);
    return finish(&c, status);
}

static judo_status swiglu_forward(judo_tensor *y, const judo_tensor *gate,
                                  const judo_tensor *up)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->swiglu_forward(out(&c, y), in(&c, gate), in(&c, up)));
}

static judo_status swiglu_backward(judo_tensor *dgate, judo_tensor *dup, const judo_tensor *dy,
                                   const judo_tensor *gate, const judo_tensor *up)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->swiglu_backward(out(&c, dgate), out(&c, dup), in(&c, dy),
                                                      in(&c, gate), in(&c, up)));
}

static judo_status gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->gelu_forward(out(&c, y), in(&c, x)));
}

static judo_status gelu_backward(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->gelu_backward(out(&c, dx), in(&c, dy), in(&c, x)));
}

static judo_status add(judo_tensor *y, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->add(out(&c, y), in(&c, x)));
}

static judo_status gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                               int64_t count)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->gather_rows(out(&c, y), in(&c, x), index, count));
}

static judo_status scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                int64_t count)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->scatter_rows(out(&c, y), in(&c, x), index, count));
}

static judo_status scatter_add_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                    int64_t count)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->scatter_add_rows(y, in(&c, x), index, count));
}

static judo_status head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                             const judo_tensor *hidden, const judo_tensor *w,
                             const int32_t *targets, const judo_token_loss *spec,
                             const uint8_t *banned, int64_t chunk_rows)
{
    call c = {0};
    return finish(&c, judo_ops_cpu()->head_loss(result, out(&c, dhidden), dw, in(&c, hidden),
                                                in(&c, w), targets, spec, banned, chunk_rows));
}

const judo_ops *bf16_ops(void)
{
    static judo_ops table;
    table = *judo_ops_cpu(); /* sample, adamw and sum_of_squares are fp32 */
    table.linear_forward = linear_forward;
    table.linear_backward = linear_backward;
    table.rmsnorm_forward = rmsnorm_forward;
    table.rmsnorm_backward = rmsnorm_backward;
    table.layernorm_forward = layernorm_forward;
    table.rotary = rotary;
    table.attention_forward = attention_forward;
    table.attention_backward = attention_backward;
    table.attention_decode = attention_decode;
    table.swiglu_forward = swiglu_forward;
    table.swiglu_backward = swiglu_backward;
    table.gelu_forward = gelu_forward;
    table.gelu_backward = gelu_backward;
    table.add = add;
    table.gather_rows = gather_rows;
    table.scatter_rows = scatter_rows;
    table.scatter_add_rows = scatter_add_rows;
    table.head_loss = head_loss;
    return &table;
}
