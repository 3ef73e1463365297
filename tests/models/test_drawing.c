/* tests/models/test_drawing.c: drawing beside the host: a step is queued before the host knows
 * what the last one drew, and nobody can tell from the completions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/generate.h"
#include "tests/models/fixture.h"

enum { PROMPTS = 3, PER_PROMPT = 2, ROWS = PROMPTS * PER_PROMPT, STEPS = 10, VOCAB = 64 };

static const int32_t tokens[PROMPTS][8] = {
    {7, 8, 9, 10, 7, 3, 22}, {5, 4, 3}, {30, 31, 8, 12, 40}};
static const int32_t num_tokens[PROMPTS] = {7, 3, 5};
static const int32_t no_targets[8];

static const judo_generate_options greedy = {
    .sampling = {.temperature = 0.0f, .top_p = 1.0f, .repetition_penalty = 1.0f},
    .max_new_tokens = STEPS,
    .logprob_temperature = 1.0f,
};
static const judo_generate_options varied = {
    .sampling = {.temperature = 1.2f, .top_k = 40, .top_p = 0.95f, .repetition_penalty = 1.2f},
    .max_new_tokens = STEPS,
    .seed = 11,
    .logprob_temperature = 0.7f,
};

static judo_status try_generate(loaded *l, const judo_generate_options *options,
                                judo_generation *out)
{
    static const uint64_t keys[PROMPTS] = {1, 2, 3};
    sequence prompts[PROMPTS];
    for (int p = 0; p < PROMPTS; p++) {
        prompts[p] =
            (sequence){.tokens = tokens[p], .targets = no_targets, .num_tokens = num_tokens[p]};
    }
    built_batch b = batch_pack(judo_model_config(l->model), prompts, PROMPTS);
    b.batch.num_targets = 0;
    assert_ok(judo_generation_create(ROWS, STEPS, out));
    judo_status status = judo_generate(l->model, judo_local_params_base(l->params), &b.batch,
                                       keys, PER_PROMPT, options, out);
    batch_free(&b);
    return status;
}

static judo_generation generate(loaded *l, const judo_generate_options *options)
{
    judo_generation out;
    assert_ok(try_generate(l, options, &out));
    return out;
}

static loaded load_on(const judo_device *device)
{
    fixture f;
    fixture_open(&f, "text");
    judo_model_options plan = fixture_options(true);
    loaded l = fixture_load_on(&f, &plan, device);
    fixture_close(&f);
    return l;
}

/* Also what stands behind the end of a row, which is nothing. */
static void assert_same(const judo_generation *a, const judo_generation *b)
{
    assert_memory_equal(a->lengths, b->lengths, ROWS * sizeof *a->lengths);
    assert_memory_equal(a->stopped, b->stopped, ROWS * sizeof *a->stopped);
    assert_memory_equal(a->tokens, b->tokens, ROWS * STEPS * sizeof *a->tokens);
    for (int i = 0; i < ROWS * STEPS; i++) {
        assert_true(fabsf(a->logprobs[i] - b->logprobs[i]) <= 1e-4f);
    }
}

static int different_lengths(const judo_generation *g)
{
    bool met[STEPS + 1] = {false};
    int count = 0;
    for (int row = 0; row < ROWS; row++) {
        count += !met[g->lengths[row]];
        met[g->lengths[row]] = true;
    }
    return count;
}

static void compare(loaded *here, loaded *there, const judo_generate_options *options,
                    int least_lengths)
{
    judo_generation ours = generate(here, options);
    judo_generation theirs = generate(there, options);
    assert_same(&ours, &theirs);
    assert_true(different_lengths(&theirs) >= least_lengths);
    judo_generation_free(&ours);
    judo_generation_free(&theirs);
}

static void test_rows__that_end_apart_have_the_cpus_tokens(void **state)
{
    (void)state;
    const judo_generate_options *const ways[] = {&greedy, &varied};
    const uint8_t banned[VOCAB] = {[8] = 1, [22] = 1, [30] = 1, [60] = 1, [61] = 1};
    loaded here = load_on(fixture_device());
    loaded there = load_on(judo_device_cpu());
    for (int way = 0; way < 4; way++) {
        judo_generate_options options = *ways[way / 2];
        options.banned = way % 2 == 0 ? NULL : banned;
        compare(&here, &there, &options, 1);
        judo_generation whole = generate(&there, &options);
        const int32_t stops[] = {whole.tokens[0], whole.tokens[STEPS + 3],
                                 whole.tokens[3 * STEPS + 7]};
        options.stop_tokens = stops;
        options.num_stop_tokens = 3;
        compare(&here, &there, &options, 2);
        judo_generation_free(&whole);
    }
    fixture_unload(&here);
    fixture_unload(&there);
}

/* A device that writes down when it is asked to draw (d), waited for by the ops' queue (w) or
 * by another (f), and that bans every id from a draw on. */
static struct {
    judo_device device;
    judo_ops ops;
    const judo_device *real;
    char calls[8 * STEPS];
    int num_calls, draws, first_banned;
    void *all; /* marks of every id, on the device */
} watched;

static void write_down(char call)
{
    assert_true(watched.num_calls < (int)sizeof watched.calls - 1);
    watched.calls[watched.num_calls++] = call;
    watched.calls[watched.num_calls] = '\0';
}

static judo_status watch_sample(const judo_draw_memory *memory, judo_tensor *logits,
                                const judo_draw_row *rows, const judo_sampling *sampling,
                                float logprob_temperature)
{
    judo_draw_memory with = *memory;
    write_down('d');
    with.banned = watched.draws++ >= watched.first_banned ? watched.all : memory->banned;
    return watched.real->ops->sample(&with, logits, rows, sampling, logprob_temperature);
}

static judo_status watch_finish(judo_stream *stream)
{
    if (watched.draws > 0) {
        write_down(stream || !watched.real->separate ? 'f' : 'w');
    }
    return watched.real->stream_finish(stream);
}

static loaded load_watched(int first_banned)
{
    uint8_t every[VOCAB];
    memset(every, 1, sizeof every);
    memset(&watched, 0, sizeof watched);
    watched.real = fixture_device();
    watched.first_banned = first_banned;
    watched.device = *watched.real;
    watched.ops = *watched.real->ops;
    watched.device.ops = &watched.ops;
    watched.ops.sample = watch_sample;
    watched.device.stream_finish = watch_finish;
    watched.device.replay_create = NULL; /* which calls ops without queueing them */
    watched.device.replay_destroy = NULL;
    watched.device.replay_begin = NULL;
    watched.device.replay_end = NULL;
    assert_ok(watched.real->allocate(&watched.all, sizeof every));
    assert_ok(watched.real->copy(watched.all, every, sizeof every, NULL));
    return load_on(&watched.device);
}

static void unload_watched(loaded *l)
{
    watched.real->release(watched.all);
    watched.draws = 0;
    fixture_unload(l);
}

/* d d f d f .. d f f w: the draws of a step are waited for with the next step queued, and the
 * ops' queue is not waited for before the end. */
static void test_steps__are_queued_before_the_last_draws_are_known(void **state)
{
    (void)state;
    char expected[8 * STEPS];
    int length = 0;
    loaded l = load_watched(STEPS);
    bool ahead = watched.real->separate;
    judo_generation g = generate(&l, &varied);
    for (int step = 0; step < STEPS; step++) {
        expected[length++] = 'd';
        if (!ahead || step > 0) {
            expected[length++] = 'f';
        }
    }
    (void)snprintf(expected + length, sizeof expected - (size_t)length, ahead ? "fw" : "f");
    assert_string_equal(watched.calls, expected);
    judo_generation_free(&g);
    unload_watched(&l);
}

static void test_rows__without_a_token_are_named(void **state)
{
    (void)state;
    judo_generation g;
    loaded l = load_watched(4);
    assert_int_equal(try_generate(&l, &varied, &g), JUDO_ERROR_NUMERIC);
    assert_non_null(strstr(judo_error_message(), "row 0 has no finite logit for token 4"));
    judo_generation_free(&g);
    unload_watched(&l);
}

/* What rows draw after their end is nobody's. */
static void test_rows__that_ended_may_draw_anything(void **state)
{
    (void)state;
    int32_t every[VOCAB];
    for (int32_t id = 0; id < VOCAB; id++) {
        every[id] = id;
    }
    judo_generate_options options = varied;
    options.stop_tokens = every;
    options.num_stop_tokens = VOCAB;
    loaded l = load_watched(1);
    judo_generation g = generate(&l, &options);
    assert_string_equal(watched.calls, watched.real->separate ? "ddfw" : "dff");
    for (int row = 0; row < ROWS; row++) {
        assert_true(g.stopped[row] && g.lengths[row] == 1);
        assert_int_equal(g.tokens[row * STEPS + 1], 0);
    }
    judo_generation_free(&g);
    unload_watched(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows__that_end_apart_have_the_cpus_tokens),
        cmocka_unit_test(test_steps__are_queued_before_the_last_draws_are_known),
        cmocka_unit_test(test_rows__without_a_token_are_named),
        cmocka_unit_test(test_rows__that_ended_may_draw_anything),
    };
    return cmocka_run_group_tests_name("drawing", tests, NULL, NULL);
}
