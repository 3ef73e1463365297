/* tests/data/test_image_processor.c: patches equal those of Transformers' processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/image_processor.h"
#include "tests/data/natural_patches.h"
#include "tests/data/noise.h"

static void test_size__matches_the_published_examples(void **state)
{
    (void)state;
    static const int32_t table[][4] = {
        {512, 512, 504, 504},     {640, 480, 644, 476},
        {1024, 1024, 1036, 1036}, {30, 30, 56, 56},
        {5000, 5000, 3556, 3556}, {70, 70, 56, 56}, /* 2.5 rounds to the even 2 */
        {42, 98, 56, 112},
    };
    judo_image_processor processor;
    judo_image_processor_defaults(&processor);
    assert_int_equal(judo_image_processor_prepare(&processor), JUDO_OK);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int32_t width = 0, height = 0;
        assert_int_equal(
            judo_image_processor_size(&processor, table[i][0], table[i][1], &width, &height),
            JUDO_OK);
        assert_int_equal(width, table[i][2]);
        assert_int_equal(height, table[i][3]);
    }
    int32_t width = 0, height = 0;
    assert_int_equal(judo_image_processor_size(&processor, 2010, 10, &width, &height),
                     JUDO_ERROR_FORMAT);
}

static void check_row(const int32_t size[2], const int64_t limits[2], const int32_t grid[2],
                      uint32_t crc)
{
    judo_image_processor processor;
    judo_image_processor_defaults(&processor);
    processor.min_pixels = limits[0];
    processor.max_pixels = limits[1];
    assert_int_equal(judo_image_processor_prepare(&processor), JUDO_OK);
    judo_image image = noise(size[0], size[1], 3);
    judo_image processed = {0};
    assert_int_equal(judo_image_processor_resize(&processor, &image, &processed), JUDO_OK);
    judo_image_grid found;
    judo_batch batch;
    assert_int_equal(natural_batch(&processor, &processed, &found, &batch), JUDO_OK);
    assert_int_equal(found.h, grid[0]);
    assert_int_equal(found.w, grid[1]);
    size_t count = (size_t)natural_patch_values(&batch);
    float *patches = malloc(count * sizeof *patches);
    assert_non_null(patches);
    assert_int_equal(natural_patches(&batch, patches), JUDO_OK);
    if (crc32_of(patches, count * sizeof *patches) != crc) {
        fail_msg("%d x %d: patches differ", size[0], size[1]);
    }
    free(patches);
    judo_image_free(&processed);
    judo_image_free(&image);
}

static void test_patches__equal_those_of_transformers_to_the_bit(void **state)
{
    (void)state;
    FILE *table = fopen("tests/golden/image_processor.txt", "r");
    assert_non_null(table);
    int32_t size[2], grid[2];
    long long limits[2];
    unsigned crc = 0;
    int rows = 0;
    while (fscanf(table, "%d %d %lld %lld %d %d %x %*f %*f", &size[0], &size[1], &limits[0],
                  &limits[1], &grid[0], &grid[1], &crc) == 7) {
        check_row(size, (int64_t[]){limits[0], limits[1]}, grid, crc);
        rows++;
    }
    (void)fclose(table);
    assert_int_equal(rows, 6);
}

static void test_square__gives_every_judo_picture_36_by_36_patches(void **state)
{
    (void)state;
    judo_image_processor processor;
    judo_image_processor_defaults(&processor);
    processor.square = 512;
    assert_int_equal(judo_image_processor_prepare(&processor), JUDO_OK);
    judo_image image = noise(61, 33, 3);
    judo_image processed = {0};
    assert_int_equal(judo_image_processor_resize(&processor, &image, &processed), JUDO_OK);
    assert_int_equal(processed.width, 504);
    assert_int_equal(processed.height, 504);
    int32_t rows = 0, columns = 0;
    processed.width = 505;
    assert_int_equal(judo_image_processor_grid(&processor, &processed, &rows, &columns),
                     JUDO_ERROR_MISMATCH);
    judo_image_free(&processed);
    judo_image_free(&image);
}

static judo_status load(const char *json, judo_image_processor *out)
{
    char path[] = "/tmp/judo_preprocessor_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, json, strlen(json)), (ssize_t)strlen(json));
    (void)close(descriptor);
    judo_status status = judo_image_processor_load(path, 0, out);
    (void)unlink(path);
    return status;
}

static void test_load__reads_both_spellings_and_fingerprints_the_settings(void **state)
{
    (void)state;
    judo_image_processor old, new, plain;
    judo_image_processor_defaults(&plain);
    assert_int_equal(judo_image_processor_prepare(&plain), JUDO_OK);
    assert_int_equal(load("{\"min_pixels\":3136,\"max_pixels\":12845056,\"patch_size\":14,"
                          "\"temporal_patch_size\":2,\"merge_size\":2,"
                          "\"image_mean\":[0.48145466,0.4578275,0.40821073],"
                          "\"image_std\":[0.26862954,0.26130258,0.27577711],"
                          "\"image_processor_type\":\"Qwen2VLImageProcessor\"}",
                          &old),
                     JUDO_OK);
    assert_string_equal(old.fingerprint, plain.fingerprint);
    assert_int_equal(load("{\"size\":{\"shortest_edge\":3136,\"longest_edge\":50176},"
                          "\"min_pixels\":null}",
                          &new),
                     JUDO_OK);
    assert_int_equal(new.max_pixels, 50176);
    assert_string_not_equal(new.fingerprint, plain.fingerprint);
}

static void test_load__refuses_what_it_cannot_do(void **state)
{
    (void)state;
    judo_image_processor p;
    assert_int_equal(load("{\"do_resize\":false}", &p), JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(load("{\"resample\":2}", &p), JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(load("{\"patch_size\":\"14\"}", &p), JUDO_ERROR_FORMAT);
    assert_int_equal(load("{\"patch_size\":0}", &p), JUDO_ERROR_CONFIG);
    assert_int_equal(load("{\"image_mean\":[0,1]}", &p), JUDO_ERROR_FORMAT);
    assert_int_equal(load("{\"image_std\":[0,1,1]}", &p), JUDO_ERROR_CONFIG);
    assert_int_equal(load("{\"min_pixels\":100,\"max_pixels\":99}", &p), JUDO_ERROR_CONFIG);
    assert_int_equal(load("[1]", &p), JUDO_ERROR_FORMAT);
    assert_int_equal(load("{\"patch_size\":", &p), JUDO_ERROR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size__matches_the_published_examples),
        cmocka_unit_test(test_patches__equal_those_of_transformers_to_the_bit),
        cmocka_unit_test(test_square__gives_every_judo_picture_36_by_36_patches),
        cmocka_unit_test(test_load__reads_both_spellings_and_fingerprints_the_settings),
        cmocka_unit_test(test_load__refuses_what_it_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
