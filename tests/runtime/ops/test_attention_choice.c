/* tests/runtime/ops/test_attention_choice.c: which attention calls cuDNN may take, and what a
 * lesson makes of one that is right, wrong, different each time, failing or slow. */
#include "tests/runtime/ops/support.h"

#include <string.h>

#include "runtime/ops/cuda/attention_choice.h"

/* --- eligibility --- */

enum { SPANS = 4, LENGTH = 256 };

typedef struct batch {
    judo_attention_shape shape;
    judo_attention_span spans[SPANS];
    judo_dtype dtype;
} batch;

static batch windows(void)
{
    batch b = {.shape = {.tokens = SPANS * LENGTH,
                         .query_heads = 16,
                         .key_heads = 4,
                         .group = 4,
                         .dim = 80},
               .dtype = JUDO_BF16};
    for (int32_t i = 0; i < SPANS; i++) {
        b.spans[i] = (judo_attention_span){i * LENGTH, (i + 1) * LENGTH, 0, 0, false};
    }
    return b;
}

/* The lengths of runs one after the other. */
static batch runs(const int32_t lengths[SPANS], bool causal)
{
    batch b = windows();
    int32_t end = 0;
    for (int i = 0; i < SPANS; i++) {
        b.spans[i] = (judo_attention_span){end, end + lengths[i], 0, 0, causal};
        end += lengths[i];
    }
    b.shape.tokens = end;
    return b;
}

static bool suits(const batch *b)
{
    judo_cudnn_shape out;
    return judo_attention_suits_cudnn(&out, &b->shape, b->dtype, b->spans, SPANS, false);
}

static judo_cudnn_shape shape_of(const batch *b, int num_spans)
{
    judo_cudnn_shape out;
    assert_true(
        judo_attention_suits_cudnn(&out, &b->shape, b->dtype, b->spans, num_spans, false));
    return out;
}

static void test_suits__takes_equal_windows_as_a_batch(void **state)
{
    (void)state;
    batch b = windows();
    judo_cudnn_shape out;
    assert_true(judo_attention_suits_cudnn(&out, &b.shape, b.dtype, b.spans, SPANS, true));
    assert_int_equal(out.batch, SPANS);
    assert_int_equal(out.length, LENGTH);
    assert_int_equal(out.query_heads, 16);
    assert_int_equal(out.key_heads, 4);
    assert_int_equal(out.dim, 80);
    assert_true(out.backward);
    assert_false(out.causal || out.packed);
}

static void test_suits__takes_causal_runs(void **state)
{
    (void)state;
    batch b = runs((const int32_t[]){LENGTH, LENGTH, LENGTH, LENGTH}, true);
    judo_cudnn_shape out = shape_of(&b, SPANS);
    assert_true(out.causal);
    assert_false(out.packed);
    b.spans[2].causal = false;
    assert_false(suits(&b));
}

static void test_suits__packs_runs_of_other_lengths(void **state)
{
    (void)state;
    batch b = runs((const int32_t[]){700, 1, 1037, 900}, true);
    judo_cudnn_shape out = shape_of(&b, SPANS);
    assert_true(out.packed && out.causal);
    assert_int_equal(out.batch, SPANS);
    assert_int_equal(out.length, 1280);
    b.shape.tokens = b.spans[2].end;
    out = shape_of(&b, 3);
    assert_int_equal(out.batch, 4);
    assert_int_equal(out.length, 1280);
    b = runs((const int32_t[]){1037, 1037, 1037, 1037}, false);
    assert_true(shape_of(&b, SPANS).packed);
}

/* What is between two plans takes the larger; the next power of two is its own. */
static void test_suits__rounds_lengths_up_to_few(void **state)
{
    (void)state;
    const int32_t lengths[][2] = {{256, 256},   {257, 320},   {511, 512},   {513, 640},
                                  {1024, 1024}, {1025, 1280}, {1793, 2048}, {2049, 2560}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        batch b = runs((const int32_t[]){lengths[i][0], 200, 200, 200}, true);
        assert_int_equal(shape_of(&b, SPANS).length, lengths[i][1]);
    }
}

static void test_suits__leaves_prefixes_to_our_kernel(void **state)
{
    (void)state;
    batch b = windows();
    b.spans[3].prefix_end = LENGTH;
    assert_false(suits(&b));
}

static void test_suits__leaves_scattered_runs_to_our_kernel(void **state)
{
    (void)state;
    batch b = windows();
    judo_attention_span first = b.spans[0];
    b.spans[0] = b.spans[1];
    b.spans[1] = first;
    assert_false(suits(&b));
    b = windows();
    b.shape.tokens++;
    assert_false(suits(&b));
    b = windows();
    b.spans[1].begin++;
    assert_false(suits(&b));
}

static void test_suits__leaves_little_work_to_our_kernel(void **state)
{
    (void)state;
    batch b = runs((const int32_t[]){128, 128, 128, 128}, false);
    assert_false(suits(&b));
    b.shape.tokens = 1024;
    b.spans[0].end = 1024;
    judo_cudnn_shape out;
    assert_true(judo_attention_suits_cudnn(&out, &b.shape, b.dtype, b.spans, 1, false));
    b.shape.query_heads = 1;
    assert_false(judo_attention_suits_cudnn(&out, &b.shape, b.dtype, b.spans, 1, false));
}

/* However many they are: here as many as make the work of one long run. */
static void test_suits__leaves_visions_windows_to_our_kernel(void **state)
{
    (void)state;

    enum { WINDOWS = 1024 };

    judo_attention_span spans[WINDOWS];
    judo_attention_shape shape = {.query_heads = 16, .key_heads = 16, .group = 1, .dim = 80};
    judo_cudnn_shape out;
    for (int32_t length = 64; length <= 65; length++) {
        for (int32_t i = 0; i < WINDOWS; i++) {
            spans[i] = (judo_attention_span){i * length, (i + 1) * length, 0, 0, false};
        }
        shape.tokens = WINDOWS * length;
        assert_int_equal(
            judo_attention_suits_cudnn(&out, &shape, JUDO_BF16, spans, WINDOWS, false),
            length == 65);
    }
}

static void test_suits__leaves_what_its_offsets_cannot_count_to_our_kernel(void **state)
{
    (void)state;
    const int32_t length = 60000;
    judo_cudnn_shape out;
    batch b = runs((const int32_t[]){length, length, length, length}, true);
    assert_true(suits(&b));
    b.shape.query_heads = 128;
    assert_false(suits(&b));
    b = runs((const int32_t[]){70000, 1, 1, 1}, true);
    assert_false(judo_attention_suits_cudnn(&out, &b.shape, b.dtype, b.spans, SPANS, false));
}

static void test_suits__leaves_other_dtypes_and_dimensions_to_our_kernel(void **state)
{
    (void)state;
    const int refused[] = {16, 56, 60, 84, 136, 256};
    const int taken[] = {64, 72, 80, 128};
    batch b = windows();
    b.dtype = JUDO_F32;
    assert_false(suits(&b));
    b = windows();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        b.shape.dim = refused[i];
        assert_false(suits(&b));
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        b.shape.dim = taken[i];
        assert_true(suits(&b));
    }
}

/* Three runs in a plan for four: the fourth is empty, behind the last. */
static void test_lists__say_where_packed_runs_begin(void **state)
{
    (void)state;
    batch b = runs((const int32_t[]){700, 1, 1037, 900}, true);
    judo_cudnn_shape shape = {
        .batch = 4, .length = 1280, .query_heads = 16, .key_heads = 4, .dim = 80};
    int32_t memory[64];
    assert_int_equal(judo_attention_lists_count(&shape), 4 * 8);
    judo_attention_lists_fill(memory, &shape, b.spans, 3);
    judo_attention_lists lists = judo_attention_lists_in(memory, &shape);
    const int32_t begins[] = {0, 700, 701, 1738, 1738};
    const int32_t lengths[] = {700, 1, 1037, 0};
    assert_memory_equal(lists.lengths, lengths, sizeof lengths);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lists.query_offsets[i], begins[i] * 16 * 80);
        assert_int_equal(lists.key_offsets[i], begins[i] * 4 * 80);
        assert_int_equal(lists.lse_offsets[i], begins[i] * 16);
    }
    assert_int_equal((lists.query_offsets - memory) % 4, 0);
    assert_int_equal((lists.key_offsets - memory) % 4, 0);
    assert_int_equal((lists.lse_offsets - memory) % 4, 0);
}

static void test_switch__knows_three_words_and_refuses_others(void **state)
{
    (void)state;
    judo_attention_mode mode = JUDO_ATTENTION_OFF;
    assert_ok(judo_attention_switch(&mode, "timed"));
    assert_int_equal(mode, JUDO_ATTENTION_TIMED);
    assert_ok(judo_attention_switch(&mode, "off"));
    assert_int_equal(mode, JUDO_ATTENTION_OFF);
    assert_ok(judo_attention_switch(&mode, "auto"));
    assert_int_equal(mode, JUDO_ATTENTION_AUTO);
    mode = JUDO_ATTENTION_OFF;
    assert_ok(judo_attention_switch(&mode, NULL));
    assert_int_equal(mode, JUDO_ATTENTION_AUTO);
    assert_int_equal(judo_attention_switch(&mode, "vision"), JUDO_ERROR_ARGUMENT);
}

/* --- lessons --- */

typedef struct fake {
    bool agree, repeat, prepares, zeros;
    int fails_at; /* the run of cuDNN that fails, from 0 on */
    float our_ms, their_ms;
    judo_status our_status;
    int our_runs, their_runs, timed, kept;
} fake;

static judo_status ours(void *state)
{
    fake *f = state;
    f->our_runs++;
    return f->our_status;
}

static judo_status tells(void *state, bool *something)
{
    const fake *f = state;
    *something = !f->zeros;
    return JUDO_OK;
}

static bool prepare(void *state, char reason[JUDO_CUDNN_REASON])
{
    const fake *f = state;
    (void)strcpy(reason, "no plan");
    return f->prepares;
}

static bool theirs(void *state, int result, char reason[JUDO_CUDNN_REASON])
{
    fake *f = state;
    assert_int_equal(result, f->their_runs);
    (void)strcpy(reason, "no luck");
    return f->their_runs++ != f->fails_at;
}

static judo_status compare(void *state, bool *agree, bool *repeat)
{
    const fake *f = state;
    *agree = f->agree;
    *repeat = f->repeat;
    return JUDO_OK;
}

/* One run of each is slow, as the first is on a cold GPU: a median does not see it. */
static judo_status time_run(void *state, bool of_theirs, float *milliseconds)
{
    fake *f = state;
    float slow = f->timed < 2 ? 100.0f : 1.0f;
    *milliseconds = slow * (of_theirs ? f->their_ms : f->our_ms);
    f->timed++;
    return JUDO_OK;
}

static judo_status keep(void *state)
{
    fake *f = state;
    f->kept++;
    return JUDO_OK;
}

static const judo_attention_lesson lesson = {ours,    tells,    prepare, theirs,
                                             compare, time_run, keep};

static fake good(void)
{
    return (fake){.agree = true,
                  .repeat = true,
                  .prepares = true,
                  .fails_at = -1,
                  .our_ms = 2.0f,
                  .their_ms = 1.0f,
                  .our_status = JUDO_OK};
}

/* What a lesson says; the op itself is done in any case, and only a kept result is copied. */
static judo_attention_choice learn(fake f, bool timed)
{
    judo_attention_choice choice = {.state = JUDO_ATTENTION_UNKNOWN};
    assert_ok(judo_attention_learn(&choice, &lesson, &f, timed));
    assert_int_equal(f.our_runs, 1);
    assert_int_equal(f.kept, choice.state == JUDO_ATTENTION_CUDNN);
    assert_true(choice.state != JUDO_ATTENTION_UNKNOWN);
    return choice;
}

static void assert_declined(fake f, const char *reason)
{
    judo_attention_choice choice = learn(f, true);
    assert_int_equal(choice.state, JUDO_ATTENTION_OURS);
    assert_non_null(strstr(choice.reason, reason));
}

static void test_learn__keeps_cudnn_where_it_agrees_repeats_and_is_faster(void **state)
{
    (void)state;
    judo_attention_choice choice = learn(good(), true);
    assert_int_equal(choice.state, JUDO_ATTENTION_CUDNN);
    assert_true(choice.our_ms == 2.0f && choice.their_ms == 1.0f);
}

static void test_learn__declines_a_result_that_differs(void **state)
{
    (void)state;
    fake f = good();
    f.agree = false;
    assert_declined(f, "not ours");
    f = good();
    f.repeat = false;
    assert_declined(f, "different bits");
}

static void test_learn__declines_what_is_not_faster(void **state)
{
    (void)state;
    fake f = good();
    f.their_ms = 2.0f;
    assert_declined(f, "not faster");
    f.their_ms = 3.0f;
    assert_declined(f, "not faster");
    f.their_ms = -1.0f;
    assert_declined(f, "timed run failed");
}

static void test_learn__does_not_look_at_the_clock_unasked(void **state)
{
    (void)state;
    fake f = good();
    f.their_ms = 3.0f;
    judo_attention_choice choice = learn(f, false);
    assert_int_equal(choice.state, JUDO_ATTENTION_CUDNN);
    assert_true(choice.our_ms == 0.0f && choice.their_ms == 0.0f);
}

static void test_learn__makes_no_failure_of_the_op_from_cudnns(void **state)
{
    (void)state;
    fake f = good();
    f.prepares = false;
    assert_declined(f, "no plan");
    for (int run = 0; run < 2; run++) {
        f = good();
        f.fails_at = run;
        assert_declined(f, "no luck");
    }
}

static void test_learn__passes_on_the_failure_of_our_kernel(void **state)
{
    (void)state;
    fake f = good();
    judo_attention_choice choice = {.state = JUDO_ATTENTION_UNKNOWN};
    f.our_status = JUDO_ERROR_MEMORY;
    assert_int_equal(judo_attention_learn(&choice, &lesson, &f, true), JUDO_ERROR_MEMORY);
    assert_int_equal(choice.state, JUDO_ATTENTION_UNKNOWN);
    assert_int_equal(f.their_runs, 0);
}

static void test_learn__puts_off_a_lesson_of_zeros(void **state)
{
    (void)state;
    fake f = good();
    judo_attention_choice choice = {.state = JUDO_ATTENTION_UNKNOWN};
    f.zeros = true;
    assert_ok(judo_attention_learn(&choice, &lesson, &f, false));
    assert_int_equal(choice.state, JUDO_ATTENTION_UNKNOWN);
    assert_int_equal(f.our_runs, 1);
    assert_int_equal(f.their_runs, 0);
    f.zeros = false;
    assert_ok(judo_attention_learn(&choice, &lesson, &f, false));
    assert_int_equal(choice.state, JUDO_ATTENTION_CUDNN);
}

static void test_choice__is_kept_per_shape_until_there_are_too_many(void **state)
{
    (void)state;
    judo_cudnn_shape shape = {
        .batch = 1, .length = 64, .query_heads = 16, .key_heads = 16, .dim = 80};
    judo_attention_choice *first = judo_attention_choice_of(&shape);
    assert_non_null(first);
    assert_int_equal(first->state, JUDO_ATTENTION_UNKNOWN);
    shape.backward = true;
    assert_ptr_not_equal(judo_attention_choice_of(&shape), first);
    shape.backward = false;
    shape.causal = true;
    assert_ptr_not_equal(judo_attention_choice_of(&shape), first);
    shape.packed = true;
    assert_ptr_not_equal(judo_attention_choice_of(&shape), first);
    shape.causal = shape.packed = false;
    assert_ptr_equal(judo_attention_choice_of(&shape), first);
    for (int i = 4; i < JUDO_MOST_ATTENTION_SHAPES; i++) {
        shape.batch = i;
        assert_non_null(judo_attention_choice_of(&shape));
    }
    shape.batch = JUDO_MOST_ATTENTION_SHAPES;
    assert_null(judo_attention_choice_of(&shape));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suits__takes_equal_windows_as_a_batch),
        cmocka_unit_test(test_suits__takes_causal_runs),
        cmocka_unit_test(test_suits__packs_runs_of_other_lengths),
        cmocka_unit_test(test_suits__rounds_lengths_up_to_few),
        cmocka_unit_test(test_suits__leaves_prefixes_to_our_kernel),
        cmocka_unit_test(test_suits__leaves_scattered_runs_to_our_kernel),
        cmocka_unit_test(test_suits__leaves_little_work_to_our_kernel),
        cmocka_unit_test(test_suits__leaves_visions_windows_to_our_kernel),
        cmocka_unit_test(test_suits__leaves_what_its_offsets_cannot_count_to_our_kernel),
        cmocka_unit_test(test_suits__leaves_other_dtypes_and_dimensions_to_our_kernel),
        cmocka_unit_test(test_lists__say_where_packed_runs_begin),
        cmocka_unit_test(test_switch__knows_three_words_and_refuses_others),
        cmocka_unit_test(test_learn__keeps_cudnn_where_it_agrees_repeats_and_is_faster),
        cmocka_unit_test(test_learn__declines_a_result_that_differs),
        cmocka_unit_test(test_learn__declines_what_is_not_faster),
        cmocka_unit_test(test_learn__does_not_look_at_the_clock_unasked),
        cmocka_unit_test(test_learn__makes_no_failure_of_the_op_from_cudnns),
        cmocka_unit_test(test_learn__passes_on_the_failure_of_our_kernel),
        cmocka_unit_test(test_learn__puts_off_a_lesson_of_zeros),
        cmocka_unit_test(test_choice__is_kept_per_shape_until_there_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
