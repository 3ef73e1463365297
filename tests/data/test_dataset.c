/* tests/data/test_dataset.c: what a dataset's writer is given, its reader gives back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/dataset_write.h"
#include "tests/data/folder.h"
#include "tests/data/noise.h"

typedef struct fixture {
    test_folder folder;
    char path[128];
    judo_image_processor processor;
    judo_image image, mask;
    float embedding[JUDO_RATIONALE_VALUES];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = folder_make();
    (void)snprintf(f->path, sizeof f->path, "%s/set.h5", f->folder.path);
    judo_image_processor_defaults(&f->processor);
    assert_int_equal(judo_image_processor_prepare(&f->processor), JUDO_OK);
    f->image = noise(100, 60, 3);
    assert_int_equal(judo_image_create(100, 60, 1, &f->mask), JUDO_OK);
    f->mask.pixels[60 * 100 / 2] = 3;
    for (int i = 0; i < JUDO_RATIONALE_VALUES; i++) {
        f->embedding[i] = (float)i / 7;
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    judo_image_free(&f->image);
    judo_image_free(&f->mask);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static judo_dataset_writer *begin(const fixture *f)
{
    judo_dataset_writer *writer = NULL;
    assert_int_equal(judo_dataset_writer_create(f->path, &f->processor, "by a test", &writer),
                     JUDO_OK);
    return writer;
}

static void write_set(const fixture *f)
{
    judo_dataset_writer *writer = begin(f);
    int64_t query = -1;
    int64_t normal = -1;
    assert_int_equal(judo_dataset_writer_add_image(writer, &f->image, "a/query.png", &query),
                     JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_image(writer, &f->image, "a/normal.png", &normal),
                     JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_mask(writer, query, &f->mask), JUDO_OK);
    judo_sample sample = {
        .kind = JUDO_SAMPLE_CHOICE,
        .query_image = query,
        .template_image = normal,
        .question = "Is there a defect?",
        .num_options = 2,
        .options = {"Yes.", "No."},
        .letters = {'A', 'B'},
        .answer = 'B',
        .has_mask = true,
        .rationale = "It is bent.",
        .rationale_embedding = f->embedding,
        .dataset = "VisA",
        .category = "candle",
        .subtask = "Anomaly Detection",
        .source = "a/query.png",
    };
    judo_cells_set(&sample.cells, 8, 0);
    judo_cells_set(&sample.cells, 15, 15);
    assert_int_equal(judo_dataset_writer_add_sample(writer, &sample), JUDO_OK);
    const judo_sample answer = {.kind = JUDO_SAMPLE_DOMAIN_QA,
                                .query_image = normal,
                                .template_image = -1,
                                .question = "Is there a defect?",
                                .target = "It depends.",
                                .is_normal = true};
    assert_int_equal(judo_dataset_writer_add_sample(writer, &answer), JUDO_OK);
    assert_int_equal(judo_dataset_writer_commit(&writer), JUDO_OK);
    assert_null(writer);
}

static void test_sample__comes_back_as_it_was_written(void **state)
{
    const fixture *f = *state;
    write_set(f);
    judo_dataset *set = NULL;
    assert_int_equal(judo_dataset_open(f->path, f->processor.fingerprint, &set), JUDO_OK);
    assert_int_equal(judo_dataset_count(set), 2);
    assert_int_equal(judo_dataset_num_images(set), 2);
    assert_string_equal(judo_dataset_made_by(set), "by a test");
    judo_sample sample;
    assert_int_equal(judo_dataset_sample(set, 0, &sample), JUDO_OK);
    assert_int_equal(sample.kind, JUDO_SAMPLE_CHOICE);
    assert_int_equal(sample.template_image, 1);
    assert_string_equal(sample.question, "Is there a defect?");
    assert_int_equal(sample.num_options, 2);
    assert_string_equal(sample.options[1], "No.");
    assert_int_equal(sample.letters[1], 'B');
    assert_int_equal(sample.answer, 'B');
    assert_string_equal(sample.target, "");
    assert_true(sample.has_mask);
    assert_int_equal(judo_cells_count(&sample.cells), 2);
    assert_true(judo_cells_has(&sample.cells, 15, 15));
    assert_string_equal(sample.rationale, "It is bent.");
    assert_memory_equal(sample.rationale_embedding, f->embedding, sizeof f->embedding);
    assert_string_equal(sample.category, "candle");
    assert_string_equal(sample.defect, "");
    assert_int_equal(judo_dataset_sample(set, 1, &sample), JUDO_OK);
    assert_null(sample.rationale_embedding);
    assert_int_equal(sample.template_image, -1);
    assert_true(sample.is_normal);
    assert_string_equal(sample.target, "It depends.");
    assert_int_equal(judo_dataset_sample(set, 2, &sample), JUDO_ERROR_ARGUMENT);
    int64_t *indices = NULL;
    int64_t n = 0;
    assert_int_equal(judo_dataset_select(set, JUDO_SAMPLE_DOMAIN_QA, &indices, &n), JUDO_OK);
    assert_int_equal(n, 1);
    assert_int_equal(indices[0], 1);
    free(indices);
    judo_dataset_close(&set);
}

static void test_image__is_the_processed_picture_with_its_mask(void **state)
{
    const fixture *f = *state;
    write_set(f);
    judo_dataset *set = NULL;
    assert_int_equal(judo_dataset_open(f->path, NULL, &set), JUDO_OK);
    judo_image expected = {0};
    judo_image image = {0};
    judo_image mask = {0};
    assert_int_equal(judo_image_processor_resize(&f->processor, &f->image, &expected), JUDO_OK);
    assert_int_equal(judo_dataset_image(set, 1, &image), JUDO_OK);
    assert_int_equal(image.width, expected.width);
    assert_int_equal(image.height, expected.height);
    assert_memory_equal(image.pixels, expected.pixels,
                        (size_t)(3 * image.width * image.height));
    assert_int_equal(judo_dataset_mask(set, 0, &mask), JUDO_OK);
    assert_int_equal(mask.width, image.width);
    assert_int_equal(mask.channels, 1);
    int marked = 0;
    for (int i = 0; i < mask.width * mask.height; i++) {
        assert_true(mask.pixels[i] == 0 || mask.pixels[i] == 255);
        marked += mask.pixels[i] != 0;
    }
    assert_true(marked > 0);
    judo_image_free(&mask);
    assert_int_equal(judo_dataset_mask(set, 1, &mask), JUDO_OK);
    assert_null(mask.pixels);
    assert_int_equal(judo_dataset_image(set, 2, &mask), JUDO_ERROR_ARGUMENT);
    judo_image_free(&image);
    judo_image_free(&expected);
    judo_dataset_close(&set);
}

static void test_open__refuses_another_processor(void **state)
{
    const fixture *f = *state;
    write_set(f);
    judo_dataset *set = NULL;
    assert_int_equal(judo_dataset_open(f->path, "judo1-0123456789abcdef", &set),
                     JUDO_ERROR_MISMATCH);
    assert_null(set);
}

static void test_writer__checks_samples_and_leaves_no_file_when_discarded(void **state)
{
    const fixture *f = *state;
    judo_dataset_writer *writer = begin(f);
    const judo_sample good = {
        .kind = JUDO_SAMPLE_DOMAIN_QA, .query_image = -1, .template_image = -1};
    judo_sample bad = good;
    bad.query_image = 0;
    assert_int_equal(judo_dataset_writer_add_sample(writer, &bad), JUDO_ERROR_ARGUMENT);
    bad = good;
    bad.answer = 'A';
    assert_int_equal(judo_dataset_writer_add_sample(writer, &bad), JUDO_ERROR_ARGUMENT);
    bad = good;
    bad.num_options = 2;
    bad.options[0] = bad.options[1] = "x";
    bad.letters[0] = bad.letters[1] = 'A';
    assert_int_equal(judo_dataset_writer_add_sample(writer, &bad), JUDO_ERROR_ARGUMENT);
    bad = good;
    bad.kind = (judo_sample_kind)3;
    assert_int_equal(judo_dataset_writer_add_sample(writer, &bad), JUDO_ERROR_ARGUMENT);
    int64_t index = -1;
    assert_int_equal(judo_dataset_writer_add_image(writer, &f->image, "a", &index), JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_image(writer, &f->image, "a", &index),
                     JUDO_ERROR_ARGUMENT);
    judo_image tall = {0};
    assert_int_equal(judo_image_create(60, 100, 1, &tall), JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_mask(writer, 0, &tall), JUDO_ERROR_MISMATCH);
    judo_image_free(&tall);
    judo_dataset_writer_discard(&writer);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(rmdir(f->folder.path), 0); /* the spools have no names */
}

static void test_writer__keeps_a_set_without_images_or_masks(void **state)
{
    const fixture *f = *state;
    judo_dataset_writer *writer = begin(f);
    const judo_sample sample = {
        .kind = JUDO_SAMPLE_DOMAIN_QA, .query_image = -1, .template_image = -1, .target = "t"};
    assert_int_equal(judo_dataset_writer_add_sample(writer, &sample), JUDO_OK);
    assert_int_equal(judo_dataset_writer_commit(&writer), JUDO_OK);
    judo_dataset *set = NULL;
    assert_int_equal(judo_dataset_open(f->path, NULL, &set), JUDO_OK);
    assert_int_equal(judo_dataset_num_images(set), 0);
    assert_int_equal(judo_dataset_count(set), 1);
    judo_dataset_close(&set);
}

/* Whatever opens must be readable throughout without harm. */
static void read_everything(const char *path)
{
    judo_dataset *set = NULL;
    if (judo_dataset_open(path, NULL, &set) != JUDO_OK) {
        assert_null(set);
        return;
    }
    for (int64_t i = 0; i < judo_dataset_count(set); i++) {
        judo_sample sample;
        assert_int_equal(judo_dataset_sample(set, i, &sample), JUDO_OK);
        assert_true(strlen(sample.question) < 1000);
    }
    for (int64_t i = 0; i < judo_dataset_num_images(set); i++) {
        judo_image image = {0};
        if (judo_dataset_image(set, i, &image) == JUDO_OK) {
            judo_image_free(&image);
        }
        if (judo_dataset_mask(set, i, &image) == JUDO_OK) {
            judo_image_free(&image);
        }
    }
    judo_dataset_close(&set);
}

static void test_open__survives_truncated_and_flipped_files(void **state)
{
    const fixture *f = *state;
    write_set(f);
    char *bytes = NULL;
    size_t length = 0;
    assert_int_equal(judo_file_read_all(f->path, 1 << 26, &bytes, &length), JUDO_OK);
    size_t step = 1 + length / 400;
    int descriptor = open(f->path, O_RDWR);
    assert_true(descriptor >= 0);
    for (size_t i = 0; i < length; i += step) {
        char flipped = (char)~bytes[i];
        assert_int_equal(pwrite(descriptor, &flipped, 1, (off_t)i), 1);
        read_everything(f->path);
        assert_int_equal(pwrite(descriptor, &bytes[i], 1, (off_t)i), 1);
    }
    for (size_t cut = length - 1; cut > length / 60; cut -= length / 60) {
        assert_int_equal(ftruncate(descriptor, (off_t)cut), 0);
        judo_dataset *set = NULL;
        assert_int_not_equal(judo_dataset_open(f->path, NULL, &set), JUDO_OK);
    }
    (void)close(descriptor);
    free(bytes);
}

int main(void)
{
#define SET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SET_TEST(test_sample__comes_back_as_it_was_written),
        SET_TEST(test_image__is_the_processed_picture_with_its_mask),
        SET_TEST(test_open__refuses_another_processor),
        SET_TEST(test_writer__checks_samples_and_leaves_no_file_when_discarded),
        SET_TEST(test_writer__keeps_a_set_without_images_or_masks),
        SET_TEST(test_open__survives_truncated_and_flipped_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
