/* tests/rewards/test_device_score.c: a device's scores of hostile completions are the host's,
 * to the bit. Skipped, with the reason, where no device answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rewards/score.h"
#include "runtime/random.h"

enum { COMPLETIONS = 500, SEED = 7 };

typedef struct fixture {
    const judo_device *device;
    judo_tokenizer *tokenizer;
    judo_device_scorer *scorer;
    judo_ids tokens[COMPLETIONS];
    judo_text texts[COMPLETIONS];
    judo_completion_facts facts[COMPLETIONS];
    judo_reward_values expected[COMPLETIONS], found[COMPLETIONS];
} fixture;

#define assert_ok(expression)                                                                  \
    do {                                                                                       \
        judo_status assert_ok_status_ = (expression);                                          \
        if (assert_ok_status_ != JUDO_OK) {                                                    \
            print_error("%s: %s\n", #expression, judo_error_message());                        \
        }                                                                                      \
        assert_int_equal(assert_ok_status_, JUDO_OK);                                          \
    } while (0)

static uint32_t below(uint32_t bound, uint64_t completion, uint32_t draw, uint32_t use)
{
    return judo_random_below(SEED, JUDO_STREAM_TEST, completion, draw, use, bound);
}

static const char *const pieces[] = {
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<seg>",
    "</seg>",
    "<seg>(3,7)-(3,9), (5,8)</seg>",
    "<seg>None</seg>",
    "<seg>(17,1)</seg>",
    "<seg>(1,1)\xe2\x80\x93(1,16),(16,16)</seg>",
    "<seg>\n(2,2)-(2,1)</seg>",
    "<seg>(\xd9\xa3,\xef\xbc\x97) , (4,4</seg>",
    "<think>The left edge is bent, so the answer is B.</think>",
    "<think>A. it is broken</think>\n<answer>",
    "<answer> C </answer>",
    "<answer>\xe7\xad\x94\xe6\xa1\x88 D\xe3\x80\x82</answer>",
    "<think><think></answer></think>",
    "A",
    "B.",
    " C: ",
    "D",
    "\n\t \x1c",
    "\xe3\x80\x80\xc2\xa0",
    "the ANSWER is ",
    "\xf0\x9f\x94\xa7\xcc\x88",
    "<ans",
    "er>",
    "(",
    "),",
    "12345678901234567890",
};

/* An id of any kind: special, beyond the vocabulary, or of a byte that starts no character. */
static void append_stray_token(judo_ids *tokens, uint64_t completion, uint32_t draw)
{
    int32_t id = (int32_t)below(530, completion, draw, 2);
    assert_ok(judo_ids_append(tokens, id));
}

static void write_completion(fixture *f, uint32_t i)
{
    enum { NUM_PIECES = sizeof pieces / sizeof pieces[0] };

    judo_ids *tokens = &f->tokens[i];
    uint32_t length = i % 50 == 0 ? 0 : i % 50 == 1 ? 1200 : below(30, i, 0, 0);
    bool well_formed = below(3, i, 0, 1) == 0;
    if (well_formed) {
        const char *start = "<seg>(3,7)-(3,9)</seg> <think>seen: B is right</think>";
        assert_ok(judo_tokenizer_encode(f->tokenizer, start, strlen(start), false, tokens));
    }
    for (uint32_t k = 1; k <= length; k++) {
        const char *piece = pieces[below(NUM_PIECES, i, k, 0)];
        assert_ok(judo_tokenizer_encode(f->tokenizer, piece, strlen(piece), false, tokens));
        if (below(4, i, k, 1) == 0) {
            append_stray_token(tokens, i, k);
        }
    }
    assert_ok(
        judo_tokenizer_decode(f->tokenizer, tokens->ids, tokens->count, true, &f->texts[i]));
    f->facts[i] = (judo_completion_facts){
        .text = f->texts[i].bytes ? f->texts[i].bytes : "",
        .length = f->texts[i].length,
        .tokens = tokens->ids ? tokens->ids : (const int32_t *)"",
        .num_tokens = tokens->count,
        .answer = (char)('A' + i % 4),
        .cosine = i % 3 == 0 ? NAN : (float)below(1000, i, 0, 3) * 0.002f - 1.0f,
    };
    for (uint32_t k = 0; k < i % 5; k++) {
        judo_cells_set(&f->facts[i].gold, (int)below(4, i, k, 4), (int)below(16, i, k, 5));
    }
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    judo_device_request request = {.choice = JUDO_DEVICE_CUDA,
                                   .module = getenv("JUDO_DEVICE_MODULE")};
    *state = f;
    if (!f || judo_device_open(&request, &f->device, NULL) != JUDO_OK) {
        print_message("no device: %s\n", judo_error_message());
        return 0;
    }
    assert_ok(judo_tokenizer_open("tests/golden/tokenizer_small", &f->tokenizer));
    assert_ok(judo_device_scorer_open(f->device, f->tokenizer, &f->scorer));
    for (uint32_t i = 0; i < COMPLETIONS; i++) {
        write_completion(f, i);
    }
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    for (int i = 0; f && i < COMPLETIONS; i++) {
        judo_ids_free(&f->tokens[i]);
        judo_text_free(&f->texts[i]);
    }
    if (f) {
        judo_device_scorer_close(&f->scorer);
        judo_tokenizer_close(&f->tokenizer);
    }
    free(f);
    return 0;
}

static fixture *fixture_or_skip(void **state)
{
    fixture *f = *state;
    if (!f->device) {
        skip();
    }
    assert_non_null(f->scorer);
    return f;
}

static void check_same(const judo_reward_values *a, const judo_reward_values *b)
{
    assert_memory_equal(a->value, b->value, sizeof a->value);
    assert_memory_equal(&a->total, &b->total, sizeof a->total);
    assert_memory_equal(&a->predicted, &b->predicted, sizeof a->predicted);
    assert_memory_equal(&a->cosine, &b->cosine, sizeof a->cosine);
    assert_int_equal(a->cells_state, b->cells_state);
    assert_int_equal(a->predicted_answer, b->predicted_answer);
    assert_int_equal(a->think_answer, b->think_answer);
}

static void test_device_score__hostile_completions_score_as_on_the_host(void **state)
{
    fixture *f = fixture_or_skip(state);
    int seen[3] = {0}; /* states of cells */
    int right = 0;
    for (int kind = 0; kind < JUDO_NUM_RECIPES * JUDO_NUM_DEFINITIONS; kind++) {
        judo_reward_rules rules;
        judo_reward_config config =
            judo_reward_config_of((judo_reward_recipe)(kind / JUDO_NUM_DEFINITIONS),
                                  (judo_reward_definition)(kind % JUDO_NUM_DEFINITIONS));
        assert_ok(judo_reward_rules_resolve(&config, &rules));
        assert_ok(judo_rewards_score(&rules, f->facts, COMPLETIONS, NULL, f->expected));
        assert_ok(
            judo_rewards_score_on(f->scorer, &rules, f->facts, COMPLETIONS, NULL, f->found));
        for (int i = 0; i < COMPLETIONS; i++) {
            check_same(&f->found[i], &f->expected[i]);
            seen[f->found[i].cells_state]++;
            right += f->found[i].value[JUDO_REWARD_CHOICE] > 0;
        }
    }
    assert_true(seen[0] > 100 && seen[1] > 100 && seen[2] > 100 && right > 100);
}

/* Notes what it is asked for. */
static judo_status note(void *context, const judo_span *texts, int64_t count, float *rows)
{
    judo_text *noted = context;
    for (int64_t i = 0; i < count; i++) {
        JUDO_TRY(judo_text_append(noted, texts[i].text, texts[i].length));
        JUDO_TRY(judo_text_append(noted, "|", 1));
        for (int k = 0; k < JUDO_EMBEDDING_SIZE; k++) {
            rows[i * JUDO_EMBEDDING_SIZE + k] =
                (float)((texts[i].length * 31 + (size_t)k) % 17) - 8.0f;
        }
    }
    return JUDO_OK;
}

static void test_device_score__embeds_what_the_host_would(void **state)
{
    fixture *f = fixture_or_skip(state);
    judo_text noted[2] = {{0}, {0}};
    judo_reward_rules rules;
    judo_reward_config config = judo_reward_config_of(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER);
    assert_ok(judo_reward_rules_resolve(&config, &rules));
    for (int i = 0; i < COMPLETIONS; i++) {
        f->facts[i].rationale = "the edge is bent";
    }
    for (int on_device = 0; on_device < 2; on_device++) {
        judo_embedder embedder = {.embed = note, .context = &noted[on_device]};
        assert_ok(judo_rewards_score_on(on_device ? f->scorer : NULL, &rules, f->facts,
                                        COMPLETIONS, &embedder,
                                        on_device ? f->found : f->expected));
    }
    assert_true(noted[0].length > 1000);
    assert_int_equal(noted[0].length, noted[1].length);
    assert_memory_equal(noted[0].bytes, noted[1].bytes, noted[0].length);
    for (int i = 0; i < COMPLETIONS; i++) {
        check_same(&f->found[i], &f->expected[i]);
    }
    judo_text_free(&noted[0]);
    judo_text_free(&noted[1]);
}

static void test_device_score__refuses_text_that_is_not_the_tokens(void **state)
{
    fixture *f = fixture_or_skip(state);
    judo_reward_rules rules;
    judo_reward_config config = judo_reward_config_of(JUDO_RECIPE_GRPO, JUDO_DEFINITION_PAPER);
    judo_completion_facts facts = f->facts[1];
    judo_reward_values values;
    int32_t negative = -1;
    int64_t scored = judo_device_scorer_scored(f->scorer);
    assert_ok(judo_reward_rules_resolve(&config, &rules));
    facts.length--;
    assert_int_equal(judo_rewards_score_on(f->scorer, &rules, &facts, 1, NULL, &values),
                     JUDO_ERROR_MISMATCH);
    facts.tokens = &negative;
    facts.num_tokens = 1;
    assert_int_equal(judo_rewards_score_on(f->scorer, &rules, &facts, 1, NULL, &values),
                     JUDO_ERROR_ARGUMENT);
    assert_ok(judo_rewards_score_on(f->scorer, &rules, NULL, 0, NULL, NULL));
    assert_int_equal(judo_device_scorer_scored(f->scorer), scored);
    assert_ok(judo_rewards_score_on(f->scorer, &rules, f->facts, 3, NULL, f->found));
    assert_int_equal(judo_device_scorer_scored(f->scorer), scored + 3);
    assert_int_equal(judo_device_scorer_scored(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_score__hostile_completions_score_as_on_the_host),
        cmocka_unit_test(test_device_score__embeds_what_the_host_would),
        cmocka_unit_test(test_device_score__refuses_text_that_is_not_the_tokens),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
