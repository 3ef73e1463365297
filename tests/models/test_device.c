/* tests/models/test_device.c: a device that computes with the CPU's ops gives the CPU's bits,
 * whatever its memory is: nothing is lost or early on the way there and back. */
#include <stdlib.h>
#include <string.h>

#include "models/bert.h"
#include "models/generate.h"
#include "tests/models/fixture.h"

enum { MOST_TARGETS = 1024, NEW_TOKENS = 12 };

static const int32_t short_tokens[] = {7, 8, 9, 10, 7, 3, 22};
static const int32_t short_targets[] = {8, 9, 10, 7, 3, 22, -100};
static const sequence short_one = {
    .tokens = short_tokens, .targets = short_targets, .num_tokens = 7};

/* One training pass of a loaded model. */
static void train(loaded *l, const judo_batch *batch, float *logprobs, double *loss_sum)
{
    judo_token_loss loss = {
        .kind = JUDO_LOSS_NLL, .scale = 1.0 / batch->num_targets, .temperature = 1.0f};
    judo_token_result result = {.logprobs = logprobs};
    assert_ok(judo_model_run(l->model, judo_local_params_base(l->params), batch, &loss, true,
                             &result));
    *loss_sum = result.loss;
}

/* Passes follow one another, of other sizes each: what the last left behind must not matter. */
static void compare_training(const fixture *f, const judo_model_options *options)
{
    const sequence sequences[] = {f->sequence, short_one, f->sequence};
    const int first[] = {0, 1, 0, 1};
    const int count[] = {1, 1, 3, 2};
    loaded here = fixture_load_on(f, options, judo_device_cpu());
    loaded there = fixture_load_on(f, options, fixture_device());
    for (int pass = 0; pass < 4; pass++) {
        built_batch b = batch_pack(&f->config, sequences + first[pass], count[pass]);
        float ours[MOST_TARGETS] = {0};
        float theirs[MOST_TARGETS] = {0};
        double our_loss = 0.0;
        double their_loss = 0.0;
        assert_true(b.batch.num_targets <= MOST_TARGETS);
        train(&here, &b.batch, theirs, &their_loss);
        train(&there, &b.batch, ours, &our_loss);
        assert_memory_equal(ours, theirs, sizeof ours);
        assert_true(our_loss == their_loss);
        batch_free(&b);
    }
    const judo_param_layout *layout = judo_model_layout(here.model);
    for (int u = 0; u < layout->num_units; u++) {
        assert_memory_equal(fixture_gradient(&there, u), fixture_gradient(&here, u),
                            (size_t)layout->units[u].count * sizeof(float));
    }
    fixture_unload(&here);
    fixture_unload(&there);
}

static void test_training__gives_the_cpus_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 4 * FIXTURE_COUNT; i++) {
        fixture f;
        fixture_open(&f, fixture_names[i / 4]);
        judo_model_options options = fixture_options((judo_recompute)(i % 3));
        options.dtype = i % 4 < 2 ? JUDO_F32 : JUDO_BF16;
        compare_training(&f, &options);
        fixture_close(&f);
    }
}

static void test_frozen_parts__give_the_cpus_bits(void **state)
{
    (void)state;
    const judo_freeze freezes[] = {
        {.vision_tower = true, .merger = true},
        {.vision_tower = true, .embeddings = true},
        {.embeddings = true, .text_decoder = true, .head = true},
    };
    for (int i = 0; i < 3; i++) {
        fixture f;
        fixture_open(&f, fixture_names[i]);
        judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
        options.freeze = freezes[i];
        compare_training(&f, &options);
        fixture_close(&f);
    }
}

static judo_generation complete(const fixture *f, const judo_model_options *plan,
                                const judo_generate_options *options, const judo_device *device)
{
    static const int32_t no_targets[FIXTURE_MAX_TOKENS];
    const uint64_t keys[] = {3, 5};
    sequence prompts[] = {f->sequence, short_one};
    prompts[0].targets = prompts[1].targets = no_targets;
    judo_generation out;
    loaded l = fixture_load_on(f, plan, device);
    built_batch b = batch_pack(&f->config, prompts, 2);
    b.batch.num_targets = 0;
    assert_ok(judo_generation_create(6, NEW_TOKENS, &out));
    assert_ok(judo_generate(l.model, judo_local_params_base(l.params), &b.batch, keys, 3,
                            options, &out));
    batch_free(&b);
    fixture_unload(&l);
    return out;
}

static void compare_completions(const fixture *f, const judo_model_options *plan,
                                const judo_generate_options *options)
{
    judo_generation here = complete(f, plan, options, judo_device_cpu());
    judo_generation there = complete(f, plan, options, fixture_device());
    assert_memory_equal(here.lengths, there.lengths, 6 * sizeof *here.lengths);
    assert_memory_equal(here.tokens, there.tokens, 6 * NEW_TOKENS * sizeof *here.tokens);
    assert_memory_equal(here.logprobs, there.logprobs, 6 * NEW_TOKENS * sizeof *here.logprobs);
    judo_generation_free(&here);
    judo_generation_free(&there);
}

static void test_generation__gives_the_cpus_bits(void **state)
{
    (void)state;
    const int32_t stops[] = {3, 5, 9, 13, 17, 33};
    judo_generate_options greedy = {
        .sampling = {.temperature = 0.0f, .top_p = 1.0f, .repetition_penalty = 1.0f},
        .max_new_tokens = NEW_TOKENS,
        .logprob_temperature = 1.0f,
    };
    judo_generate_options varied = greedy;
    varied.sampling = (judo_sampling){
        .temperature = 0.9f, .top_k = 40, .top_p = 0.95f, .repetition_penalty = 1.1f};
    varied.seed = 11;
    varied.stop_tokens = stops;
    varied.num_stop_tokens = 6;
    for (int i = 0; i < 2 * FIXTURE_COUNT; i++) {
        fixture f;
        fixture_open(&f, fixture_names[i / 2]);
        judo_model_options plan = fixture_options(JUDO_RECOMPUTE_UNIT);
        plan.forward_only = true;
        plan.dtype = i % 2 == 0 ? JUDO_F32 : JUDO_BF16;
        compare_completions(&f, &plan, &greedy);
        plan.max_tokens = f.sequence.num_tokens + 3; /* a prompt at a time */
        compare_completions(&f, &plan, &varied);
        fixture_close(&f);
    }
}

static void embed(judo_dtype dtype, const judo_device *device, float *out)
{
    /* Two calls: the second grows what the first took. */
    const int32_t ids[] = {2, 5, 7, 3, 2, 9, 3, 2, 11, 4, 6, 8, 3};
    const int32_t offsets[] = {0, 4, 7, 13};
    judo_bert *bert = NULL;
    assert_ok(judo_bert_open("tests/golden/bert", dtype, device, &bert));
    int64_t width = judo_bert_config_of(bert)->hidden_size;
    assert_ok(judo_bert_embed(bert, ids, offsets, 1, 40, out));
    assert_ok(judo_bert_embed(bert, ids, offsets, 3, 40, out + width));
    judo_bert_close(&bert);
}

static void test_sentence_encoder__gives_the_cpus_bits(void **state)
{
    (void)state;
    for (int dtype = JUDO_F32; dtype <= JUDO_BF16; dtype++) {
        float here[4 * 24] = {0};
        float there[4 * 24] = {0};
        embed((judo_dtype)dtype, judo_device_cpu(), here);
        embed((judo_dtype)dtype, fixture_device(), there);
        assert_memory_equal(here, there, sizeof here);
        assert_true(here[0] != 0.0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training__gives_the_cpus_bits),
        cmocka_unit_test(test_frozen_parts__give_the_cpus_bits),
        cmocka_unit_test(test_generation__gives_the_cpus_bits),
        cmocka_unit_test(test_sentence_encoder__gives_the_cpus_bits),
    };
    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
