/* tests/emulator/test_cudnn_attention.cpp: attention calls on the emulated GPU on their way to
 * cuDNN, which is interpreted: lessons, what follows them, and what is left to our kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

extern "C" {
#include <cmocka.h>

#include "runtime/ops/cuda/attention_choice.h"
#include "runtime/random.h"

void interpreter_queue(void *stream, void (*work)(void *state), void *state);
/* As cudnn_interpreter.h has them, which C++ beside the emulated CUDA cannot include. */
extern int interpreter_manner, interpreter_runs;
}

#include "runtime/ops/cuda/cuda.h"
#include "tests/emulator/memory.h"
#include "tests/emulator/stream.h"

enum { RIGHT, WRONG, CHANGING, REFUSING };

void interpreter_queue(void *stream, void (*work)(void *state), void *state)
{
    emulator_enqueue((cudaStream_t)stream, [work, state]() {
        emulator_memory_open();
        work(state);
    });
}

static void check(judo_status status)
{
    if (status != JUDO_OK) {
        fail_msg("%s", judo_error_message());
    }
}

static int start(void **state)
{
    (void)state;
    char words[256];
    (void)setenv("JUDO_CUDNN_ATTENTION", "auto", 1);
    return judo_cuda_start(0, words, sizeof words) != JUDO_OK ||
           judo_cuda_attention_open(words, sizeof words) != JUDO_OK ||
           strstr(words, "cuDNN 91900 for attention") == NULL;
}

/* --- tensors on the device --- */

typedef std::vector<char> bytes;

static judo_tensor take(judo_dtype dtype, int64_t tokens, int heads, int dim)
{
    judo_tensor t = {};
    t.dtype = dtype;
    t.num_dims = dim ? 3 : 2;
    t.dims[0] = tokens;
    t.dims[1] = heads;
    t.dims[2] = dim;
    void *memory = NULL;
    size_t size = (size_t)(judo_tensor_count(&t) * judo_dtype_bytes(dtype));
    assert_int_equal(cudaMalloc(&memory, size), cudaSuccess);
    t.data = memory;
    return t;
}

static judo_tensor random_tensor(int64_t tokens, int heads, int dim, uint32_t salt, float scale)
{
    judo_tensor t = take(JUDO_BF16, tokens, heads, dim);
    std::vector<uint16_t> values((size_t)judo_tensor_count(&t));
    for (size_t i = 0; i < values.size(); i++) {
        float u = judo_random_uniform(7, JUDO_STREAM_TEST, i, salt, 0);
        values[i] = judo_f32_to_bf16((2.0f * u - 1.0f) * scale);
    }
    assert_int_equal(cudaMemcpyAsync(t.data, values.data(), values.size() * 2,
                                     cudaMemcpyHostToDevice, judo_cuda.stream),
                     cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(judo_cuda.stream), cudaSuccess);
    return t;
}

static bytes fetch(const judo_tensor *t)
{
    bytes values((size_t)(judo_tensor_count(t) * judo_dtype_bytes(t->dtype)));
    check(judo_cuda_fetch(values.data(), t->data, (int64_t)values.size()));
    return values;
}

/* --- calls --- */

typedef struct problem {
    int query_heads, key_heads, dim;
    std::vector<judo_attention_span> spans;
    judo_tensor q, k, v, dout, out, lse, dq, dk, dv;
} problem;

static problem pose(int dim, const std::vector<int32_t> &lengths, bool causal,
                    float dout_scale = 1.0f)
{
    problem p = {};
    p.query_heads = 2;
    p.key_heads = 1;
    p.dim = dim;
    int32_t tokens = 0;
    for (int32_t length : lengths) {
        p.spans.push_back({tokens, tokens + length, 0, 0, causal});
        tokens += length;
    }
    p.q = random_tensor(tokens, 2, dim, 1, 2.0f);
    p.k = random_tensor(tokens, 1, dim, 2, 1.0f);
    p.v = random_tensor(tokens, 1, dim, 3, 1.0f);
    p.dout = random_tensor(tokens, 2, dim, 4, dout_scale);
    p.out = take(JUDO_BF16, tokens, 2, dim);
    p.lse = take(JUDO_F32, tokens, 2, 0);
    p.dq = take(JUDO_BF16, tokens, 2, dim);
    p.dk = take(JUDO_BF16, tokens, 1, dim);
    p.dv = take(JUDO_BF16, tokens, 1, dim);
    return p;
}

static void release(problem *p)
{
    for (judo_tensor *t :
         {&p->q, &p->k, &p->v, &p->dout, &p->out, &p->lse, &p->dq, &p->dk, &p->dv}) {
        assert_int_equal(cudaFree(t->data), cudaSuccess);
    }
}

static std::vector<bytes> forward(problem *p)
{
    check(judo_cuda_attention_forward(&p->out, &p->lse, &p->q, &p->k, &p->v, p->spans.data(),
                                      (int)p->spans.size(), 0.2f));
    return {fetch(&p->out), fetch(&p->lse)};
}

static std::vector<bytes> backward(problem *p)
{
    check(judo_cuda_attention_backward(&p->dq, &p->dk, &p->dv, &p->dout, &p->q, &p->k, &p->v,
                                       &p->out, &p->lse, p->spans.data(), (int)p->spans.size(),
                                       0.2f));
    return {fetch(&p->dq), fetch(&p->dk), fetch(&p->dv)};
}

static judo_attention_choice *choice_of(const problem *p, bool of_backward)
{
    judo_attention_shape shape = {};
    judo_cudnn_shape found;
    shape.tokens = p->q.dims[0];
    shape.query_heads = p->query_heads;
    shape.key_heads = p->key_heads;
    shape.group = 2;
    shape.dim = p->dim;
    assert_true(judo_attention_suits_cudnn(&found, &shape, JUDO_BF16, p->spans.data(),
                                           (int)p->spans.size(), of_backward));
    return judo_attention_choice_of(&found);
}

/* The first call learns with two runs, the second is one, and both have the same bits. */
static void assert_taken(problem *p)
{
    for (int of_backward = 0; of_backward < 2; of_backward++) {
        std::vector<bytes> (*call)(problem *) = of_backward ? backward : forward;
        int before = interpreter_runs;
        std::vector<bytes> first = call(p);
        judo_attention_choice *choice = choice_of(p, of_backward);
        if (choice->state != JUDO_ATTENTION_CUDNN) {
            fail_msg("%s: %s", of_backward ? "backward" : "forward", choice->reason);
        }
        assert_int_equal(interpreter_runs, before + 2);
        std::vector<bytes> second = call(p);
        assert_int_equal(interpreter_runs, before + 3);
        assert_true(first == second);
    }
    release(p);
}

static void test_attention__goes_to_cudnn_once_it_was_learnt(void **state)
{
    (void)state;
    problem causal = pose(64, {128}, true);
    problem whole = pose(64, {128, 128}, false);
    assert_taken(&causal);
    assert_taken(&whole);
}

static void test_attention__of_packed_runs_goes_to_cudnn(void **state)
{
    (void)state;
    problem causal = pose(72, {70, 3, 41}, true);
    problem whole = pose(72, {31, 90}, false);
    assert_taken(&causal);
    assert_taken(&whole);
}

/* Other lengths of the same shape need no other lesson. */
static void test_attention__learns_a_shape_once(void **state)
{
    (void)state;
    problem first = pose(80, {100, 20}, true);
    problem second = pose(80, {30, 127}, true);
    (void)forward(&first);
    int before = interpreter_runs;
    std::vector<bytes> theirs = forward(&second);
    assert_int_equal(interpreter_runs, before + 1);
    judo_attention_choice *choice = choice_of(&second, false);
    choice->state = JUDO_ATTENTION_OURS;
    std::vector<bytes> ours = forward(&second);
    assert_int_equal(interpreter_runs, before + 1);
    for (size_t i = 0; i < ours[0].size(); i += 2) {
        uint16_t bits[2];
        memcpy(&bits[0], &ours[0][i], 2);
        memcpy(&bits[1], &theirs[0][i], 2);
        float difference = judo_bf16_to_f32(bits[0]) - judo_bf16_to_f32(bits[1]);
        assert_true(difference < 0.02f && difference > -0.02f);
    }
    choice->state = JUDO_ATTENTION_CUDNN; /* as its plan says */
    release(&first);
    release(&second);
}

/* Each with a dimension, and so a shape, of its own. */
static void assert_ours(int dim, int manner, const char *reason)
{
    problem p = pose(dim, {128}, true);
    interpreter_manner = manner;
    std::vector<bytes> first = forward(&p);
    judo_attention_choice *choice = choice_of(&p, false);
    assert_int_equal(choice->state, JUDO_ATTENTION_OURS);
    assert_non_null(strstr(choice->reason, reason));
    int before = interpreter_runs;
    interpreter_manner = RIGHT;
    assert_true(first == forward(&p));
    assert_int_equal(interpreter_runs, before);
    release(&p);
}

static void test_attention__stays_ours_where_cudnn_is_wrong_or_changes_or_refuses(void **state)
{
    (void)state;
    assert_ours(88, WRONG, "not ours");
    assert_ours(96, CHANGING, "different bits");
    assert_ours(104, REFUSING, "cudnnBackendExecute");
}

static void test_attention__comes_back_where_cudnn_fails_later(void **state)
{
    (void)state;
    problem p = pose(112, {128}, true);
    (void)forward(&p);
    judo_attention_choice *choice = choice_of(&p, false);
    assert_int_equal(choice->state, JUDO_ATTENTION_CUDNN);
    interpreter_manner = REFUSING;
    (void)forward(&p);
    interpreter_manner = RIGHT;
    assert_int_equal(choice->state, JUDO_ATTENTION_OURS);
    assert_null(choice->plan);
    release(&p);
}

static void test_attention__learns_nothing_from_zeros(void **state)
{
    (void)state;
    problem zeros = pose(120, {128}, true, 0.0f);
    problem p = pose(120, {128}, true);
    (void)forward(&zeros);
    (void)forward(&p);
    int before = interpreter_runs;
    (void)backward(&zeros);
    assert_int_equal(interpreter_runs, before);
    assert_int_equal(choice_of(&p, true)->state, JUDO_ATTENTION_UNKNOWN);
    (void)backward(&p);
    assert_int_equal(choice_of(&p, true)->state, JUDO_ATTENTION_CUDNN);
    release(&zeros);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention__goes_to_cudnn_once_it_was_learnt),
        cmocka_unit_test(test_attention__of_packed_runs_goes_to_cudnn),
        cmocka_unit_test(test_attention__learns_a_shape_once),
        cmocka_unit_test(test_attention__stays_ours_where_cudnn_is_wrong_or_changes_or_refuses),
        cmocka_unit_test(test_attention__comes_back_where_cudnn_fails_later),
        cmocka_unit_test(test_attention__learns_nothing_from_zeros),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
