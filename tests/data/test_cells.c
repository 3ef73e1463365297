/* tests/data/test_cells.c: the rules that turn masks into cells and cells into text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data/cells.h"
#include "data/image_file.h"

static const judo_cells_rule paper = {0};
static const judo_cells_rule reference = {.coverage = 0.02, .any_if_none = true};

static void test_mask__any_pixel_marks_its_cell_in_the_paper(void **state)
{
    (void)state;
    uint8_t *mask = calloc(100 * 50, 1);
    assert_non_null(mask);
    mask[24 * 100 + 99] = 1;
    judo_cells cells = {{9, 9, 9, 9}};
    assert_int_equal(judo_cells_from_mask(mask, 100, 50, &paper, &cells), JUDO_OK);
    assert_int_equal(judo_cells_count(&cells), 1);
    assert_true(judo_cells_has(&cells, 7, 15)); /* rows 21..24 of 50: floor(7 * 50 / 16) = 21 */
    mask[24 * 100 + 99] = 0;
    mask[25 * 100 + 6] = 255;
    assert_int_equal(judo_cells_from_mask(mask, 100, 50, &paper, &cells), JUDO_OK);
    assert_true(judo_cells_has(&cells, 8, 1)); /* column edges 0, 6, 12: 6 opens the second */
    free(mask);
}

static void test_mask__coverage_drops_thin_cells_unless_nothing_would_remain(void **state)
{
    (void)state;
    uint8_t *mask = calloc(160 * 160, 1);
    assert_non_null(mask);
    mask[0] = 255; /* one of 100 pixels: below two percent */
    judo_cells cells = {0};
    judo_cells_rule strict = reference;
    strict.any_if_none = false;
    assert_int_equal(judo_cells_from_mask(mask, 160, 160, &strict, &cells), JUDO_OK);
    assert_int_equal(judo_cells_count(&cells), 0);
    assert_int_equal(judo_cells_from_mask(mask, 160, 160, &reference, &cells), JUDO_OK);
    assert_int_equal(judo_cells_count(&cells), 1);
    mask[10] = mask[11] = 255; /* two of 100: exactly two percent passes */
    assert_int_equal(judo_cells_from_mask(mask, 160, 160, &reference, &cells), JUDO_OK);
    assert_int_equal(judo_cells_count(&cells), 1);
    assert_true(judo_cells_has(&cells, 0, 1));
    free(mask);
}

static void test_mask__small_and_resized_masks_stay_in_bounds(void **state)
{
    (void)state;
    uint8_t mask[9] = {0, 0, 0, 0, 255, 0, 0, 0, 0};
    judo_cells cells = {0};
    assert_int_equal(judo_cells_from_mask(mask, 3, 3, &paper, &cells), JUDO_OK);
    assert_int_equal(judo_cells_count(&cells), 1); /* most cells of a 3 x 3 mask are empty */
    judo_cells_rule rule = {.coverage = 0.02, .resize_nearest = 512};
    assert_int_equal(judo_cells_from_mask(mask, 3, 3, &rule, &cells), JUDO_OK);
    assert_int_equal(judo_cells_count(&cells), 36); /* pixels 171..341 touch cells 5..10 */
    assert_int_equal(judo_cells_from_mask(mask, 0, 3, &paper, &cells), JUDO_ERROR_ARGUMENT);
    rule.coverage = 2;
    assert_int_equal(judo_cells_from_mask(mask, 3, 3, &rule, &cells), JUDO_ERROR_ARGUMENT);
}

static void test_format__merges_runs_and_counts_from_one(void **state)
{
    (void)state;
    judo_cells cells = {0};
    char text[64];
    assert_int_equal(judo_cells_format(&cells, ", ", "None", text, sizeof text), 4);
    assert_string_equal(text, "None");
    assert_int_equal(judo_cells_format(&cells, ", ", "", text, sizeof text), 0);
    assert_string_equal(text, "");
    judo_cells_set(&cells, 10, 11);
    judo_cells_set(&cells, 10, 12);
    judo_cells_set(&cells, 10, 13);
    judo_cells_set(&cells, 11, 10);
    judo_cells_set(&cells, 15, 15);
    const char *expected = "(11,12)-(11,14) , (12,11) , (16,16)";
    assert_int_equal(judo_cells_format(&cells, " , ", "None", text, sizeof text),
                     strlen(expected));
    assert_string_equal(text, expected);
}

static void test_format__reports_the_length_of_text_that_does_not_fit(void **state)
{
    (void)state;
    judo_cells all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    size_t length = judo_cells_format(&all, ", ", "None", NULL, 0);
    char text[8];
    assert_int_equal(judo_cells_format(&all, ", ", "None", text, sizeof text), length);
    assert_string_equal(text, "(1,1)-(");
    char *whole = malloc(length + 1);
    assert_non_null(whole);
    assert_int_equal(judo_cells_format(&all, ", ", "None", whole, length + 1), length);
    assert_int_equal(strlen(whole), length);
    free(whole);
}

/* Counted with the reference's rule in numpy on the same files. */
static void test_mask__real_masks_give_the_reference_counts(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        int any, covered;
    } masks[] = {

#include "tests/golden/magnetic_tile_cells.inc"
    };
    const char *root = getenv("JUDO_REALDATA");
    char path[4096];
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/images/magnetic_tile/%s",
                       root != NULL ? root : "../shared/data", masks[i].name);
        FILE *file = fopen(path, "rb");
        if (file == NULL) {
            skip();
        }
        (void)fclose(file);
        judo_image mask = {0};
        judo_cells cells = {0};
        assert_int_equal(judo_image_read(path, 1, &mask), JUDO_OK);
        assert_int_equal(
            judo_cells_from_mask(mask.pixels, mask.width, mask.height, &paper, &cells),
            JUDO_OK);
        assert_int_equal(judo_cells_count(&cells), masks[i].any);
        assert_int_equal(
            judo_cells_from_mask(mask.pixels, mask.width, mask.height, &reference, &cells),
            JUDO_OK);
        assert_int_equal(judo_cells_count(&cells), masks[i].covered);
        judo_image_free(&mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask__any_pixel_marks_its_cell_in_the_paper),
        cmocka_unit_test(test_mask__coverage_drops_thin_cells_unless_nothing_would_remain),
        cmocka_unit_test(test_mask__small_and_resized_masks_stay_in_bounds),
        cmocka_unit_test(test_format__merges_runs_and_counts_from_one),
        cmocka_unit_test(test_format__reports_the_length_of_text_that_does_not_fit),
        cmocka_unit_test(test_mask__real_masks_give_the_reference_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
