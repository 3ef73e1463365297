/* tests/models/test_replay.c: generation whose steps are replayed as graphs gives the bits of
 * generation that queues every op. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "models/generate.h"
#include "runtime/device_pool.h"
#include "tests/models/fixture.h"

enum { PROMPTS = 3, NEW_TOKENS = 12 };

static const int32_t tokens[PROMPTS][8] = {
    {7, 8, 9, 10, 7, 3, 22}, {5, 4, 3}, {30, 31, 8, 12, 40}};
static int32_t lengths[PROMPTS] = {7, 3, 5};
static const int32_t no_targets[8];

static int graph_launches(void)
{
    int (*count)(void) = NULL;
    void *library = dlopen(getenv("JUDO_DEVICE_MODULE"), RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    *(void **)&count = dlsym(library, "judo_emulator_graph_launches");
    assert_non_null(count);
    (void)dlclose(library);
    return count();
}

static judo_generation generate(loaded *l, const judo_generate_options *options,
                                int32_t per_prompt)
{
    static const uint64_t keys[PROMPTS] = {1, 2, 3};
    sequence prompts[PROMPTS];
    judo_generation out;
    for (int p = 0; p < PROMPTS; p++) {
        prompts[p] =
            (sequence){.tokens = tokens[p], .targets = no_targets, .num_tokens = lengths[p]};
    }
    built_batch b = batch_pack(judo_model_config(l->model), prompts, PROMPTS);
    b.batch.num_targets = 0;
    assert_ok(judo_generation_create(PROMPTS * per_prompt, options->max_new_tokens, &out));
    assert_ok(judo_generate(l->model, judo_local_params_base(l->params), &b.batch, keys,
                            per_prompt, options, &out));
    batch_free(&b);
    return out;
}

static void assert_same(const judo_generation *a, const judo_generation *b)
{
    size_t places = (size_t)a->num_rows * (size_t)a->max_new_tokens;
    assert_memory_equal(a->lengths, b->lengths, (size_t)a->num_rows * sizeof *a->lengths);
    assert_memory_equal(a->tokens, b->tokens, places * sizeof *a->tokens);
    assert_memory_equal(a->logprobs, b->logprobs, places * sizeof *a->logprobs);
}

static judo_device plain_device(void)
{
    judo_device plain = *fixture_device();
    assert_non_null(plain.replay_begin);
    plain.replay_create = NULL;
    plain.replay_destroy = NULL;
    plain.replay_begin = NULL;
    plain.replay_end = NULL;
    return plain;
}

/* How many of the steps had as many rows as a step before them: those are replayed. A row that
 * ended is in the step that was queued before that was known, and stays until the others fill a
 * power of two. */
static int replayed_steps(const judo_generation *g)
{
    int steps[64] = {0};
    int replayed = 0;
    int batch = g->num_rows;
    for (int32_t step = 1; step < g->max_new_tokens; step++) {
        int live = 0;
        for (int32_t row = 0; row < g->num_rows; row++) {
            live += !g->stopped[row] || g->lengths[row] >= step;
        }
        int size = 1;
        while (size < live) {
            size *= 2;
        }
        batch = size < batch ? size : batch;
        replayed += live > 0 && steps[batch]++ > 0;
    }
    return replayed;
}

static void compare(loaded *with, loaded *without, const judo_generate_options *options,
                    int32_t per_prompt)
{
    int launches = graph_launches();
    judo_generation plain = generate(without, options, per_prompt);
    assert_int_equal(graph_launches(), launches);
    judo_generation replayed = generate(with, options, per_prompt);
    assert_same(&replayed, &plain);
    assert_int_equal(graph_launches() - launches, replayed_steps(&plain));
    judo_generation_free(&plain);
    judo_generation_free(&replayed);
}

/* The same model on the device as it is and on one that replays nothing. */
static void check(const char *name, judo_dtype dtype, const judo_generate_options *options,
                  int32_t per_prompt)
{
    fixture f;
    judo_device plain = plain_device();
    fixture_open(&f, name);
    judo_model_options plan = fixture_options(JUDO_RECOMPUTE_UNIT);
    plan.dtype = dtype;
    loaded with = fixture_load_on(&f, &plan, fixture_device());
    loaded without = fixture_load_on(&f, &plan, &plain);
    compare(&with, &without, options, per_prompt);
    fixture_unload(&with); /* with its graphs */
    with = fixture_load_on(&f, &plan, fixture_device());
    /* Rows leave the batch, one by one and several at once. */
    judo_generation whole = generate(&without, options, per_prompt);
    const int32_t stops[] = {whole.tokens[3], whole.tokens[2 * NEW_TOKENS + 7]};
    judo_generate_options ended = *options;
    ended.stop_tokens = stops;
    ended.num_stop_tokens = 2;
    compare(&with, &without, &ended, per_prompt);
    judo_generation_free(&whole);
    fixture_unload(&with);
    fixture_unload(&without);
    fixture_close(&f);
}

static const judo_generate_options greedy = {
    .sampling = {.temperature = 0.0f, .top_p = 1.0f, .repetition_penalty = 1.0f},
    .max_new_tokens = NEW_TOKENS,
    .logprob_temperature = 1.0f,
};

static void test_greedy__gives_the_same_bits_with_graphs(void **state)
{
    (void)state;
    check("text", JUDO_F32, &greedy, 1);
    check("grouped", JUDO_BF16, &greedy, 1);
}

static judo_status end_as_failed(judo_replay *replay, bool whole, bool *done)
{
    (void)whole;
    return fixture_device()->replay_end(replay, false, done);
}

/* Also the first time, when the ops were queued at once. */
static void test_steps__that_cannot_be_replayed_are_done_again(void **state)
{
    (void)state;
    fixture f;
    judo_device plain = plain_device();
    judo_device failing = *fixture_device();
    failing.replay_end = end_as_failed;
    fixture_open(&f, "text");
    judo_model_options plan = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded with = fixture_load_on(&f, &plan, &failing);
    loaded without = fixture_load_on(&f, &plan, &plain);
    int launches = graph_launches();
    judo_generation ours = generate(&with, &greedy, 1);
    judo_generation theirs = generate(&without, &greedy, 1);
    assert_same(&ours, &theirs);
    assert_int_equal(graph_launches(), launches);
    judo_generation_free(&ours);
    judo_generation_free(&theirs);
    fixture_unload(&with);
    fixture_unload(&without);
    fixture_close(&f);
}

static void test_draws__give_the_same_bits_with_graphs(void **state)
{
    (void)state;
    const judo_generate_options varied = {
        .sampling = {.temperature = 0.9f, .top_p = 0.95f, .repetition_penalty = 1.1f},
        .max_new_tokens = NEW_TOKENS,
        .seed = 11,
        .logprob_temperature = 0.7f,
    };
    check("tied", JUDO_BF16, &varied, 2);
}

/* In a job's memory, where things come to lie where they lay: every step but the very first is
 * replayed. */
static void test_graphs__serve_the_next_completions(void **state)
{
    (void)state;
    fixture f;
    const judo_device *pool = NULL;
    fixture_open(&f, "text");
    judo_model_options plan = fixture_options(JUDO_RECOMPUTE_UNIT);
    assert_ok(judo_device_pool_open(fixture_device(), &pool));
    assert_ok(judo_device_pool_reserve(INT64_C(64) << 20, ""));
    loaded l = fixture_load_on(&f, &plan, pool);
    int launches = graph_launches();
    judo_generation first = generate(&l, &greedy, 1);
    int steps = graph_launches() - launches;
    judo_generation second = generate(&l, &greedy, 1);
    assert_same(&first, &second);
    assert_true(steps > 0);
    assert_int_equal(graph_launches() - launches - steps, steps + 1);
    lengths[1]++; /* another prompt, a little longer */
    judo_generation third = generate(&l, &greedy, 1);
    lengths[1]--;
    assert_int_equal(graph_launches() - launches - steps, 2 * (steps + 1));
    judo_generation_free(&third);
    judo_generation_free(&first);
    judo_generation_free(&second);
    fixture_unload(&l);
    judo_device_pool_close(&pool);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy__gives_the_same_bits_with_graphs),
        cmocka_unit_test(test_steps__that_cannot_be_replayed_are_done_again),
        cmocka_unit_test(test_draws__give_the_same_bits_with_graphs),
        cmocka_unit_test(test_graphs__serve_the_next_completions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
