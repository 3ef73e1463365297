/* tests/models/test_generate.c: generation against transformers (tests/golden/make/generate.py)
 * and against the training pass. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/generate.h"
#include "models/random_init.h"
#include "tests/models/fixture.h"

enum { VOCAB = 64, GOLDEN_TOKENS = 96, MOST_SCORED = 1024 };

static const int32_t plain_tokens[] = {7, 8, 9, 10, 7, 3, 22};
static const int32_t no_targets[FIXTURE_MAX_TOKENS];
static const sequence plain = {.tokens = plain_tokens, .targets = no_targets, .num_tokens = 7};

static const judo_generate_options greedy = {
    .sampling = {.temperature = 0.0f, .top_p = 1.0f, .repetition_penalty = 1.0f},
    .max_new_tokens = GOLDEN_TOKENS,
    .logprob_temperature = 1.0f,
};
static const judo_generate_options varied = {
    .sampling = {.temperature = 0.9f,
                 .top_k = 40,
                 .top_p = 0.95f,
                 .min_p = 0.01f,
                 .repetition_penalty = 1.1f},
    .max_new_tokens = 24,
    .seed = 11,
    .logprob_temperature = 0.7f,
};

/* The golden prompt (targets off: they are of no use here) and another beside it. */
static sequence golden_prompt(const fixture *f)
{
    sequence s = f->sequence;
    s.targets = no_targets;
    return s;
}

static judo_status try_generate(loaded *l, const sequence *prompts, int count,
                                const uint64_t *keys, int32_t per_prompt,
                                const judo_generate_options *options, judo_generation *out)
{
    built_batch b = batch_pack(judo_model_config(l->model), prompts, count);
    b.batch.num_targets = 0;
    assert_ok(judo_generation_create(count * per_prompt, options->max_new_tokens, out));
    judo_status status = judo_generate(l->model, judo_local_params_base(l->params), &b.batch,
                                       keys, per_prompt, options, out);
    batch_free(&b);
    return status;
}

static judo_generation generate(loaded *l, const sequence *prompts, int count,
                                const uint64_t *keys, int32_t per_prompt,
                                const judo_generate_options *options)
{
    judo_generation out;
    assert_ok(try_generate(l, prompts, count, keys, per_prompt, options, &out));
    return out;
}

static const int32_t *tokens_of(const judo_generation *g, int32_t row)
{
    return g->tokens + (int64_t)row * g->max_new_tokens;
}

static const float *logprobs_of(const judo_generation *g, int32_t row)
{
    return g->logprobs + (int64_t)row * g->max_new_tokens;
}

static void assert_same_row(const judo_generation *a, int32_t row_a, const judo_generation *b,
                            int32_t row_b)
{
    int32_t length = a->lengths[row_a];
    assert_int_equal(length, b->lengths[row_b]);
    assert_int_equal(a->stopped[row_a], b->stopped[row_b]);
    assert_memory_equal(tokens_of(a, row_a), tokens_of(b, row_b),
                        (size_t)length * sizeof(int32_t));
    assert_memory_equal(logprobs_of(a, row_a), logprobs_of(b, row_b),
                        (size_t)length * sizeof(float));
}

static void read_wanted(const fixture *f, const char *name, int32_t *out)
{
    char path[320];
    float values[GOLDEN_TOKENS];
    judo_safetensors *file = NULL;
    (void)snprintf(path, sizeof path, "%s/generated.safetensors", f->directory);
    assert_ok(judo_safetensors_open(path, &file));
    const judo_safetensors_entry *entry = judo_safetensors_find(file, name);
    assert_non_null(entry);
    assert_int_equal(entry->dims[0], GOLDEN_TOKENS);
    assert_ok(judo_safetensors_read(file, entry, 0, GOLDEN_TOKENS, values));
    judo_safetensors_close(&file);
    for (int i = 0; i < GOLDEN_TOKENS; i++) {
        out[i] = (int32_t)values[i];
    }
}

/* All rows of the golden prompt, beside another prompt's, are what transformers wrote. */
static void check_greedy(const fixture *f, loaded *l, const char *name,
                         const judo_generate_options *options)
{
    const uint64_t keys[] = {1, 2};
    const sequence prompts[] = {plain, golden_prompt(f)};
    int32_t wanted[GOLDEN_TOKENS];
    read_wanted(f, name, wanted);
    judo_generation out = generate(l, prompts, 2, keys, 2, options);
    for (int32_t row = 2; row < 4; row++) {
        assert_int_equal(out.lengths[row], GOLDEN_TOKENS);
        assert_false(out.stopped[row]);
        assert_memory_equal(tokens_of(&out, row), wanted, sizeof wanted);
    }
    judo_generation_free(&out);
}

static void test_greedy__agrees_with_transformers(void **state)
{
    (void)state;
    const uint8_t banned[VOCAB] = {[60] = 1, [61] = 1, [62] = 1, [63] = 1};
    judo_generate_options penalised = greedy;
    penalised.sampling.repetition_penalty = 1.3f;
    penalised.banned = banned;
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        fixture f;
        fixture_open(&f, fixture_names[c]);
        judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
        loaded l = fixture_load(&f, &options);
        check_greedy(&f, &l, "greedy", &greedy);
        check_greedy(&f, &l, "penalised", &penalised);
        fixture_unload(&l);
        fixture_close(&f);
    }
}

/* The log-probabilities of a group's completions in one training pass, in their order. */
static int score(loaded *l, const sequence *prompt, const judo_generation *g, int32_t first_row,
                 int32_t count, const judo_generate_options *options, float *logprobs)
{
    sequence completions[16];
    for (int32_t k = 0; k < count; k++) {
        completions[k] = (sequence){.tokens = tokens_of(g, first_row + k),
                                    .num_tokens = g->lengths[first_row + k]};
    }
    built_batch b = batch_group(judo_model_config(l->model), prompt, completions, count);
    judo_token_loss loss = {
        .kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = options->logprob_temperature};
    judo_token_result result = {.logprobs = logprobs};
    judo_model_set_banned(l->model, options->banned);
    assert_ok(judo_model_run(l->model, judo_local_params_base(l->params), &b.batch, &loss,
                             false, &result));
    judo_model_set_banned(l->model, NULL);
    int num_targets = b.batch.num_targets;
    batch_free(&b);
    return num_targets;
}

static void check_bits(loaded *l, const sequence *prompts, int count, int32_t rows,
                       const judo_generate_options *options)
{
    static const uint64_t keys[] = {4, 9};
    float scored[MOST_SCORED];
    judo_generation g = generate(l, prompts, count, keys, rows, options);
    assert_true(rows * options->max_new_tokens <= MOST_SCORED);
    for (int p = 0; p < count; p++) {
        int num_targets = score(l, &prompts[p], &g, p * rows, rows, options, scored);
        int at = 0;
        for (int32_t row = p * rows; row < (p + 1) * rows; row++) {
            assert_memory_equal(logprobs_of(&g, row), scored + at,
                                (size_t)g.lengths[row] * sizeof(float));
            at += g.lengths[row];
        }
        assert_int_equal(at, num_targets);
    }
    judo_generation_free(&g);
}

static void check_golden_bits(const char *name, judo_dtype dtype)
{
    enum { ROWS = 5 };

    const uint8_t banned[VOCAB] = {[60] = 1, [61] = 1, [62] = 1, [63] = 1, [20] = 1};
    const int32_t stops[] = {2, 17};
    judo_generate_options wanted = varied;
    wanted.banned = banned;
    wanted.stop_tokens = stops;
    wanted.num_stop_tokens = 2;
    fixture f;
    fixture_open(&f, name);
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    options.dtype = dtype;
    loaded l = fixture_load(&f, &options);
    const sequence prompts[] = {golden_prompt(&f), plain};
    check_bits(&l, prompts, 2, ROWS, &wanted);
    fixture_unload(&l);
    fixture_close(&f);
}

static void test_logprobs__are_the_bits_of_a_training_pass(void **state)
{
    (void)state;
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        check_golden_bits(fixture_names[c], JUDO_F32);
        check_golden_bits(fixture_names[c], JUDO_BF16);
    }
}

/* A random model with heads of `head_dim` dimensions. */
static loaded usual_model(fixture *f, int64_t num_heads, int64_t head_dim, judo_dtype dtype)
{
    fixture_open(f, "tied");
    judo_qwen_text_config *text = &f->config.text;
    text->vocab_size = 1100;
    text->hidden_size = f->config.vision.out_hidden_size = num_heads * head_dim;
    text->intermediate_size = 704;
    text->num_heads = num_heads;
    text->num_kv_heads = 2;
    text->head_dim = head_dim;
    text->mrope_section[0] = head_dim / 8;
    text->mrope_section[1] = text->mrope_section[2] = 3 * head_dim / 16;
    judo_model_options plan = fixture_options(JUDO_RECOMPUTE_UNIT);
    plan.head_chunk_rows = 256;
    plan.dtype = dtype;
    judo_random_init init = {.seed = 3, .deviation = 0.05};
    judo_weight_source source = judo_random_init_source(&init);
    return fixture_fill(&f->config, &plan, &source, fixture_device());
}

/* Products of this size are cut and threaded in ways that those of the golden models are not.
 * 1 / sqrt(96) is a number that is rounded differently where it is computed differently. */
static void test_logprobs__are_the_same_bits_at_a_usual_width(void **state)
{
    (void)state;
    judo_generate_options options = varied;
    const int32_t stops[] = {3, 33, 333, 433, 533, 633, 733, 833, 933, 1033};
    options.sampling.top_k = 0;
    options.sampling.temperature = 1.5f;
    options.stop_tokens = stops;
    options.num_stop_tokens = 10;
    options.max_new_tokens = 40;
    for (int dtype = JUDO_F32; dtype <= JUDO_BF16; dtype++) {
        for (int wide = 0; wide <= 1; wide++) {
            fixture f;
            loaded l = usual_model(&f, wide ? 4 : 8, wide ? 96 : 32, (judo_dtype)dtype);
            const sequence prompts[] = {golden_prompt(&f), plain};
            for (int threads = 1; threads <= 2; threads++) {
                judo_ops_cpu_set_threads(threads);
                check_bits(&l, prompts, 2, 12, &options);
            }
            fixture_unload(&l);
            fixture_close(&f);
        }
    }
}

static loaded load_case(fixture *f, const char *name)
{
    fixture_open(f, name);
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    return fixture_load(f, &options);
}

static void unload_case(fixture *f, loaded *l)
{
    fixture_unload(l);
    fixture_close(f);
}

static void test_rows__do_not_depend_on_the_others(void **state)
{
    (void)state;
    fixture f;
    loaded l = load_case(&f, "tied");
    const int32_t stops[] = {5, 9, 13};
    judo_generate_options options = varied;
    options.stop_tokens = stops;
    options.num_stop_tokens = 3;
    const sequence prompts[] = {golden_prompt(&f), plain, golden_prompt(&f)};
    const uint64_t keys[] = {100, 200, 300};
    judo_generation all = generate(&l, prompts, 3, keys, 4, &options);
    bool shorter = false;
    for (int p = 0; p < 3; p++) {
        judo_generation alone = generate(&l, &prompts[p], 1, &keys[p], 2, &options);
        for (int32_t k = 0; k < 2; k++) {
            assert_same_row(&all, p * 4 + k, &alone, k);
            shorter = shorter || alone.lengths[k] < options.max_new_tokens;
        }
        judo_generation_free(&alone);
    }
    assert_true(shorter);
    /* Two rows of a group differ, and so do two keys of the same prompt. */
    assert_memory_not_equal(tokens_of(&all, 0), tokens_of(&all, 1), 8 * sizeof(int32_t));
    assert_memory_not_equal(tokens_of(&all, 0), tokens_of(&all, 8), 8 * sizeof(int32_t));
    judo_generation_free(&all);
    unload_case(&f, &l);
}

static void test_seed__decides_the_draws(void **state)
{
    (void)state;
    fixture f;
    loaded l = load_case(&f, "untied");
    const sequence prompt = golden_prompt(&f);
    const uint64_t key = 5;
    judo_generate_options other = varied;
    other.seed++;
    judo_generation a = generate(&l, &prompt, 1, &key, 3, &varied);
    judo_generation b = generate(&l, &prompt, 1, &key, 3, &varied);
    judo_generation c = generate(&l, &prompt, 1, &key, 3, &other);
    for (int32_t row = 0; row < 3; row++) {
        assert_same_row(&a, row, &b, row);
    }
    assert_memory_not_equal(a.tokens, c.tokens, 3 * 24 * sizeof(int32_t));
    judo_generation_free(&a);
    judo_generation_free(&b);
    judo_generation_free(&c);
    unload_case(&f, &l);
}

static void test_stop_tokens__end_a_row_and_belong_to_it(void **state)
{
    (void)state;
    fixture f;
    loaded l = load_case(&f, "untied");
    const sequence prompts[] = {golden_prompt(&f), plain};
    const uint64_t keys[] = {5, 6};
    judo_generation endless = generate(&l, prompts, 2, keys, 4, &varied);
    const int32_t stops[] = {endless.tokens[3], tokens_of(&endless, 6)[9]};
    judo_generate_options options = varied;
    options.stop_tokens = stops;
    options.num_stop_tokens = 2;
    judo_generation cut = generate(&l, prompts, 2, keys, 4, &options);
    for (int32_t row = 0; row < 8; row++) {
        const int32_t *tokens = tokens_of(&endless, row);
        int32_t length = 0;
        bool stopped = false;
        while (length < options.max_new_tokens && !stopped) {
            stopped = tokens[length] == stops[0] || tokens[length] == stops[1];
            length++;
        }
        assert_false(endless.stopped[row]);
        assert_int_equal(endless.lengths[row], options.max_new_tokens);
        assert_int_equal(cut.stopped[row], stopped);
        assert_int_equal(cut.lengths[row], length);
        assert_memory_equal(tokens_of(&cut, row), tokens, (size_t)length * sizeof *tokens);
        assert_memory_equal(logprobs_of(&cut, row), logprobs_of(&endless, row),
                            (size_t)length * sizeof(float));
    }
    assert_true(cut.stopped[0] && cut.lengths[0] <= 4);
    judo_generation_free(&endless);
    judo_generation_free(&cut);
    unload_case(&f, &l);
}

static void test_banned_tokens__are_never_drawn(void **state)
{
    (void)state;
    fixture f;
    loaded l = load_case(&f, "grouped");
    const sequence prompt = golden_prompt(&f);
    const uint64_t key = 1;
    uint8_t banned[VOCAB];
    memset(banned, 1, sizeof banned);
    banned[30] = banned[41] = 0;
    judo_generate_options options = varied;
    options.sampling =
        (judo_sampling){.temperature = 3.0f, .top_p = 1.0f, .repetition_penalty = 1.0f};
    options.banned = banned;
    judo_generation g = generate(&l, &prompt, 1, &key, 8, &options);
    int count[VOCAB] = {0};
    for (int i = 0; i < 8 * options.max_new_tokens; i++) {
        count[g.tokens[i]]++;
        assert_true(g.logprobs[i] <= 0.0f);
    }
    assert_true(count[30] > 0 && count[41] > 0);
    assert_int_equal(count[30] + count[41], 8 * options.max_new_tokens);
    judo_generation_free(&g);
    /* With nothing left to draw the call fails, and the model still works. */
    banned[30] = banned[41] = 1;
    judo_status status = try_generate(&l, &prompt, 1, &key, 8, &options, &g);
    assert_int_equal(status, JUDO_ERROR_NUMERIC);
    judo_generation_free(&g);
    g = generate(&l, &prompt, 1, &key, 2, &varied);
    judo_generation_free(&g);
    unload_case(&f, &l);
}

static void test_draws__follow_the_probabilities(void **state)
{
    (void)state;

    enum { ROWS = 4000 };

    fixture f;
    loaded l = load_case(&f, "text");
    const uint64_t key = 77;
    judo_generate_options options = greedy;
    options.sampling.temperature = 1.0f;
    options.max_new_tokens = 1;
    judo_generation g = generate(&l, &plain, 1, &key, ROWS, &options);
    int count[VOCAB] = {0};
    double probability[VOCAB] = {0.0};
    for (int i = 0; i < ROWS; i++) {
        count[g.tokens[i]]++;
        probability[g.tokens[i]] = exp((double)g.logprobs[i]);
    }
    double total = 0.0;
    for (int v = 0; v < VOCAB; v++) {
        double p = probability[v];
        total += p;
        assert_true(fabs(count[v] - ROWS * p) <= 5.0 * sqrt(ROWS * p * (1.0 - p)));
    }
    assert_true(total > 0.98 && total < 1.0 + 1e-5);
    judo_generation_free(&g);
    unload_case(&f, &l);
}

static void test_prompts__beyond_the_plan_are_prefilled_in_pieces(void **state)
{
    (void)state;
    const uint64_t keys[] = {1, 2, 3, 4};
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        fixture f;
        fixture_open(&f, fixture_names[c]);
        judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
        loaded whole = fixture_load(&f, &options);
        built_batch one = batch_pack(&f.config, &f.sequence, 1);
        options.max_tokens = one.batch.num_tokens + 8;
        options.max_patches = one.batch.num_patches;
        batch_free(&one);
        loaded pieces = fixture_load(&f, &options);
        const sequence prompts[] = {golden_prompt(&f), plain, golden_prompt(&f),
                                    golden_prompt(&f)};
        judo_generation a = generate(&whole, prompts, 4, keys, 2, &varied);
        judo_generation b = generate(&pieces, prompts, 4, keys, 2, &varied);
        for (int32_t row = 0; row < 8; row++) {
            assert_same_row(&a, row, &b, row);
        }
        judo_generation_free(&a);
        judo_generation_free(&b);
        fixture_unload(&whole);
        fixture_unload(&pieces);
        fixture_close(&f);
    }
}

static void test_generate__refuses_what_it_cannot_do(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "tied");
    judo_model_options plan = fixture_options(JUDO_RECOMPUTE_UNIT);
    plan.max_tokens = 20;
    loaded l = fixture_load(&f, &plan);
    const sequence prompt = golden_prompt(&f);
    const uint64_t key = 1;
    judo_generation g;
    /* A prompt that does not fit the plan alone, with the numbers. */
    judo_status status = try_generate(&l, &prompt, 1, &key, 2, &varied, &g);
    assert_int_equal(status, JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "planned for 20"));
    judo_generation_free(&g);
    /* Results of another size, and a span that is no prompt of its own. */
    built_batch b = batch_pack(&f.config, &plain, 1);
    b.batch.num_targets = 0;
    judo_params *params = judo_local_params_base(l.params);
    assert_ok(judo_generation_create(3, varied.max_new_tokens, &g));
    assert_int_equal(judo_generate(l.model, params, &b.batch, &key, 2, &varied, &g),
                     JUDO_ERROR_INTERNAL);
    b.spans[0].causal = false;
    assert_int_equal(judo_generate(l.model, params, &b.batch, &key, 3, &varied, &g),
                     JUDO_ERROR_ARGUMENT);
    b.spans[0].causal = true;
    b.tokens[2] = VOCAB;
    assert_int_equal(judo_generate(l.model, params, &b.batch, &key, 3, &varied, &g),
                     JUDO_ERROR_ARGUMENT);
    judo_generation_free(&g);
    batch_free(&b);
    unload_case(&f, &l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy__agrees_with_transformers),
        cmocka_unit_test(test_logprobs__are_the_bits_of_a_training_pass),
        cmocka_unit_test(test_logprobs__are_the_same_bits_at_a_usual_width),
        cmocka_unit_test(test_rows__do_not_depend_on_the_others),
        cmocka_unit_test(test_seed__decides_the_draws),
        cmocka_unit_test(test_stop_tokens__end_a_row_and_belong_to_it),
        cmocka_unit_test(test_banned_tokens__are_never_drawn),
        cmocka_unit_test(test_draws__follow_the_probabilities),
        cmocka_unit_test(test_prompts__beyond_the_plan_are_prefilled_in_pieces),
        cmocka_unit_test(test_generate__refuses_what_it_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
