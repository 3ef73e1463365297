/* tests/models/test_equivalence.c: ways of computing the same thing agree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/models/fixture.h"

enum { MOST_TARGETS = 256 };

typedef struct outcome {
    float logprobs[MOST_TARGETS];
    judo_token_result result;
} outcome;

/* One pass; gradients are added to what the parameters hold. */
static outcome run(loaded *l, const built_batch *b, bool backward)
{
    outcome o = {.result = {0}};
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL, .scale = 0.1, .temperature = 1.0f};
    o.result.logprobs = o.logprobs;
    assert_true(b->batch.num_targets <= MOST_TARGETS);
    assert_ok(judo_model_run(l->model, judo_local_params_base(l->params), &b->batch, &loss,
                             backward, &o.result));
    return o;
}

static void check_gradients_close(const loaded *a, const loaded *b, double bound)
{
    const judo_param_layout *layout = judo_model_layout(a->model);
    for (int u = 0; u < layout->num_units; u++) {
        double error = relative_error(fixture_gradient(a, u), fixture_gradient(b, u),
                                      layout->units[u].count);
        if (!(error <= bound)) {
            fail_msg("%s: gradients differ by %g", layout->units[u].name, error);
        }
    }
}

static void check_same_bits(const loaded *a, const loaded *b)
{
    const judo_param_layout *layout = judo_model_layout(a->model);
    for (int u = 0; u < layout->num_units; u++) {
        assert_memory_equal(fixture_gradient(a, u), fixture_gradient(b, u),
                            (size_t)layout->units[u].count * sizeof(float));
    }
}

static void check_close(const float *a, const float *b, int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(fabsf(a[i] - b[i]) <= 2e-5f);
    }
}

/* The golden sequence and a text-only one beside it. */
static const int32_t plain_tokens[] = {7, 8, 9, 10, 7, 3, 22};
static const int32_t plain_targets[] = {-100, 9, 10, 7, -100, 22, 5};
static const sequence plain = {
    .tokens = plain_tokens, .targets = plain_targets, .num_tokens = 7};

static void test_packed__equals_one_by_one(void **state)
{
    (void)state;
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        fixture f;
        fixture_open(&f, fixture_names[c]);
        judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
        loaded packed = fixture_load(&f, &options);
        loaded alone = fixture_load(&f, &options);
        sequence both[3] = {f.sequence, plain, f.sequence};
        built_batch all = batch_pack(&f.config, both, 3);
        outcome together = run(&packed, &all, true);
        int done = 0;
        for (int i = 0; i < 3; i++) {
            built_batch one = batch_pack(&f.config, &both[i], 1);
            outcome o = run(&alone, &one, true);
            check_close(together.logprobs + done, o.logprobs, one.batch.num_targets);
            done += one.batch.num_targets;
            batch_free(&one);
        }
        assert_int_equal(done, all.batch.num_targets);
        check_gradients_close(&packed, &alone, 1e-5);
        batch_free(&all);
        fixture_unload(&packed);
        fixture_unload(&alone);
        fixture_close(&f);
    }
}

static void test_shared_prefix__equals_tiled_sequences(void **state)
{
    (void)state;
    const int32_t answers[3][6] = {
        {4, 9, 11, 2, 30, 31}, {5, 5, 12, 40, 1, 2}, {6, 50, 1, 2, 3, 4}};
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        fixture f;
        fixture_open(&f, fixture_names[c]);
        judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
        loaded shared = fixture_load(&f, &options);
        loaded tiled = fixture_load(&f, &options);
        sequence completions[3];
        for (int i = 0; i < 3; i++) {
            completions[i] = (sequence){.tokens = answers[i], .num_tokens = 6 - i};
        }
        built_batch group = batch_group(&f.config, &f.sequence, completions, 3);
        built_batch copies = batch_tiled(&f.config, &f.sequence, completions, 3);
        assert_true(group.batch.num_tokens < copies.batch.num_tokens);
        outcome a = run(&shared, &group, true);
        outcome b = run(&tiled, &copies, true);
        check_close(a.logprobs, b.logprobs, group.batch.num_targets);
        assert_true(fabs(a.result.loss - b.result.loss) < 1e-5);
        check_gradients_close(&shared, &tiled, 1e-5);
        batch_free(&group);
        batch_free(&copies);
        fixture_unload(&shared);
        fixture_unload(&tiled);
        fixture_close(&f);
    }
}

static void check_recomputing(const char *name, judo_recompute recompute)
{
    fixture f;
    fixture_open(&f, name);
    judo_model_options with = fixture_options(recompute);
    judo_model_options without = fixture_options(JUDO_RECOMPUTE_NOTHING);
    loaded a = fixture_load(&f, &with);
    loaded b = fixture_load(&f, &without);
    built_batch batch = batch_pack(&f.config, &f.sequence, 1);
    outcome x = run(&a, &batch, true);
    outcome y = run(&b, &batch, true);
    outcome z = run(&a, &batch, false);
    size_t bytes = (size_t)batch.batch.num_targets * sizeof(float);
    assert_memory_equal(x.logprobs, y.logprobs, bytes);
    assert_memory_equal(x.logprobs, z.logprobs, bytes);
    check_same_bits(&a, &b);
    assert_true(judo_model_activation_bytes(a.model) < judo_model_activation_bytes(b.model));
    batch_free(&batch);
    fixture_unload(&a);
    fixture_unload(&b);
    fixture_close(&f);
}

static void test_recomputing__gives_the_same_bits_in_less_memory(void **state)
{
    (void)state;
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        check_recomputing(fixture_names[c], JUDO_RECOMPUTE_SELECTIVE);
        check_recomputing(fixture_names[c], JUDO_RECOMPUTE_UNIT);
    }
}

static void test_freezing__leaves_the_other_gradients_as_they_are(void **state)
{
    (void)state;
    const judo_freeze freezes[] = {
        {.vision_tower = true},
        {.vision_tower = true, .merger = true},
        {.text_decoder = true},
        {.embeddings = true, .head = true},
        {.vision_tower = true, .merger = true, .embeddings = true},
        {.vision_tower = true, .merger = true, .embeddings = true, .text_decoder = true},
    };
    for (size_t i = 0; i < 2 * sizeof freezes / sizeof *freezes; i++) {
        fixture f;
        fixture_open(&f, fixture_names[i % 2]);
        judo_model_options options = fixture_options((judo_recompute)(i % 3));
        loaded whole = fixture_load(&f, &options);
        options.freeze = freezes[i / 2];
        loaded part = fixture_load(&f, &options);
        built_batch batch = batch_pack(&f.config, &f.sequence, 1);
        (void)run(&whole, &batch, true);
        (void)run(&part, &batch, true);
        const judo_param_layout *layout = judo_model_layout(part.model);
        for (int u = 0; u < layout->num_units; u++) {
            const float *ours = fixture_gradient(&part, u);
            const float *all = fixture_gradient(&whole, u);
            size_t bytes = (size_t)layout->units[u].count * sizeof(float);
            for (int64_t e = 0; layout->units[u].frozen && e < layout->units[u].count; e++) {
                assert_true(ours[e] == 0.0f);
            }
            if (!layout->units[u].frozen) {
                assert_memory_equal(ours, all, bytes);
            }
        }
        batch_free(&batch);
        fixture_unload(&whole);
        fixture_unload(&part);
        fixture_close(&f);
    }
}

/* Keys and values per layer, to see that prefill hands out each once. */
typedef struct collected {
    int layers;
    int64_t tokens;
    double sum;
} collected;

static judo_status collect(void *context, int layer, const judo_tensor *keys,
                           const judo_tensor *values)
{
    collected *c = context;
    assert_int_equal(layer, c->layers++);
    assert_int_equal(keys->dims[0], c->tokens);
    assert_int_equal(values->dims[2], keys->dims[2]);
    int64_t count = judo_tensor_count(keys);
    float *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    fixture_fetch(fixture_device(), copy, keys->data, count * (int64_t)sizeof *copy);
    for (int64_t i = 0; i < count; i++) {
        c->sum += fabs((double)copy[i]);
    }
    free(copy);
    return JUDO_OK;
}

static void test_prefill__does_not_depend_on_what_follows(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "tied");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    options.forward_only = true;
    loaded l = fixture_load(&f, &options);
    sequence shorter = f.sequence;
    shorter.num_tokens -= 4;
    built_batch whole = batch_pack(&f.config, &f.sequence, 1);
    built_batch part = batch_pack(&f.config, &shorter, 1);
    float a[64];
    float b[64];
    const judo_device *device = fixture_device();
    judo_tensor hidden_a = fixture_tensor(device, JUDO_F32, 2, f.config.text.hidden_size);
    judo_tensor hidden_b = fixture_tensor(device, JUDO_F32, 2, f.config.text.hidden_size);
    int64_t bytes = judo_tensor_count(&hidden_a) * (int64_t)sizeof *a;
    int32_t rows[] = {shorter.num_tokens - 1, 5};
    judo_params *params = judo_local_params_base(l.params);
    collected c = {.tokens = whole.batch.num_tokens};
    judo_kv_sink sink = {.context = &c, .put = collect};
    assert_ok(judo_model_prefill(l.model, params, &whole.batch, &sink, rows, 2, &hidden_a));
    assert_ok(judo_model_prefill(l.model, params, &part.batch, NULL, rows, 2, &hidden_b));
    assert_int_equal(c.layers, f.config.text.num_layers);
    assert_true(c.sum > 0.0);
    fixture_fetch(device, a, hidden_a.data, bytes);
    fixture_fetch(device, b, hidden_b.data, bytes);
    assert_memory_equal(a, b, (size_t)bytes);
    fixture_release(device, &hidden_a);
    fixture_release(device, &hidden_b);
    batch_free(&whole);
    batch_free(&part);
    fixture_unload(&l);
    fixture_close(&f);
}

static void test_banned_ids__leave_the_distribution(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "untied");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded l = fixture_load(&f, &options);
    built_batch batch = batch_pack(&f.config, &f.sequence, 1);
    uint8_t banned[64] = {0};
    for (int i = 0; i < 64; i++) {
        banned[i] = 1;
    }
    for (int i = 0; i < batch.batch.num_targets; i++) {
        banned[batch.target_tokens[i]] = 0;
    }
    outcome all = run(&l, &batch, false);
    judo_model_set_banned(l.model, banned);
    outcome few = run(&l, &batch, false);
    for (int i = 0; i < batch.batch.num_targets; i++) {
        assert_true(few.logprobs[i] > all.logprobs[i]);
    }
    batch_free(&batch);
    fixture_unload(&l);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed__equals_one_by_one),
        cmocka_unit_test(test_shared_prefix__equals_tiled_sequences),
        cmocka_unit_test(test_recomputing__gives_the_same_bits_in_less_memory),
        cmocka_unit_test(test_freezing__leaves_the_other_gradients_as_they_are),
        cmocka_unit_test(test_prefill__does_not_depend_on_what_follows),
        cmocka_unit_test(test_banned_ids__leave_the_distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
