/* tests/data/test_batch_builder.c: positions, spans and targets of packed batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data/batch_builder.h"
#include "data/mrope_positions.h"
#include "tests/data/noise.h"

static judo_image_processor processor;

static int set_up(void **state)
{
    judo_image_processor_defaults(&processor);
    assert_int_equal(judo_image_processor_prepare(&processor), JUDO_OK);
    judo_batch_builder *builder = NULL;
    assert_int_equal(judo_batch_builder_create(&processor, &builder), JUDO_OK);
    *state = builder;
    return 0;
}

static int tear_down(void **state)
{
    judo_batch_builder *builder = *state;
    judo_batch_builder_destroy(&builder);
    return 0;
}

static void test_positions__match_the_published_example(void **state)
{
    (void)state;
    static const int32_t expected[3][13] = {
        {0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 7, 8, 9},
        {0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 7, 8, 9},
        {0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8, 9},
    };
    int32_t t[13], h[13], w[13], next = 0;
    const judo_mrope_image image = {4, 2, 3};
    assert_int_equal(judo_mrope_positions(13, &image, 1, 0, t, h, w, &next), JUDO_OK);
    assert_memory_equal(t, expected[0], sizeof t);
    assert_memory_equal(h, expected[1], sizeof h);
    assert_memory_equal(w, expected[2], sizeof w);
    assert_int_equal(next, 10);
}

static void test_positions__of_a_judo_prompt_end_at_41(void **state)
{
    (void)state;

    enum { TOKENS = 654 };

    static int32_t t[TOKENS], h[TOKENS], w[TOKENS];
    int32_t next = 0;
    const judo_mrope_image images[2] = {{2, 18, 18}, {328, 18, 18}};
    assert_int_equal(judo_mrope_positions(TOKENS, images, 2, 0, t, h, w, &next), JUDO_OK);
    assert_int_equal(t[2], 2);
    assert_int_equal(t[326], 20);
    assert_int_equal(w[327], 21);
    assert_int_equal(h[328], 22);
    assert_int_equal(h[652], 40);
    assert_int_equal(t[653], 41);
    assert_int_equal(next, TOKENS - 612);
}

static void test_positions__refuse_images_that_overlap_or_overrun(void **state)
{
    (void)state;
    int32_t t[8], h[8], w[8], next = 0;
    const judo_mrope_image overlap[2] = {{0, 2, 2}, {3, 1, 1}};
    const judo_mrope_image overrun = {6, 2, 2};
    const judo_mrope_image huge = {0, INT32_MAX, INT32_MAX};
    assert_int_equal(judo_mrope_positions(8, overlap, 2, 0, t, h, w, &next),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_mrope_positions(8, &overrun, 1, 0, t, h, w, &next),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_mrope_positions(8, &huge, 1, 0, t, h, w, &next), JUDO_ERROR_ARGUMENT);
}

static void test_add__packs_sequences_behind_each_other(void **state)
{
    judo_batch_builder *builder = *state;
    judo_image images[2] = {noise(56, 28, 3), noise(28, 28, 3)};
    const int32_t first[] = {5, 100, 100, 6, 7};
    const int32_t second[] = {8, 100, 9};
    const int32_t starts[] = {1};
    const judo_sequence a = {first, 5, 4, 0.5f, 1, &images[0], starts};
    const judo_sequence b = {second, 3, 2, 2.0f, 1, &images[1], starts};
    assert_int_equal(judo_batch_builder_add(builder, &a), JUDO_OK);
    assert_int_equal(judo_batch_builder_add(builder, &b), JUDO_OK);
    judo_batch batch;
    assert_int_equal(judo_batch_builder_batch(builder, &batch), JUDO_OK);
    assert_int_equal(batch.num_tokens, 8);
    assert_memory_equal(batch.tokens, ((int32_t[]){5, 100, 100, 6, 7, 8, 100, 9}), 32);
    assert_memory_equal(batch.positions + 16, ((int32_t[]){0, 1, 2, 3, 4, 0, 1, 2}), 32);
    assert_memory_equal(batch.positions, ((int32_t[]){0, 1, 1, 3, 4, 0, 1, 2}), 32);
    assert_int_equal(batch.num_spans, 2);
    assert_int_equal(batch.spans[1].begin, 5);
    assert_int_equal(batch.spans[1].end, 8);
    assert_int_equal(batch.spans[1].prefix_begin, batch.spans[1].prefix_end);
    assert_true(batch.spans[1].causal);
    assert_int_equal(batch.num_images, 2);
    assert_int_equal(batch.images[0].h, 2);
    assert_int_equal(batch.images[0].w, 4);
    assert_int_equal(batch.images[1].first_patch, 8);
    assert_int_equal(batch.images[1].first_visual, 2);
    assert_int_equal(batch.num_patches, 12);
    assert_int_equal(batch.num_visual, 3);
    assert_memory_equal(batch.visual_rows, ((int32_t[]){1, 2, 6}), 12);
    assert_int_equal(batch.num_targets, 2);
    assert_memory_equal(batch.target_rows, ((int32_t[]){3, 6}), 8);
    assert_memory_equal(batch.target_tokens, ((int32_t[]){7, 9}), 8);
    assert_memory_equal(batch.target_weights, ((float[]){0.5f, 2.0f}), 8);
    assert_memory_equal(batch.target_sequences, ((int32_t[]){0, 1}), 8);
    assert_int_equal(batch.num_sequences, 2);
    assert_memory_equal(batch.pixels, images[0].pixels, 8 * 588);
    assert_memory_equal(batch.pixels + 8 * 588, images[1].pixels, 4 * 588);
    judo_patch_form form = judo_image_processor_form(&processor);
    assert_memory_equal(&batch.patch_form, &form, sizeof form);
    assert_int_equal(form.side, 14);
    assert_int_equal(form.frames, 2);
    assert_int_equal(form.merge, 2);
    judo_image_free(&images[0]);
    judo_image_free(&images[1]);
}

static void test_group__shares_its_prompt(void **state)
{
    judo_batch_builder *builder = *state;
    const int32_t lead[] = {1};
    const judo_sequence before = {lead, 1, 1, 1, 0, NULL, NULL};
    judo_image image = noise(28, 56, 3);
    const int32_t prompt_tokens[] = {10, 100, 100, 11};
    const int32_t starts[] = {1};
    const judo_sequence prompt = {prompt_tokens, 4, 4, 0, 1, &image, starts};
    const int32_t c1[] = {20, 21, 22};
    const int32_t c3[] = {30};
    const judo_completion completions[] = {{c1, 3, 1.5f}, {NULL, 0, 1}, {c3, 1, -2.0f}};
    assert_int_equal(judo_batch_builder_add(builder, &before), JUDO_OK);
    assert_int_equal(judo_batch_builder_add_group(builder, &prompt, completions, 3), JUDO_OK);
    judo_batch batch;
    assert_int_equal(judo_batch_builder_batch(builder, &batch), JUDO_OK);
    assert_int_equal(batch.num_tokens, 9);
    /* The image of two rows and one column takes two positions: 1 and 2. */
    assert_memory_equal(batch.positions, ((int32_t[]){0, 0, 1, 1, 3, 4, 5, 6, 4}), 36);
    assert_memory_equal(batch.positions + 9, ((int32_t[]){0, 0, 1, 2, 3, 4, 5, 6, 4}), 36);
    assert_int_equal(batch.num_spans, 4);
    const judo_attention_span *spans = batch.spans;
    assert_int_equal(spans[2].begin, 5);
    assert_int_equal(spans[2].end, 8);
    assert_int_equal(spans[3].begin, 8);
    assert_int_equal(spans[3].end, 9);
    for (int i = 2; i < 4; i++) {
        assert_int_equal(spans[i].prefix_begin, 1);
        assert_int_equal(spans[i].prefix_end, 5);
        assert_true(spans[i].causal);
    }
    assert_int_equal(batch.num_targets, 4);
    assert_memory_equal(batch.target_rows, ((int32_t[]){4, 5, 6, 4}), 16);
    assert_memory_equal(batch.target_tokens, ((int32_t[]){20, 21, 22, 30}), 16);
    assert_memory_equal(batch.target_sequences, ((int32_t[]){1, 1, 1, 3}), 16);
    assert_memory_equal(batch.target_weights, ((float[]){1.5f, 1.5f, 1.5f, -2.0f}), 16);
    assert_int_equal(batch.num_sequences, 4);
    assert_int_equal(batch.num_images, 1);
    judo_image_free(&image);
}

static void test_add__leaves_the_batch_as_it_was_on_failure(void **state)
{
    judo_batch_builder *builder = *state;
    const int32_t tokens[] = {1, 2, 3};
    const judo_sequence good = {tokens, 3, 1, 1, 0, NULL, NULL};
    assert_int_equal(judo_batch_builder_add(builder, &good), JUDO_OK);
    judo_image image = noise(56, 56, 3);
    const int32_t starts[] = {0};
    const judo_sequence overrun = {tokens, 3, 3, 1, 1, &image, starts}; /* needs 4 tokens */
    assert_int_equal(judo_batch_builder_add(builder, &overrun), JUDO_ERROR_ARGUMENT);
    const judo_completion bad = {tokens, -1, 1};
    judo_sequence prompt = good;
    prompt.first_target = 3;
    assert_int_equal(judo_batch_builder_add_group(builder, &prompt, &bad, 1),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_batch_builder_add_group(builder, &good, &bad, 1),
                     JUDO_ERROR_ARGUMENT);
    judo_sequence first_token = good;
    first_token.first_target = 0;
    assert_int_equal(judo_batch_builder_add(builder, &first_token), JUDO_ERROR_ARGUMENT);
    image.width = 55;
    assert_int_equal(judo_batch_builder_add(builder, &overrun), JUDO_ERROR_MISMATCH);
    judo_batch batch;
    assert_int_equal(judo_batch_builder_batch(builder, &batch), JUDO_OK);
    assert_int_equal(batch.num_tokens, 3);
    assert_int_equal(batch.num_patches, 0);
    assert_int_equal(batch.num_images, 0);
    assert_int_equal(batch.num_visual, 0);
    assert_int_equal(batch.num_targets, 2);
    assert_int_equal(batch.num_sequences, 1);
    judo_batch_builder_reset(builder);
    assert_int_equal(judo_batch_builder_batch(builder, &batch), JUDO_OK);
    assert_int_equal(batch.num_tokens, 0);
    assert_int_equal(batch.num_sequences, 0);
    judo_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions__match_the_published_example),
        cmocka_unit_test(test_positions__of_a_judo_prompt_end_at_41),
        cmocka_unit_test(test_positions__refuse_images_that_overlap_or_overrun),
        cmocka_unit_test_setup_teardown(test_add__packs_sequences_behind_each_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_group__shares_its_prompt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add__leaves_the_batch_as_it_was_on_failure, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
