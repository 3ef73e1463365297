/* tests/guard/guard_ops.c: the CPU's ops on the memory behind the device's addresses, once
 * their tensors turned out to have such addresses. */
#include "tests/guard/guard.h"

static judo_status fail_about(const char *op, int argument)
{
    (void)JUDO_FAIL(
        JUDO_ERROR_ARGUMENT,
        "guard: %s: tensor %d is not in the device's memory; a GPU could not read it", op,
        argument);
    guard_tell_program();
    return JUDO_ERROR_ARGUMENT;
}

static judo_status check_tensors(const char *op, const judo_tensor *const *tensors, int count)
{
    for (int i = 0; i < count; i++) {
        const judo_tensor *t = tensors[i];
        int64_t bytes = t ? judo_tensor_count(t) * judo_dtype_bytes(t->dtype) : 0;
        if (bytes > 0 && !guard_holds(t->data, bytes)) {
            return fail_about(op, i + 1);
        }
    }
    return JUDO_OK;
}

static judo_status check_runs(const char *op, const void *const *runs, int count, int64_t bytes)
{
    for (int i = 0; i < count; i++) {
        if (runs[i] && bytes > 0 && !guard_holds(runs[i], bytes)) {
            return fail_about(op, i + 1);
        }
    }
    return JUDO_OK;
}

static judo_status ended(judo_status status)
{
    if (status != JUDO_OK) {
        guard_tell_program();
    }
    return status;
}

static judo_tensor *alias_of(judo_tensor *room, const judo_tensor *t)
{
    if (!t) {
        return NULL;
    }
    *room = *t;
    room->data = guard_host(t->data);
    return room;
}

/* A tensor as the CPU may follow it. */
#define ALIAS(tensor) alias_of(&(judo_tensor){0}, tensor)

/* Calls the CPU's slot `name` with `arguments` after a look at the tensors that follow. */
#define GUARDED(name, arguments, ...)                                                          \
    do {                                                                                       \
        const judo_tensor *const tensors[] = {__VA_ARGS__};                                    \
        JUDO_TRY(check_tensors(#name, tensors, (int)(sizeof tensors / sizeof *tensors)));      \
        guard_run(NULL);                                                                       \
        return ended(judo_ops_cpu()->name arguments);                                          \
    } while (0)

static judo_status linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                  const judo_tensor *bias)
{
    GUARDED(linear_forward, (ALIAS(y), ALIAS(x), ALIAS(w), ALIAS(bias)), y, x, w, bias);
}

/* A GPU wants none. */
static int64_t linear_packed_bytes(const judo_tensor *w)
{
    (void)w;
    return 0;
}

static judo_status linear_pack(void *packed, const judo_tensor *w)
{
    (void)packed;
    GUARDED(linear_pack, (guard_host(packed), ALIAS(w)), w);
}

static judo_status linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                   judo_tensor *dbias, const judo_tensor *dy,
                                   const judo_tensor *x, const judo_tensor *w)
{
    GUARDED(linear_backward,
            (ALIAS(dx), accumulate_dx, ALIAS(dw), ALIAS(dbias), ALIAS(dy), ALIAS(x), ALIAS(w)),
            dx, dw, dbias, dy, x, w);
}

static judo_status rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                   const judo_tensor *w, float epsilon)
{
    GUARDED(rmsnorm_forward, (ALIAS(y), ALIAS(rstd), ALIAS(x), ALIAS(w), epsilon), y, rstd, x,
            w);
}

static judo_status rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                    const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *rstd)
{
    GUARDED(rmsnorm_backward,
            (ALIAS(dx), ALIAS(dw), ALIAS(dy), ALIAS(x), ALIAS(w), ALIAS(rstd)), dx, dw, dy, x,
            w, rstd);
}

static judo_status layernorm_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias, float epsilon)
{
    GUARDED(layernorm_forward, (ALIAS(y), ALIAS(x), ALIAS(w), ALIAS(bias), epsilon), y, x, w,
            bias);
}

static judo_status split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                               const judo_tensor *qkv, const judo_tensor *cos,
                               const judo_tensor *sin, const int32_t *places)
{
    GUARDED(split_heads,
            (ALIAS(q), ALIAS(k), ALIAS(v), ALIAS(qkv), ALIAS(cos), ALIAS(sin), places), q, k, v,
            qkv, cos, sin);
}

static judo_status join_heads(judo_tensor *dqkv, const judo_tensor *dq, const judo_tensor *dk,
                              const judo_tensor *dv, const judo_tensor *cos,
                              const judo_tensor *sin)
{
    GUARDED(join_heads, (ALIAS(dqkv), ALIAS(dq), ALIAS(dk), ALIAS(dv), ALIAS(cos), ALIAS(sin)),
            dqkv, dq, dk, dv, cos, sin);
}

static judo_status attention_forward(judo_tensor *out, judo_tensor *lse, const judo_tensor *q,
                                     const judo_tensor *k, const judo_tensor *v,
                                     const judo_attention_span *spans, int num_spans,
                                     float scale)
{
    GUARDED(attention_forward,
            (ALIAS(out), ALIAS(lse), ALIAS(q), ALIAS(k), ALIAS(v), spans, num_spans, scale),
            out, lse, q, k, v);
}

static judo_status attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                      const judo_tensor *dout, const judo_tensor *q,
                                      const judo_tensor *k, const judo_tensor *v,
                                      const judo_tensor *out, const judo_tensor *lse,
                                      const judo_attention_span *spans, int num_spans,
                                      float scale)
{
    GUARDED(attention_backward,
            (ALIAS(dq), ALIAS(dk), ALIAS(dv), ALIAS(dout), ALIAS(q), ALIAS(k), ALIAS(v),
             ALIAS(out), ALIAS(lse), spans, num_spans, scale),
            dq, dk, dv, dout, q, k, v, out, lse);
}

static judo_status attention_decode(judo_tensor *out, const judo_tensor *q,
                                    const judo_decode_row *rows, int num_kv_heads, float scale)
{
    enum { MOST_ROWS = 1024 };

    static _Thread_local judo_decode_row aliases[MOST_ROWS];
    const int64_t token = num_kv_heads * q->dims[2] * judo_dtype_bytes(q->dtype);
    if (q->dims[0] > MOST_ROWS) {
        (void)JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "guard: attention_decode: more than %d rows",
                        MOST_ROWS);
        return ended(JUDO_ERROR_UNSUPPORTED);
    }
    for (int64_t i = 0; i < q->dims[0]; i++) {
        const judo_decode_row *row = &rows[i];
        const void *const prefix[] = {row->prefix_keys, row->prefix_values};
        const void *const own[] = {row->own_keys, row->own_values};
        JUDO_TRY(check_runs("attention_decode", prefix, 2, row->prefix_length * token));
        JUDO_TRY(check_runs("attention_decode", own, 2, row->own_length * token));
        aliases[i] = *row;
        aliases[i].prefix_keys = guard_host(row->prefix_keys);
        aliases[i].prefix_values = guard_host(row->prefix_values);
        aliases[i].own_keys = guard_host(row->own_keys);
        aliases[i].own_values = guard_host(row->own_values);
    }
    GUARDED(attention_decode, (ALIAS(out), ALIAS(q), aliases, num_kv_heads, scale), out, q);
}

static judo_status swiglu_forward(judo_tensor *y, const judo_tensor *gate_up)
{
    GUARDED(swiglu_forward, (ALIAS(y), ALIAS(gate_up)), y, gate_up);
}

static judo_status swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                   const judo_tensor *gate_up)
{
    GUARDED(swiglu_backward, (ALIAS(dgate_up), ALIAS(dy), ALIAS(gate_up)), dgate_up, dy,
            gate_up);
}

static judo_status gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    GUARDED(gelu_forward, (ALIAS(y), ALIAS(x)), y, x);
}

static judo_status gelu_backward(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    GUARDED(gelu_backward, (ALIAS(dx), ALIAS(dy), ALIAS(x)), dx, dy, x);
}

static judo_status add(judo_tensor *y, const judo_tensor *x)
{
    GUARDED(add, (ALIAS(y), ALIAS(x)), y, x);
}

static judo_status convert(judo_tensor *y, const judo_tensor *x)
{
    GUARDED(convert, (ALIAS(y), ALIAS(x)), y, x);
}

static judo_status gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                               int64_t count)
{
    GUARDED(gather_rows, (ALIAS(y), ALIAS(x), index, count), y, x);
}

static judo_status scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                int64_t count)
{
    GUARDED(scatter_rows, (ALIAS(y), ALIAS(x), index, count), y, x);
}

static judo_status scatter_add_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                    int64_t count)
{
    GUARDED(scatter_add_rows, (ALIAS(y), ALIAS(x), index, count), y, x);
}

static judo_status head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                             const judo_tensor *hidden, const judo_tensor *w,
                             const int32_t *targets, const judo_token_loss *spec,
                             const uint8_t *banned, int64_t chunk_rows)
{
    GUARDED(head_loss,
            (result, ALIAS(dhidden), ALIAS(dw), ALIAS(hidden), ALIAS(w), targets, spec, banned,
             chunk_rows),
            dhidden, dw, hidden, w);
}

static judo_status sample(const judo_draw_memory *memory, judo_tensor *logits,
                          const judo_draw_row *rows, const judo_sampling *sampling,
                          float logprob_temperature)
{
    const int64_t vocabulary = logits->dims[1];
    const void *const draws[] = {memory->draws};
    const void *const seen[] = {memory->seen};
    const void *const banned[] = {memory->banned};
    judo_draw_memory alias = *memory;
    alias.draws = guard_host(memory->draws);
    alias.seen = guard_host(memory->seen);
    alias.banned = guard_host(memory->banned);
    JUDO_TRY(check_runs("sample", draws, 1, memory->num_draws * (int64_t)sizeof(judo_draw)));
    JUDO_TRY(check_runs("sample", seen, 1, memory->num_seen * vocabulary));
    JUDO_TRY(check_runs("sample", banned, 1, vocabulary));
    GUARDED(sample, (&alias, ALIAS(logits), rows, sampling, logprob_temperature), logits);
}

static judo_status gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                     const judo_draw *draws, int64_t num_draws,
                                     const int32_t *places, int64_t count)
{
    const void *const runs[] = {draws};
    JUDO_TRY(check_runs("gather_drawn_rows", runs, 1, num_draws * (int64_t)sizeof *draws));
    GUARDED(gather_drawn_rows,
            (ALIAS(y), ALIAS(x), guard_host(draws), num_draws, places, count), y, x);
}

static judo_status adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                         int num_segments, const judo_adamw *options)
{
    const judo_adamw_arrays *x = arrays;
    const void *const singles[] = {x->weights, x->first_moment, x->second_moment};
    const void *const halves[] = {x->bf16, x->low};
    JUDO_TRY(check_runs("adamw", singles, 3, x->n * (int64_t)sizeof(float)));
    JUDO_TRY(check_runs("adamw", halves, 2, x->n * (int64_t)sizeof(uint16_t)));
    JUDO_TRY(check_runs("adamw", &x->gradient, 1, x->n * judo_dtype_bytes(x->gradient_dtype)));
    const judo_adamw_arrays alias = {.weights = guard_host(x->weights),
                                     .bf16 = guard_host(x->bf16),
                                     .low = guard_host(x->low),
                                     .first_moment = guard_host(x->first_moment),
                                     .second_moment = guard_host(x->second_moment),
                                     .gradient = guard_host(x->gradient),
                                     .gradient_dtype = x->gradient_dtype,
                                     .n = x->n};
    GUARDED(adamw, (&alias, segments, num_segments, options), NULL);
}

static judo_status sum_of_squares(double *sum, const judo_tensor *x)
{
    GUARDED(sum_of_squares, (sum, ALIAS(x)), x);
}

static judo_status add_rounded(judo_tensor *y, const judo_tensor *x)
{
    GUARDED(add_rounded, (ALIAS(y), ALIAS(x)), y, x);
}

static judo_status add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                       const judo_tensor *x, const judo_tensor *w,
                                       float epsilon)
{
    GUARDED(add_rmsnorm_forward,
            (ALIAS(y), ALIAS(rstd), ALIAS(sum), ALIAS(x), ALIAS(w), epsilon), y, rstd, sum, x,
            w);
}

static judo_status patchify(judo_tensor *y, const judo_tensor *pixels,
                            const judo_patch_square *squares, int64_t count,
                            const judo_patch_form *form)
{
    GUARDED(patchify, (ALIAS(y), ALIAS(pixels), squares, count, form), y, pixels);
}

const judo_ops *guard_ops(void)
{
    static const judo_ops table = {
        .name = "cuda",
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
        .gather_rows = gather_rows,
        .scatter_rows = scatter_rows,
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
    return &table;
}
