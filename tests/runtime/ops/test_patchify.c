/* tests/runtime/ops/test_patchify.c: patches of pictures against a plain loop over the
 * definition, to the bit; tests/data/test_image_processor.c has those of Transformers. */
#include "tests/runtime/ops/support.h"

enum { MOST_IMAGES = 3, MOST_SQUARES = 512 };

typedef struct patch_case {
    judo_patch_form form;
    int num_images;
    int32_t grids[MOST_IMAGES][2]; /* patches high and wide */
} patch_case;

#define SCALE                                                                                  \
    .mean = {0.48145466f, 0.4578275f, 0.40821073f},                                            \
    .deviation = {0.26862954f, 0.26130258f, 0.27577711f}

static const patch_case cases[] = {
    /* The model's form; an odd number of squares either way. */
    {{.side = 14, .frames = 2, .merge = 2, SCALE}, 3, {{6, 2}, {2, 10}, {2, 2}}},
    {{.side = 2, .frames = 2, .merge = 2, SCALE}, 2, {{4, 8}, {10, 6}}},
    /* Neither a patch nor a square is a multiple of 16 bytes. */
    {{.side = 3, .frames = 1, .merge = 1, SCALE}, 2, {{5, 7}, {1, 1}}},
    {{.side = 5, .frames = 3, .merge = 3, SCALE}, 1, {{3, 9}}},
    {{.side = 1, .frames = 1, .merge = 2, SCALE}, 1, {{20, 2}}},
};

enum { NUM_CASES = sizeof cases / sizeof *cases };

typedef struct drawn {
    judo_tensor pixels, y;
    judo_patch_square squares[MOST_SQUARES];
    float *expected;
    int64_t count;
} drawn;

static float value_of(uint8_t pixel, const judo_patch_form *form, int channel)
{
    float scaled = (float)(pixel * (1.0 / 255.0));
    return stored((scaled - form->mean[channel]) / form->deviation[channel]);
}

/* The patch whose upper left pixel is `from`; returns where the next one begins. */
static float *expect_patch(float *to, const uint8_t *from, int64_t row,
                           const judo_patch_form *form)
{
    for (int c = 0; c < JUDO_PATCH_CHANNELS; c++) {
        for (int t = 0; t < form->frames; t++) {
            for (int y = 0; y < form->side; y++) {
                for (int x = 0; x < form->side; x++) {
                    *to++ = value_of(from[y * row + 3 * x + c], form, c);
                }
            }
        }
    }
    return to;
}

/* Squares from the last to the first: the order is the caller's. */
static void list_squares(drawn *d, const patch_case *c)
{
    const int32_t merge = c->form.merge;
    const int32_t side = c->form.side;
    int64_t first = 0;
    d->count = 0;
    for (int i = 0; i < c->num_images; i++) {
        int64_t row = 3LL * c->grids[i][1] * side;
        for (int32_t y = 0; y < c->grids[i][0]; y += merge) {
            for (int32_t x = 0; x < c->grids[i][1]; x += merge) {
                assert_true(d->count < MOST_SQUARES);
                d->squares[d->count++] =
                    (judo_patch_square){first + y * side * row + 3LL * x * side, row};
            }
        }
        first += c->grids[i][0] * side * row;
    }
    d->pixels.dims[0] = first;
    for (int64_t i = 0; i < d->count / 2; i++) {
        judo_patch_square other = d->squares[d->count - 1 - i];
        d->squares[d->count - 1 - i] = d->squares[i];
        d->squares[i] = other;
    }
}

static void draw(drawn *d, const patch_case *c)
{
    const judo_patch_form *form = &c->form;
    *d = (drawn){.pixels = {.dtype = JUDO_U8, .num_dims = 1}};
    list_squares(d, c);
    int64_t unit = (int64_t)form->merge * form->merge;
    int64_t values = 3LL * form->frames * form->side * form->side;
    /* Memory of exactly their size: the sanitizers see every step outside. */
    uint8_t *pixels = malloc(d->pixels.dims[0] > 0 ? (size_t)d->pixels.dims[0] : 1);
    assert_non_null(pixels);
    for (int64_t i = 0; i < d->pixels.dims[0]; i++) {
        pixels[i] = (uint8_t)(i * 7919 % 257);
    }
    d->pixels.data = pixels;
    d->y = new_2d(d->count * unit, values);
    fill_with(&d->y, 7.0f);
    d->expected = malloc((size_t)(d->count * unit * values + 1) * sizeof *d->expected);
    assert_non_null(d->expected);
    float *to = d->expected;
    for (int64_t s = 0; s < d->count; s++) {
        for (int32_t i = 0; i < unit; i++) {
            to = expect_patch(to,
                              pixels + d->squares[s].first_byte +
                                  i / form->merge * form->side * d->squares[s].row_bytes +
                                  3LL * (i % form->merge) * form->side,
                              d->squares[s].row_bytes, form);
        }
    }
}

static void discard(drawn *d)
{
    free(d->pixels.data);
    free(d->expected);
    FREE(&d->y);
}

static void assert_expected(const drawn *d, const char *what)
{
    judo_tensor expected = d->y;
    expected.data = d->expected;
    assert_same_bits(&d->y, &expected, what);
}

static void test_patches__are_those_of_a_plain_loop(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_CASES; i++) {
        static drawn d;
        draw(&d, &cases[i]);
        assert_ok(JUDO_TEST_OPS->patchify(&d.y, &d.pixels, d.squares, d.count, &cases[i].form));
        assert_expected(&d, "patches");
        discard(&d);
    }
}

static void test_patches__are_the_same_for_every_number_of_threads(void **state)
{
    (void)state;
    static drawn d;
    const patch_case large = {{.side = 14, .frames = 2, .merge = 2, SCALE}, 1, {{12, 10}}};
    draw(&d, &large);
    for (int threads = 1; threads <= thread_counts(3); threads++) {
        judo_ops_cpu_set_threads(threads);
        fill_with(&d.y, 7.0f);
        assert_ok(JUDO_TEST_OPS->patchify(&d.y, &d.pixels, d.squares, d.count, &large.form));
        assert_expected(&d, "patches");
    }
    judo_ops_cpu_set_threads(1);
    discard(&d);
}

static void test_patches__of_no_picture_are_none(void **state)
{
    (void)state;
    judo_tensor y = new_2d(0, 1176);
    judo_tensor pixels = {.dtype = JUDO_U8, .num_dims = 1};
    assert_ok(JUDO_TEST_OPS->patchify(&y, &pixels, NULL, 0, &cases[0].form));
    FREE(&y);
}

static void test_patches__outside_of_the_pixels_are_an_error(void **state)
{
    (void)state;
    static drawn d;
    const patch_case *c = &cases[0];
    draw(&d, c);
    const judo_patch_square last = d.squares[0];
    const int64_t bytes = d.pixels.dims[0];
    const judo_patch_square bad[] = {
        {-1, last.row_bytes},
        {last.first_byte + 1, last.row_bytes},
        {last.first_byte, last.row_bytes + 1},
        {0, 0},
        {0, 83}, /* rows that overlap */
        {0, -last.row_bytes},
        {bytes, last.row_bytes},
        {INT64_MAX, last.row_bytes},
        {0, INT64_MAX},
        {INT64_MAX, INT64_MAX},
        {INT64_MIN, INT64_MIN},
    };
    assert_int_equal(last.first_byte + 27 * last.row_bytes + 84, bytes);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        d.squares[1] = bad[i];
        assert_int_equal(JUDO_TEST_OPS->patchify(&d.y, &d.pixels, d.squares, d.count, &c->form),
                         JUDO_ERROR_ARGUMENT);
        assert_non_null(strstr(judo_error_message(), "square 1 "));
    }
    discard(&d);
}

static void test_patches__of_another_shape_are_an_error(void **state)
{
    (void)state;
    static drawn d;
    const patch_case *c = &cases[0];
    draw(&d, c);
    const judo_ops *ops = JUDO_TEST_OPS;
    judo_patch_form form = c->form;
    form.frames = 1;
    assert_int_equal(ops->patchify(&d.y, &d.pixels, d.squares, d.count, &form),
                     JUDO_ERROR_INTERNAL);
    assert_int_equal(ops->patchify(&d.y, &d.pixels, d.squares, d.count - 1, &c->form),
                     JUDO_ERROR_INTERNAL);
    form.frames = 0;
    assert_int_equal(ops->patchify(&d.y, &d.pixels, d.squares, d.count, &form),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(ops->patchify(&d.y, &d.pixels, d.squares, -1, &c->form),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(ops->patchify(&d.y, &d.y, d.squares, d.count, &c->form),
                     JUDO_ERROR_UNSUPPORTED);
    discard(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patches__are_those_of_a_plain_loop),
        cmocka_unit_test(test_patches__are_the_same_for_every_number_of_threads),
        cmocka_unit_test(test_patches__of_no_picture_are_none),
        cmocka_unit_test(test_patches__outside_of_the_pixels_are_an_error),
        cmocka_unit_test(test_patches__of_another_shape_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
