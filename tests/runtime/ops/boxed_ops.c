/* tests/runtime/ops/boxed_ops.c: see boxed_ops.h. */
#include "tests/runtime/ops/boxed_ops.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_BOXES = 12 };

static const judo_device *device;
static bool in_bf16;

/* A copy of a tensor on the device, written back to it when it is an output. */
typedef struct box {
    const judo_tensor *original;
    judo_tensor copy;
    void *memory; /* that the copy lies in */
    bool output;
} box;

typedef struct call {
    box boxes[MOST_BOXES];
    int count;
    judo_status status; /* the first failure on the way */
} call;

static void note(call *c, judo_status status)
{
    c->status = c->status == JUDO_OK ? status : c->status;
}

/* `count` elements at `values` on the device, as `dtype`. */
static void *send(call *c, const void *values, judo_dtype from, judo_dtype dtype, int64_t count)
{
    int64_t bytes = count * judo_dtype_bytes(dtype);
    void *rounded = NULL;
    void *memory = NULL;
    if (from != dtype) {
        rounded = malloc((size_t)bytes + 1);
        judo_convert_from_f32(rounded, dtype, values, count);
    }
    note(c, device->allocate(&memory, bytes));
    note(c, device->copy(memory, rounded ? rounded : values, bytes, NULL));
    free(rounded);
    return memory;
}

static judo_tensor *find_or_copy(call *c, const judo_tensor *t, bool output, judo_dtype dtype)
{
    for (int i = 0; i < c->count; i++) {
        if (c->boxes[i].original->data == t->data &&
            judo_tensor_count(c->boxes[i].original) == judo_tensor_count(t)) {
            c->boxes[i].output |= output;
            return &c->boxes[i].copy;
        }
    }
    box *b = &c->boxes[c->count++];
    b->original = t;
    b->output = output;
    b->copy = *t;
    b->copy.dtype = dtype;
    b->memory = send(c, t->data, t->dtype, dtype, judo_tensor_count(t));
    b->copy.data = b->memory;
    return &b->copy;
}

/* Tensors of the model's dtype; a dtype that is not fp32 is meant as it stands. */
static judo_dtype model_dtype(const judo_tensor *t)
{
    return in_bf16 && t->dtype == JUDO_F32 ? JUDO_BF16 : t->dtype;
}

static const judo_tensor *in(call *c, const judo_tensor *t)
{
    return t ? find_or_copy(c, t, false, model_dtype(t)) : NULL;
}

static judo_tensor *out(call *c, judo_tensor *t)
{
    return t ? find_or_copy(c, t, true, model_dtype(t)) : NULL;
}

/* Tensors that are fp32 whatever the model's dtype is. */
static const judo_tensor *exact_in(call *c, const judo_tensor *t)
{
    return t ? find_or_copy(c, t, false, t->dtype) : NULL;
}

static judo_tensor *exact_out(call *c, judo_tensor *t)
{
    return t ? find_or_copy(c, t, true, t->dtype) : NULL;
}

/* Brings an output back. */
static void fetch(call *c, const box *b)
{
    int64_t count = judo_tensor_count(&b->copy);
    int64_t bytes = count * judo_dtype_bytes(b->copy.dtype);
    if (b->copy.dtype == b->original->dtype) {
        note(c, device->copy(b->original->data, b->copy.data, bytes, NULL));
        return;
    }
    void *rounded = malloc((size_t)bytes + 1);
    note(c, device->copy(rounded, b->copy.data, bytes, NULL));
    judo_convert_to_f32(b->original->data, rounded, b->copy.dtype, count);
    free(rounded);
}

static judo_status finish(call *c, judo_status status)
{
    note(c, status);
    note(c, device->stream_finish(NULL));
    for (int i = 0; i < c->count; i++) {
        if (c->status == JUDO_OK && c->boxes[i].output) {
            fetch(c, &c->boxes[i]);
        }
        device->release(c->boxes[i].memory);
    }
    return c->status;
}

static judo_status linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                  const judo_tensor *bias)
{
    call c = {0};
    return finish(&c,
                  device->ops->linear_forward(out(&c, y), in(&c, x), in(&c, w), in(&c, bias)));
}

static judo_status linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                   judo_tensor *dbias, const judo_tensor *dy,
                                   const judo_tensor *x, const judo_tensor *w)
{
    call c = {0};
    return finish(&c, device->ops->linear_backward(out(&c, dx), accumulate_dx,
                                                   exact_out(&c, dw), exact_out(&c, dbias),
                                                   in(&c, dy), in(&c, x), in(&c, w)));
}

static judo_status rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                   const judo_tensor *w, float epsilon)
{
    call c = {0};
    return finish(&c, device->ops->rmsnorm_forward(out(&c, y), exact_out(&c, rstd), in(&c, x),
                                                   in(&c, w), epsilon));
}

static judo_status rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                    const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *rstd)
{
    call c = {0};
    return finish(&c, device->ops->rmsnorm_backward(out(&c, dx), exact_out(&c, dw), in(&c, dy),
                                                    in(&c, x), in(&c, w), exact_in(&c, rstd)));
}

static judo_status layernorm_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias, float epsilon)
{
    call c = {0};
    return finish(&c, device->ops->layernorm_forward(out(&c, y), in(&c, x), in(&c, w),
                                                     in(&c, bias), epsilon));
}

static judo_status split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                               const judo_tensor *qkv, const judo_tensor *cos,
                               const judo_tensor *sin, const int32_t *places)
{
    call c = {0};
    return finish(&c, device->ops->split_heads(out(&c, q), out(&c, k), out(&c, v), in(&c, qkv),
                                               exact_in(&c, cos), exact_in(&c, sin), places));
}

static judo_status join_heads(judo_tensor *dqkv, const judo_tensor *dq, const judo_tensor *dk,
                              const judo_tensor *dv, const judo_tensor *cos,
                              const judo_tensor *sin)
{
    call c = {0};
    return finish(&c, device->ops->join_heads(out(&c, dqkv), in(&c, dq), in(&c, dk), in(&c, dv),
                                              exact_in(&c, cos), exact_in(&c, sin)));
}

static judo_status attention_forward(judo_tensor *o, judo_tensor *lse, const judo_tensor *q,
                                     const judo_tensor *k, const judo_tensor *v,
                                     const judo_attention_span *spans, int num_spans,
                                     float scale)
{
    call c = {0};
    return finish(&c, device->ops->attention_forward(out(&c, o), exact_out(&c, lse), in(&c, q),
                                                     in(&c, k), in(&c, v), spans, num_spans,
                                                     scale));
}

static judo_status attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                      const judo_tensor *dout, const judo_tensor *q,
                                      const judo_tensor *k, const judo_tensor *v,
                                      const judo_tensor *o, const judo_tensor *lse,
                                      const judo_attention_span *spans, int num_spans,
                                      float scale)
{
    call c = {0};
    return finish(&c, device->ops->attention_backward(out(&c, dq), out(&c, dk), out(&c, dv),
                                                      in(&c, dout), in(&c, q), in(&c, k),
                                                      in(&c, v), in(&c, o), exact_in(&c, lse),
                                                      spans, num_spans, scale));
}

static void *send_run(call *c, const void *values, int64_t count)
{
    return send(c, values, JUDO_F32, in_bf16 ? JUDO_BF16 : JUDO_F32, count);
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
                send_run(&c, rows[i].prefix_keys, rows[i].prefix_length * stride);
            copies[i].prefix_values =
                send_run(&c, rows[i].prefix_values, rows[i].prefix_length * stride);
        }
        copies[i].own_keys = send_run(&c, rows[i].own_keys, rows[i].own_length * stride);
        copies[i].own_values = send_run(&c, rows[i].own_values, rows[i].own_length * stride);
    }
    note(&c, device->ops->attention_decode(out(&c, o), in(&c, q), copies, num_kv_heads, scale));
    note(&c, device->stream_finish(NULL));
    for (int64_t i = 0; i < count; i++) {
        if (i + 1 == count || copies[i + 1].prefix_keys != copies[i].prefix_keys) {
            device->release((void *)(uintptr_t)copies[i].prefix_keys);
            device->release((void *)(uintptr_t)copies[i].prefix_values);
        }
        device->release((void *)(uintptr_t)copies[i].own_keys);
        device->release((void *)(uintptr_t)copies[i].own_values);
    }
    free(copies);
    return finish(&c, JUDO_OK);
}

static judo_status swiglu_forward(judo_tensor *y, const judo_tensor *gate_up)
{
    call c = {0};
    return finish(&c, device->ops->swiglu_forward(out(&c, y), in(&c, gate_up)));
}

static judo_status swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                   const judo_tensor *gate_up)
{
    call c = {0};
    return finish(&c,
                  device->ops->swiglu_backward(out(&c, dgate_up), in(&c, dy), in(&c, gate_up)));
}

static judo_status gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, device->ops->gelu_forward(out(&c, y), in(&c, x)));
}

static judo_status gelu_backward(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, device->ops->gelu_backward(out(&c, dx), in(&c, dy), in(&c, x)));
}

static judo_status add(judo_tensor *y, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, device->ops->add(out(&c, y), in(&c, x)));
}

static judo_status convert(judo_tensor *y, const judo_tensor *x)
{
    call c = {0};
    return finish(&c, device->ops->convert(exact_out(&c, y), exact_in(&c, x)));
}

static judo_status gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                               int64_t count)
{
    call c = {0};
    return finish(&c, device->ops->gather_rows(out(&c, y), in(&c, x), index, count));
}

static judo_status scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                int64_t count)
{
    call c = {0};
    return finish(&c, device->ops->scatter_rows(out(&c, y), in(&c, x), index, count));
}

static judo_status scatter_add_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                    int64_t count)
{
    call c = {0};
    return finish(&c, device->ops->scatter_add_rows(exact_out(&c, y), in(&c, x), index, count));
}

static judo_status head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                             const judo_tensor *hidden, const judo_tensor *w,
                             const int32_t *targets, const judo_token_loss *spec,
                             const uint8_t *banned, int64_t chunk_rows)
{
    call c = {0};
    return finish(&c, device->ops->head_loss(result, out(&c, dhidden), exact_out(&c, dw),
                                             in(&c, hidden), in(&c, w), targets, spec, banned,
                                             chunk_rows));
}

/* A run of draws as a tensor of numbers that nothing rounds. */
static judo_tensor tensor_of_draws(const judo_draw *draws, int64_t count)
{
    return judo_tensor_2d((void *)(uintptr_t)draws, JUDO_I32, count, 2);
}

static judo_status sample(const judo_draw_memory *memory, judo_tensor *logits,
                          const judo_draw_row *rows, const judo_sampling *sampling,
                          float logprob_temperature)
{
    call c = {0};
    const int64_t vocabulary = logits->dims[1];
    judo_tensor draws = tensor_of_draws(memory->draws, memory->num_draws);
    judo_tensor seen = judo_tensor_2d(memory->seen, JUDO_U8, memory->num_seen, vocabulary);
    judo_tensor banned = judo_tensor_1d((void *)(uintptr_t)memory->banned, JUDO_U8, vocabulary);
    judo_draw_memory boxed = {
        .draws = exact_out(&c, &draws)->data,
        .num_draws = memory->num_draws,
        .seen = memory->seen ? exact_out(&c, &seen)->data : NULL,
        .num_seen = memory->num_seen,
        .banned = memory->banned ? exact_in(&c, &banned)->data : NULL,
    };
    return finish(&c, device->ops->sample(&boxed, exact_out(&c, logits), rows, sampling,
                                          logprob_temperature));
}

static judo_status gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                     const judo_draw *draws, int64_t num_draws,
                                     const int32_t *places, int64_t count)
{
    call c = {0};
    judo_tensor drawn = tensor_of_draws(draws, num_draws);
    return finish(&c, device->ops->gather_drawn_rows(out(&c, y), in(&c, x),
                                                     exact_in(&c, &drawn)->data, num_draws,
                                                     places, count));
}

/* An array's copy on the device begins as far behind an address that is good for whole vectors
 * as the array does. NULL for NULL. */
static void *array(call *c, judo_tensor *t, const void *data, judo_dtype dtype, int64_t n,
                   bool output)
{
    enum { VECTOR_BYTES = 16 };

    const int64_t behind = (int64_t)((uintptr_t)data % VECTOR_BYTES);
    if (!data) {
        return NULL;
    }
    *t = judo_tensor_1d((void *)(uintptr_t)data, dtype, n);
    box *b = &c->boxes[c->count++];
    *b = (box){.original = t, .copy = *t, .output = output};
    note(c, device->allocate(&b->memory, behind + n * judo_dtype_bytes(dtype)));
    b->copy.data = (char *)b->memory + behind;
    note(c, device->copy(b->copy.data, data, n * judo_dtype_bytes(dtype), NULL));
    return b->copy.data;
}

static judo_status adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                         int num_segments, const judo_adamw *options)
{
    call c = {0};
    judo_tensor t[6];
    const judo_adamw_arrays *x = arrays;
    const judo_adamw_arrays there = {
        .weights = array(&c, &t[0], x->weights, JUDO_F32, x->n, true),
        .bf16 = array(&c, &t[1], x->bf16, JUDO_BF16, x->n, true),
        .low = array(&c, &t[2], x->low, JUDO_BF16, x->n, true),
        .first_moment = array(&c, &t[3], x->first_moment, JUDO_F32, x->n, true),
        .second_moment = array(&c, &t[4], x->second_moment, JUDO_F32, x->n, true),
        .gradient = array(&c, &t[5], x->gradient, x->gradient_dtype, x->n, false),
        .gradient_dtype = x->gradient_dtype,
        .n = x->n};
    return finish(&c, device->ops->adamw(&there, segments, num_segments, options));
}

static judo_status sum_of_squares(double *sum, const judo_tensor *x)
{
    call c = {0};
    judo_tensor t;
    judo_tensor there = *x;
    there.data = array(&c, &t, x->data, x->dtype, judo_tensor_count(x), false);
    return finish(&c, device->ops->sum_of_squares(sum, &there));
}

static judo_status add_rounded(judo_tensor *y, const judo_tensor *x)
{
    call c = {0};
    judo_tensor t[2];
    judo_tensor sums = *y;
    judo_tensor values = *x;
    sums.data = array(&c, &t[0], y->data, y->dtype, judo_tensor_count(y), true);
    values.data = array(&c, &t[1], x->data, x->dtype, judo_tensor_count(x), false);
    return finish(&c, device->ops->add_rounded(&sums, &values));
}

static judo_status add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                       const judo_tensor *x, const judo_tensor *w,
                                       float epsilon)
{
    call c = {0};
    return finish(&c, device->ops->add_rmsnorm_forward(out(&c, y), exact_out(&c, rstd),
                                                       out(&c, sum), in(&c, x), in(&c, w),
                                                       epsilon));
}

static judo_status patchify(judo_tensor *y, const judo_tensor *pixels,
                            const judo_patch_square *squares, int64_t count,
                            const judo_patch_form *form)
{
    call c = {0};
    return finish(
        &c, device->ops->patchify(out(&c, y), exact_in(&c, pixels), squares, count, form));
}

const judo_ops *boxed_ops(const judo_device *on, bool bf16)
{
    static judo_ops table;
    device = on;
    in_bf16 = bf16;
    table.name = on->name;
    table.linear_forward = linear_forward;
    table.linear_packed_bytes = on->ops->linear_packed_bytes; /* test_packed.c, without boxes */
    table.linear_pack = on->ops->linear_pack;
    table.linear_backward = linear_backward;
    table.rmsnorm_forward = rmsnorm_forward;
    table.rmsnorm_backward = rmsnorm_backward;
    table.layernorm_forward = layernorm_forward;
    table.split_heads = split_heads;
    table.join_heads = join_heads;
    table.attention_forward = attention_forward;
    table.attention_backward = attention_backward;
    table.attention_decode = attention_decode;
    table.swiglu_forward = swiglu_forward;
    table.swiglu_backward = swiglu_backward;
    table.gelu_forward = gelu_forward;
    table.gelu_backward = gelu_backward;
    table.add = add;
    table.convert = convert;
    table.gather_rows = gather_rows;
    table.scatter_rows = scatter_rows;
    table.scatter_add_rows = scatter_add_rows;
    table.head_loss = head_loss;
    table.sample = sample;
    table.gather_drawn_rows = gather_drawn_rows;
    table.adamw = adamw;
    table.sum_of_squares = sum_of_squares;
    table.add_rounded = add_rounded;
    table.add_rmsnorm_forward = add_rmsnorm_forward;
    table.patchify = patchify;
    return &table;
}

const judo_ops *boxed_cuda_ops(bool bf16)
{
    static const judo_device *cuda;
    static bool absent;
    const judo_device_request request = {.choice = JUDO_DEVICE_CUDA,
                                         .module = getenv("JUDO_DEVICE_MODULE")};
    if (!cuda && !absent && judo_device_open(&request, &cuda, NULL) != JUDO_OK) {
        absent = true;
        (void)fprintf(stderr, "no CUDA here: %s\n", judo_error_message());
    }
    if (absent && request.module) {
        abort(); /* a module that was named must work */
    }
    return cuda ? boxed_ops(cuda, bf16) : NULL;
}
