/* runtime/ops/attention_arguments.c: checks of what the attention slots are called with. */
#include "runtime/ops/arguments.h"

#include <inttypes.h>

static judo_status check_span(const char *op, int64_t tokens, const judo_attention_span *span,
                              int number)
{
    bool inside = 0 <= span->begin && span->begin <= span->end && span->end <= tokens;
    bool no_prefix = span->prefix_begin == span->prefix_end;
    bool prefix_inside = 0 <= span->prefix_begin && span->prefix_begin <= span->prefix_end &&
                         span->prefix_end <= tokens;
    bool apart = span->prefix_end <= span->begin || span->prefix_begin >= span->end;
    if (!inside || !(no_prefix || (prefix_inside && apart))) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "%s: span %d is [%" PRId32 ",%" PRId32 ") with prefix [%" PRId32 ",%" PRId32
            ") over %" PRId64 " tokens; both must lie inside and apart from each other",
            op, number, span->begin, span->end, span->prefix_begin, span->prefix_end, tokens);
    }
    return JUDO_OK;
}

/* The span, not empty, that begins at token `t`, looked for from span `from` round to itself;
 * -1 if there is none. */
static int span_at(const judo_attention_span *spans, int num_spans, int from, int64_t t)
{
    for (int i = 0; i < num_spans; i++) {
        int number = (from + i) % num_spans;
        if (spans[number].begin == t && spans[number].end > t) {
            return number;
        }
    }
    return -1;
}

/* Each span follows another, and none is left over: every token lies in one span. */
static judo_status check_spans(const char *op, int64_t tokens, const judo_attention_span *spans,
                               int num_spans)
{
    int present = 0;
    for (int i = 0; i < num_spans; i++) {
        JUDO_TRY(check_span(op, tokens, &spans[i], i));
        present += spans[i].begin < spans[i].end;
    }
    int found = 0;
    for (int64_t t = 0; t < tokens; found++) {
        int number = span_at(spans, num_spans, found, t);
        if (number < 0) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: no span begins at token %" PRId64
                             "; spans must hold every token once",
                             op, t);
        }
        t = spans[number].end;
    }
    if (found != present) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: %d spans hold all of %" PRId64
                         " tokens, but there are %d; spans must hold every token once",
                         op, found, tokens, present);
    }
    return JUDO_OK;
}

judo_status judo_attention_check(judo_attention_shape *shape, const char *op,
                                 const judo_tensor *q, const judo_tensor *k,
                                 const judo_tensor *v, const judo_attention_span *spans,
                                 int num_spans)
{
    JUDO_TRY(judo_expect_dims(op, "q", q, 3));
    JUDO_TRY(judo_expect_dims(op, "k", k, 3));
    JUDO_TRY(judo_expect_3d(op, "k", k, q->dtype, q->dims[0], k->dims[1], q->dims[2]));
    JUDO_TRY(judo_expect_like(op, "v", v, k));
    int64_t query_heads = q->dims[1];
    int64_t key_heads = k->dims[1];
    if (key_heads < 1 || query_heads < 1 || query_heads % key_heads != 0 ||
        query_heads / key_heads > JUDO_ATTENTION_GROUP || q->dims[2] < 1 || q->dims[2] > 4096 ||
        query_heads > 4096 || q->dims[0] > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: %" PRId64 " tokens, %" PRId64 " query heads and %" PRId64
                         " key heads of %" PRId64
                         " dimensions; query heads must be a multiple (up to %d) of key heads",
                         op, q->dims[0], query_heads, key_heads, q->dims[2],
                         (int)JUDO_ATTENTION_GROUP);
    }
    JUDO_TRY(check_spans(op, q->dims[0], spans, num_spans));
    shape->tokens = q->dims[0];
    shape->query_heads = (int)query_heads;
    shape->key_heads = (int)key_heads;
    shape->group = (int)(query_heads / key_heads);
    shape->dim = (int)q->dims[2];
    return JUDO_OK;
}

judo_status judo_attention_check_outputs(const judo_attention_shape *shape,
                                         const judo_tensor *out, const judo_tensor *lse,
                                         const judo_tensor *q)
{
    JUDO_TRY(judo_expect_like("attention_forward", "out", out, q));
    return judo_expect_2d("attention_forward", "lse", lse, JUDO_F32, shape->tokens,
                          shape->query_heads);
}

judo_status judo_attention_check_gradients(const judo_attention_shape *shape,
                                           const judo_tensor *dq, const judo_tensor *dk,
                                           const judo_tensor *dv, const judo_tensor *dout,
                                           const judo_tensor *q, const judo_tensor *k,
                                           const judo_tensor *out, const judo_tensor *lse)
{
    const char *op = "attention_backward";
    JUDO_TRY(judo_expect_like(op, "dq", dq, q));
    JUDO_TRY(judo_expect_like(op, "dk", dk, k));
    JUDO_TRY(judo_expect_like(op, "dv", dv, k));
    JUDO_TRY(judo_expect_like(op, "dout", dout, q));
    JUDO_TRY(judo_expect_like(op, "out", out, q));
    return judo_expect_2d(op, "lse", lse, JUDO_F32, shape->tokens, shape->query_heads);
}

judo_status judo_attention_check_rows(const judo_tensor *out, const judo_tensor *q,
                                      const judo_decode_row *rows, int num_kv_heads)
{
    const char *op = "attention_decode";
    JUDO_TRY(judo_expect_dims(op, "q", q, 3));
    JUDO_TRY(judo_expect_like(op, "out", out, q));
    if (num_kv_heads < 1 || q->dims[1] < 1 || q->dims[1] % num_kv_heads != 0 ||
        q->dims[1] / num_kv_heads > JUDO_ATTENTION_GROUP || q->dims[2] < 1 ||
        q->dims[2] > 4096 || q->dims[1] > 4096) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: %" PRId64 " query heads of %" PRId64
                         " dimensions for %d key heads; query heads must be a multiple (up to "
                         "%d) of key heads",
                         op, q->dims[1], q->dims[2], num_kv_heads, (int)JUDO_ATTENTION_GROUP);
    }
    for (int64_t i = 0; i < q->dims[0]; i++) {
        bool prefix =
            rows[i].prefix_length == 0 ||
            (rows[i].prefix_length > 0 && rows[i].prefix_keys && rows[i].prefix_values);
        bool own = rows[i].own_length == 0 ||
                   (rows[i].own_length > 0 && rows[i].own_keys && rows[i].own_values);
        if (!prefix || !own) {
            return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                             "%s: row %" PRId64 " has a prefix of %" PRId32 " and %" PRId32
                             " own keys, or no memory for them",
                             op, i, rows[i].prefix_length, rows[i].own_length);
        }
    }
    return JUDO_OK;
}

/* q and k as they are, v like k, the rows of all three side by side, angles. */
static judo_status check_heads(judo_heads_shape *shape, const char *op, const judo_tensor *q,
                               const judo_tensor *k, const judo_tensor *v,
                               const judo_tensor *rows, const judo_tensor *cos,
                               const judo_tensor *sin)
{
    JUDO_TRY(judo_expect_dims(op, "q", q, 3));
    JUDO_TRY(judo_expect_dims(op, "k", k, 3));
    judo_heads_shape s = {.tokens = q->dims[0],
                          .query_heads = q->dims[1],
                          .key_heads = k->dims[1],
                          .dim = q->dims[2],
                          .dtype = q->dtype};
    if (s.dim % 2 != 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: the head dimension %" PRId64 " is odd", op,
                         s.dim);
    }
    JUDO_TRY(judo_expect_3d(op, "k", k, s.dtype, k->dims[0], s.key_heads, s.dim));
    JUDO_TRY(judo_expect_like(op, "v", v, k));
    JUDO_TRY(judo_expect_2d(op, "qkv", rows, s.dtype, s.tokens,
                            (s.query_heads + 2 * s.key_heads) * s.dim));
    JUDO_TRY(judo_expect_2d(op, "cos", cos, JUDO_F32, s.tokens, s.dim / 2));
    JUDO_TRY(judo_expect_2d(op, "sin", sin, JUDO_F32, s.tokens, s.dim / 2));
    *shape = s;
    return JUDO_OK;
}

judo_status judo_heads_check_split(judo_heads_shape *shape, const judo_tensor *q,
                                   const judo_tensor *k, const judo_tensor *v,
                                   const judo_tensor *qkv, const judo_tensor *cos,
                                   const judo_tensor *sin, const int32_t *places)
{
    const char *op = "split_heads";
    JUDO_TRY(check_heads(shape, op, q, k, v, qkv, cos, sin));
    if (!places && k->dims[0] != shape->tokens) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "%s: %" PRId64 " rows of k and v for %" PRId64
                         " tokens, and no places among them",
                         op, k->dims[0], shape->tokens);
    }
    for (int64_t t = 0; places && t < shape->tokens; t++) {
        if (places[t] < 0 || places[t] >= k->dims[0]) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: places[%" PRId64 "] = %" PRId32 " is outside of %" PRId64
                             " rows",
                             op, t, places[t], k->dims[0]);
        }
    }
    return JUDO_OK;
}

judo_status judo_heads_check_join(judo_heads_shape *shape, const judo_tensor *dqkv,
                                  const judo_tensor *dq, const judo_tensor *dk,
                                  const judo_tensor *dv, const judo_tensor *cos,
                                  const judo_tensor *sin)
{
    JUDO_TRY(check_heads(shape, "join_heads", dq, dk, dv, dqkv, cos, sin));
    return judo_expect_3d("join_heads", "k", dk, shape->dtype, shape->tokens, shape->key_heads,
                          shape->dim);
}
