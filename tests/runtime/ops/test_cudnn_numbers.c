/* tests/runtime/ops/test_cudnn_numbers.c: what the graphs that judo gives to cuDNN compute,
 * done operation by operation on the host (cudnn_interpreter.h), is attention as the CPU has
 * it. */
#include "tests/runtime/ops/support.h"

#include "runtime/ops/cuda/attention_choice.h"
#include "tests/runtime/ops/cudnn_interpreter.h"

void interpreter_queue(void *stream, void (*work)(void *state), void *state)
{
    (void)stream;
    work(state);
}

enum { MOST_SPANS = 4, LISTS = 64, WORKSPACE = 1 << 16 };

typedef struct attention_case {
    judo_cudnn_shape shape;
    int num_spans;
    int32_t lengths[MOST_SPANS];
} attention_case;

static const attention_case cases[] = {
    {{2, 12, 4, 4, 8, false, false, false}, 2, {12, 12}},
    {{2, 12, 6, 2, 8, false, false, false}, 2, {12, 12}},
    {{1, 20, 6, 2, 8, false, true, false}, 1, {20}},
    {{3, 9, 2, 2, 16, false, true, false}, 3, {9, 9, 9}},
    {{4, 16, 6, 2, 8, false, true, true}, 3, {10, 1, 13}},
    {{4, 16, 6, 2, 8, false, false, true}, 4, {5, 16, 2, 7}},
};

/* bf16 numbers, with memory of exactly their size. */
static uint16_t *narrow(const judo_tensor *t)
{
    uint16_t *to = malloc((size_t)judo_tensor_count(t) * sizeof *to);
    assert_non_null(to);
    for (int64_t i = 0; i < judo_tensor_count(t); i++) {
        to[i] = judo_f32_to_bf16(values_of(t)[i]);
    }
    return to;
}

static judo_tensor random_tensor(int64_t tokens, int heads, int dim, uint32_t salt)
{
    judo_tensor t = new_3d(tokens, heads, dim);
    fill(&t, salt, 2.0f);
    for (int64_t i = 0; i < judo_tensor_count(&t); i++) {
        values_of(&t)[i] = judo_bf16_to_f32(judo_f32_to_bf16(values_of(&t)[i]));
    }
    return t;
}

typedef struct data {
    judo_attention_span spans[MOST_SPANS];
    judo_tensor q, k, v, dout, out, lse, dq, dk, dv; /* by the CPU, fp32 */
    float scale;
} data;

static data by_cpu(const attention_case *c)
{
    const judo_cudnn_shape *shape = &c->shape;
    data d = {.scale = 0.3f};
    int32_t tokens = 0;
    for (int i = 0; i < c->num_spans; i++) {
        d.spans[i] = (judo_attention_span){tokens, tokens + c->lengths[i], 0, 0, shape->causal};
        tokens += c->lengths[i];
    }
    d.q = random_tensor(tokens, shape->query_heads, shape->dim, 1);
    d.k = random_tensor(tokens, shape->key_heads, shape->dim, 2);
    d.v = random_tensor(tokens, shape->key_heads, shape->dim, 3);
    d.dout = random_tensor(tokens, shape->query_heads, shape->dim, 4);
    d.out = new_3d(tokens, shape->query_heads, shape->dim);
    d.dq = new_3d(tokens, shape->query_heads, shape->dim);
    d.dk = new_3d(tokens, shape->key_heads, shape->dim);
    d.dv = new_3d(tokens, shape->key_heads, shape->dim);
    d.lse = new_2d(tokens, shape->query_heads);
    assert_ok(judo_ops_cpu()->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, d.spans,
                                                c->num_spans, d.scale));
    assert_ok(judo_ops_cpu()->attention_backward(&d.dq, &d.dk, &d.dv, &d.dout, &d.q, &d.k, &d.v,
                                                 &d.out, &d.lse, d.spans, c->num_spans,
                                                 d.scale));
    return d;
}

static void free_data(data *d)
{
    FREE(&d->q, &d->k, &d->v, &d->dout, &d->out, &d->lse, &d->dq, &d->dk, &d->dv);
}

/* The call by cuDNN's graph; backward reads the CPU's out and lse. */
static void run_graph(const attention_case *c, const data *d, judo_cudnn_call *call,
                      bool backward)
{
    char reason[JUDO_CUDNN_REASON] = "";
    int32_t memory[LISTS];
    judo_cudnn_shape shape = c->shape;
    shape.backward = backward;
    judo_cudnn_plan *plan = judo_cudnn_plan_create(&shape, WORKSPACE, "a device", reason);
    assert_non_null(plan);
    assert_true(judo_attention_lists_count(&shape) <= LISTS);
    judo_attention_lists_fill(memory, &shape, d->spans, c->num_spans);
    judo_attention_lists lists = judo_attention_lists_in(memory, &shape);
    call->lengths = lists.lengths;
    call->query_offsets = lists.query_offsets;
    call->key_offsets = lists.key_offsets;
    call->lse_offsets = lists.lse_offsets;
    call->scale = d->scale;
    call->workspace = malloc((size_t)judo_cudnn_plan_bytes(plan));
    if (!judo_cudnn_plan_run(plan, call, NULL, reason)) {
        fail_msg("%s", reason);
    }
    free(call->workspace);
    judo_cudnn_plan_destroy(plan);
}

/* Weights, and what is stored, are rounded to 8 bits: of the largest numbers, not of each. */
static void assert_close(const uint16_t *got, const judo_tensor *wanted, const char *what)
{
    double largest = 0.0;
    for (int64_t i = 0; i < judo_tensor_count(wanted); i++) {
        largest = fmax(largest, fabs((double)values_of(wanted)[i]));
    }
    assert_true(largest > 0.1);
    for (int64_t i = 0; i < judo_tensor_count(wanted); i++) {
        assert_near((double)judo_bf16_to_f32(got[i]) / largest,
                    (double)values_of(wanted)[i] / largest, 1e-2, what, i);
    }
}

static void check_forward(const attention_case *c)
{
    data d = by_cpu(c);
    uint16_t *inputs[] = {narrow(&d.q), narrow(&d.k), narrow(&d.v)};
    uint16_t *out = malloc((size_t)judo_tensor_count(&d.out) * sizeof *out);
    float *lse = malloc((size_t)judo_tensor_count(&d.lse) * sizeof *lse);
    judo_cudnn_call call = {
        .q = inputs[0], .k = inputs[1], .v = inputs[2], .out = out, .lse = lse};
    run_graph(c, &d, &call, false);
    assert_close(out, &d.out, "out");
    for (int64_t i = 0; i < judo_tensor_count(&d.lse); i++) {
        assert_near((double)lse[i], (double)values_of(&d.lse)[i], 1e-5, "lse", i);
    }
    for (int i = 0; i < 3; i++) {
        free(inputs[i]);
    }
    free(out);
    free(lse);
    free_data(&d);
}

static void check_backward(const attention_case *c)
{
    data d = by_cpu(c);
    uint16_t *inputs[] = {narrow(&d.q), narrow(&d.k), narrow(&d.v), narrow(&d.dout),
                          narrow(&d.out)};
    const judo_tensor *wanted[] = {&d.dq, &d.dk, &d.dv};
    uint16_t *got[3];
    for (int i = 0; i < 3; i++) {
        got[i] = malloc((size_t)judo_tensor_count(wanted[i]) * sizeof *got[i]);
    }
    judo_cudnn_call call = {.q = inputs[0],
                            .k = inputs[1],
                            .v = inputs[2],
                            .dout = inputs[3],
                            .out = inputs[4],
                            .lse = d.lse.data,
                            .dq = got[0],
                            .dk = got[1],
                            .dv = got[2]};
    run_graph(c, &d, &call, true);
    assert_close(got[0], &d.dq, "dq");
    assert_close(got[1], &d.dk, "dk");
    assert_close(got[2], &d.dv, "dv");
    for (int i = 0; i < 5; i++) {
        free(inputs[i]);
    }
    for (int i = 0; i < 3; i++) {
        free(got[i]);
    }
    free_data(&d);
}

static void test_graph__of_forward_is_attention(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_forward(&cases[i]);
    }
}

static void test_graph__of_backward_is_its_gradient(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_backward(&cases[i]);
    }
}

static void test_plan__that_needs_more_workspace_than_there_is_is_declined(void **state)
{
    (void)state;
    char reason[JUDO_CUDNN_REASON] = "";
    assert_null(judo_cudnn_plan_create(&cases[0].shape, 511, "a device", reason));
    assert_non_null(strstr(reason, "so small a workspace"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph__of_forward_is_attention),
        cmocka_unit_test(test_graph__of_backward_is_its_gradient),
        cmocka_unit_test(test_plan__that_needs_more_workspace_than_there_is_is_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
