/* tests/models/test_batch_check.c: batches that cannot be run are refused before any kernel. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/batch_check.h"
#include "tests/models/fixture.h"

typedef void (*spoil)(built_batch *b);

static void bad_token(built_batch *b)
{
    b->tokens[1] = 64;
}

static void negative_token(built_batch *b)
{
    b->tokens[1] = -1;
}

static void negative_position(built_batch *b)
{
    b->positions[5] = -3;
}

static void gap_in_spans(built_batch *b)
{
    b->spans[0].begin = 1;
}

static void short_spans(built_batch *b)
{
    b->spans[0].end--;
}

static void late_prefix(built_batch *b)
{
    b->spans[0].prefix_end = 5;
}

static void odd_grid(built_batch *b)
{
    b->images[0].h--;
}

static void video(built_batch *b)
{
    b->images[0].t = 2;
}

static void shifted_image(built_batch *b)
{
    b->images[1].first_patch++;
}

static void missing_patches(built_batch *b)
{
    b->batch.num_patches -= 4;
}

static void missing_pixels(built_batch *b)
{
    b->batch.pixels = NULL;
}

static void no_deviation(built_batch *b)
{
    b->batch.patch_form.deviation[2] = 0.0f;
}

static void endless_mean(built_batch *b)
{
    b->batch.patch_form.mean[0] = INFINITY;
}

/* Patches of another model's processor: larger ones would be read past the pixels' end. */
static void other_side(built_batch *b)
{
    b->batch.patch_form.side++;
}

static void other_frames(built_batch *b)
{
    b->batch.patch_form.frames = 1;
}

static void other_merge(built_batch *b)
{
    b->batch.patch_form.merge = 1;
}

static void endless_image(built_batch *b)
{
    b->images[0].h = INT32_MAX - 1;
    b->images[0].w = INT32_MAX - 1;
}

static void visual_row_outside(built_batch *b)
{
    b->visual_rows[b->batch.num_visual - 1] = b->batch.num_tokens;
}

static void visual_row_twice(built_batch *b)
{
    b->visual_rows[1] = b->visual_rows[0];
}

static void target_row_outside(built_batch *b)
{
    b->target_rows[0] = b->batch.num_tokens;
}

static void target_token_outside(built_batch *b)
{
    b->target_tokens[0] = -100;
}

static void negative_count(built_batch *b)
{
    b->batch.num_targets = -1;
}

static void test_batch__each_defect_is_refused(void **state)
{
    (void)state;
    const spoil defects[] = {bad_token,
                             negative_token,
                             negative_position,
                             gap_in_spans,
                             short_spans,
                             late_prefix,
                             odd_grid,
                             video,
                             shifted_image,
                             missing_patches,
                             missing_pixels,
                             no_deviation,
                             endless_mean,
                             endless_image,
                             visual_row_twice,
                             visual_row_outside,
                             target_row_outside,
                             negative_count,
                             target_token_outside};
    fixture f;
    fixture_open(&f, "tied");
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
        built_batch b = batch_pack(&f.config, &f.sequence, 1);
        assert_ok(judo_batch_check(&f.config, &b.batch));
        defects[i](&b);
        judo_status status = judo_batch_check(&f.config, &b.batch);
        assert_true(status == JUDO_ERROR_ARGUMENT || status == JUDO_ERROR_UNSUPPORTED);
        assert_non_null(strstr(judo_error_message(), "batch: "));
        batch_free(&b);
    }
    fixture_close(&f);
}

static void test_batch__cut_for_another_model_is_refused(void **state)
{
    (void)state;
    const spoil others[] = {other_side, other_frames, other_merge};
    fixture f;
    fixture_open(&f, "tied");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        built_batch b = batch_pack(&f.config, &f.sequence, 1);
        others[i](&b);
        assert_int_equal(judo_batch_check(&f.config, &b.batch), JUDO_ERROR_MISMATCH);
        assert_non_null(strstr(judo_error_message(), "preprocessor_config.json"));
        batch_free(&b);
    }
    fixture_close(&f);
}

static void test_batch__larger_than_the_plan_is_refused_with_the_numbers(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "tied");
    built_batch b = batch_pack(&f.config, &f.sequence, 1);
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f};
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    options.max_tokens = b.batch.num_tokens - 1;
    loaded l = fixture_load(&f, &options);
    assert_int_equal(
        judo_model_run(l.model, judo_local_params_base(l.params), &b.batch, &loss, true, NULL),
        JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "max_tokens"));
    assert_int_equal(judo_model_check_batch(l.model, &b.batch), JUDO_ERROR_ARGUMENT);
    fixture_unload(&l);
    options.max_tokens++;
    options.max_patches = b.batch.num_patches;
    l = fixture_load(&f, &options);
    assert_ok(judo_model_check_batch(l.model, &b.batch));
    assert_ok(
        judo_model_run(l.model, judo_local_params_base(l.params), &b.batch, &loss, true, NULL));
    fixture_unload(&l);
    options.forward_only = true;
    l = fixture_load(&f, &options);
    assert_int_equal(
        judo_model_run(l.model, judo_local_params_base(l.params), &b.batch, &loss, true, NULL),
        JUDO_ERROR_ARGUMENT);
    fixture_unload(&l);
    batch_free(&b);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch__each_defect_is_refused),
        cmocka_unit_test(test_batch__cut_for_another_model_is_refused),
        cmocka_unit_test(test_batch__larger_than_the_plan_is_refused_with_the_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
