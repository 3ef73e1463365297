/* tests/runtime/ops/test_work_memory.c: what a device's ops take for themselves is taken when
 * it is reserved, and never again. */
#include "tests/runtime/ops/support.h"

enum { ROWS = 96, WIDTH = 640, HEADS = 4, DIM = 16, VOCABULARY = 3000, DRAWN = 5 };

static const judo_device *open_device_or_skip(void)
{
    static const judo_device *device;
    const judo_device_request request = {.choice = JUDO_DEVICE_CUDA,
                                         .module = getenv("JUDO_DEVICE_MODULE")};
    if (!device && judo_device_open(&request, &device, NULL) != JUDO_OK) {
        skip();
    }
    return device;
}

static int64_t available(const judo_device *device)
{
    int64_t left = 0;
    int64_t total = 0;
    assert_ok(device->stream_finish(NULL));
    assert_ok(device->memory(&left, &total));
    return left;
}

static judo_tensor on_device(const judo_device *device, int num_dims, int64_t a, int64_t b,
                             int64_t c)
{
    judo_tensor t = {.dtype = JUDO_F32, .num_dims = num_dims, .dims = {a, b, c}};
    int64_t bytes = judo_tensor_count(&t) * (int64_t)sizeof(float);
    assert_ok(device->allocate(&t.data, bytes));
    assert_ok(device->clear(t.data, bytes, NULL));
    return t;
}

/* Tensors of a call of each slot that takes memory. */
typedef struct slots {
    judo_tensor x, wide, w, dw, dbias, norm, rstd, dnorm;
    judo_tensor q, out, lse, dq, dk, dv;
    judo_tensor head, dhead, dhidden, logits, draws;
} slots;

static slots make_slots(const judo_device *d)
{
    return (slots){
        .x = on_device(d, 2, ROWS, 64, 0),
        .wide = on_device(d, 2, ROWS, WIDTH, 0),
        .w = on_device(d, 2, WIDTH, 64, 0),
        .dw = on_device(d, 2, WIDTH, 64, 0),
        .dbias = on_device(d, 1, WIDTH, 0, 0),
        .norm = on_device(d, 1, WIDTH, 0, 0),
        .rstd = on_device(d, 1, ROWS, 0, 0),
        .dnorm = on_device(d, 1, WIDTH, 0, 0),
        .q = on_device(d, 3, ROWS, HEADS, DIM),
        .out = on_device(d, 3, ROWS, HEADS, DIM),
        .lse = on_device(d, 2, ROWS, HEADS, 0),
        .dq = on_device(d, 3, ROWS, HEADS, DIM),
        .dk = on_device(d, 3, ROWS, HEADS, DIM),
        .dv = on_device(d, 3, ROWS, HEADS, DIM),
        .head = on_device(d, 2, VOCABULARY, 64, 0),
        .dhead = on_device(d, 2, VOCABULARY, 64, 0),
        .dhidden = on_device(d, 2, ROWS, 64, 0),
        .logits = on_device(d, 2, DRAWN, VOCABULARY, 0),
        .draws = on_device(d, 2, DRAWN, 2, 0),
    };
}

static void call_slots(const judo_ops *ops, slots *s)
{
    judo_attention_span spans[ROWS];
    int32_t targets[ROWS] = {0};
    float logprobs[ROWS];
    judo_draw_row rows[DRAWN];
    judo_draw_memory memory = {.draws = s->draws.data, .num_draws = DRAWN};
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f};
    judo_token_result result = {.logprobs = logprobs};
    judo_sampling sampling = {.temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f};
    for (int32_t i = 0; i < ROWS; i++) {
        spans[i] = (judo_attention_span){i, i + 1, 0, i, true};
    }
    assert_ok(ops->linear_backward(&s->x, false, &s->dw, &s->dbias, &s->wide, &s->x, &s->w));
    assert_ok(
        ops->rmsnorm_backward(&s->wide, &s->dnorm, &s->wide, &s->wide, &s->norm, &s->rstd));
    assert_ok(ops->attention_forward(&s->out, &s->lse, &s->q, &s->q, &s->q, spans, ROWS, 1.0f));
    assert_ok(ops->attention_backward(&s->dq, &s->dk, &s->dv, &s->out, &s->q, &s->q, &s->q,
                                      &s->out, &s->lse, spans, ROWS, 1.0f));
    assert_ok(ops->head_loss(&result, &s->dhidden, &s->dhead, &s->x, &s->head, targets, &loss,
                             NULL, 40));
    for (int32_t i = 0; i < DRAWN; i++) {
        rows[i] = (judo_draw_row){.uniform = 0.1f, .place = i};
    }
    assert_ok(ops->sample(&memory, &s->logits, rows, &sampling, 1.0f));
}

/* A decode step of as many rows as draw, whose runs of keys are in as many parts as can be. */
static void decode(const judo_ops *ops, slots *s)
{
    judo_tensor q = s->q, out = s->out;
    judo_decode_row rows[DRAWN];
    const void *keys = s->head.data; /* zeros */
    q.dtype = out.dtype = JUDO_BF16;
    q.dims[0] = out.dims[0] = DRAWN;
    for (int i = 0; i < DRAWN; i++) {
        rows[i] = (judo_decode_row){keys, keys, 4096, keys, keys, 2048};
    }
    assert_ok(ops->attention_decode(&out, &q, rows, HEADS, 1.0f));
}

static void test_work_memory__is_all_taken_when_it_is_reserved(void **state)
{
    (void)state;
    const judo_device *device = open_device_or_skip();
    const judo_device_work most = {.rows = ROWS,
                                   .columns = WIDTH,
                                   .heads = HEADS,
                                   .head_dim = DIM,
                                   .targets = ROWS,
                                   .chunk_rows = 40,
                                   .vocabulary = VOCABULARY,
                                   .drawn_rows = DRAWN};
    assert_non_null(device->reserve_work);
    slots s = make_slots(device);
    int64_t before = available(device);
    assert_ok(device->reserve_work(&most));
    int64_t after = available(device);
    assert_true(before - after >= device->work_bytes(&most));
    call_slots(device->ops, &s);
    decode(device->ops, &s);
    assert_true(available(device) == after);
    assert_ok(device->reserve_work(&most));
    assert_true(available(device) == after);
    judo_tensor *all = (judo_tensor *)&s;
    for (size_t i = 0; i < sizeof s / sizeof *all; i++) {
        device->release(all[i].data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_memory__is_all_taken_when_it_is_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
