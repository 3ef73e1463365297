/* tests/models/test_schedule.c: the same calls in the same order, whatever the data. */
#include <stdlib.h>
#include <string.h>

#include "tests/models/fixture.h"
#include "tests/models/traced_params.h"

static void trace(loaded *l, const judo_batch *batch, bool backward, traced_params *t)
{
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f};
    traced_init(t, judo_local_params_base(l->params));
    assert_ok(judo_model_run(l->model, &t->base, batch, &loss, backward, NULL));
    traced_check_end(t);
}

static int calls(const traced_params *t, char kind, int unit)
{
    int count = 0;
    for (int i = 0; i < t->count; i++) {
        count += t->kind[i] == kind && t->unit[i] == unit;
    }
    return count;
}

static void check_case(const char *name, const judo_freeze *freeze, bool backward)
{
    fixture f;
    fixture_open(&f, name);
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    options.freeze = *freeze;
    loaded l = fixture_load(&f, &options);
    built_batch full = batch_pack(&f.config, &f.sequence, 1);
    judo_batch empty = {0};
    static traced_params a;
    static traced_params b;
    trace(&l, &full.batch, backward, &a);
    trace(&l, &empty, backward, &b);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.kind, b.kind, (size_t)a.count);
    assert_memory_equal(a.unit, b.unit, (size_t)a.count * sizeof a.unit[0]);
    assert_true(a.polls > a.count);
    const judo_param_layout *layout = judo_model_layout(l.model);
    for (int u = 0; u < layout->num_units; u++) {
        int tied = u == 0 && f.config.text.tie_word_embeddings;
        int expected = backward && !layout->units[u].frozen ? 1 + tied : 0;
        assert_int_equal(calls(&a, 'b', u), expected);
        assert_int_equal(calls(&a, 'e', u), expected);
        assert_int_equal(calls(&a, 'a', u), calls(&a, 'r', u));
        assert_true(calls(&a, 'a', u) >= 1 + tied);
    }
    batch_free(&full);
    fixture_unload(&l);
    fixture_close(&f);
}

static void test_schedule__is_the_same_for_an_empty_batch(void **state)
{
    (void)state;
    const judo_freeze freezes[] = {
        {0}, {.vision_tower = true}, {.embeddings = true, .text_decoder = true}};
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        for (size_t i = 0; i < sizeof freezes / sizeof *freezes; i++) {
            check_case(fixture_names[c], &freezes[i], true);
            check_case(fixture_names[c], &freezes[i], false);
        }
    }
}

static void test_schedule__stops_where_nothing_below_is_trainable(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "untied");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    options.freeze = (judo_freeze){
        .vision_tower = true, .merger = true, .embeddings = true, .text_decoder = true};
    loaded l = fixture_load(&f, &options);
    built_batch batch = batch_pack(&f.config, &f.sequence, 1);
    static traced_params t;
    trace(&l, &batch.batch, true, &t);
    for (int u = 0; u < judo_model_layout(l.model)->num_units; u++) {
        assert_int_equal(calls(&t, 'a', u), 1);
    }
    batch_free(&batch);
    fixture_unload(&l);
    fixture_close(&f);
}

static void test_empty_batch__adds_nothing_to_the_gradients(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "tied");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded l = fixture_load(&f, &options);
    judo_batch empty = {0};
    static traced_params t;
    trace(&l, &empty, true, &t);
    const judo_param_layout *layout = judo_model_layout(l.model);
    for (int u = 0; u < layout->num_units; u++) {
        const float *gradient = fixture_gradient(&l, u);
        for (int64_t i = 0; i < layout->units[u].count; i++) {
            assert_true(gradient[i] == 0.0f);
        }
    }
    fixture_unload(&l);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule__is_the_same_for_an_empty_batch),
        cmocka_unit_test(test_schedule__stops_where_nothing_below_is_trainable),
        cmocka_unit_test(test_empty_batch__adds_nothing_to_the_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
