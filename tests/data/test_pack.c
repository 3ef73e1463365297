/* tests/data/test_pack.c: published files become datasets; broken rows are errors or skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/pack.h"
#include "runtime/json.h"
#include "tests/data/folder.h"
#include "tests/data/noise.h"

typedef struct fixture {
    test_folder folder;
    char output[128];
    judo_image_processor processor;
    judo_pack_options options;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = folder_make();
    (void)snprintf(f->output, sizeof f->output, "%s/out.h5", f->folder.path);
    judo_image_processor_defaults(&f->processor);
    assert_int_equal(judo_image_processor_prepare(&f->processor), JUDO_OK);
    f->options = (judo_pack_options){
        .output = f->output, .processor = &f->processor, .image_root = f->folder.path};
    judo_image picture = noise(64, 64, 3);
    judo_image mask = {0};
    assert_int_equal(judo_image_create(64, 64, 1, &mask), JUDO_OK);
    mask.pixels[10 * 64 + 20] = 255; /* cell (3,6) */
    folder_image(&f->folder, "VisA/candle/test/bad/000.png", &picture);
    folder_image(&f->folder, "VisA/candle/test/good/001.png", &picture);
    folder_image(&f->folder, "VisA/candle/train/good/002.png", &picture);
    folder_image(&f->folder, "VisA/candle/train/good/003.png", &picture);
    folder_image(&f->folder, "VisA/candle/ground_truth/bad/000.png", &mask);
    judo_image_free(&mask);
    assert_int_equal(judo_image_create(64, 32, 1, &mask), JUDO_OK);
    folder_image(&f->folder, "VisA/candle/wide.png", &mask);
    judo_image_free(&mask);
    judo_image_free(&picture);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static judo_dataset *open_set(const fixture *f)
{
    judo_dataset *set = NULL;
    assert_int_equal(judo_dataset_open(f->output, f->processor.fingerprint, &set), JUDO_OK);
    return set;
}

static const char mmad_text[] =
    "{\"VisA/candle/test/bad/000.png\":{\"image_path\":\"test/bad/000.png\","
    "\"mask_path\":\"ground_truth/bad/000.png\","
    "\"random_templates\":[\"VisA/candle/train/good/002.png\","
    "\"VisA/candle/train/good/003.png\"],"
    "\"similar_templates\":[\"VisA/candle/train/good/003.png\"],"
    "\"conversation_2\":[{\"Question\":\"Is there any defect in the object?\","
    "\"Answer\":\"B\",\"Options\":{\"A\":\"No.\",\"B\":\"Yes.\"},"
    "\"type\":\"Anomaly Detection\",\"annotation\":true},"
    "{\"Question\":\"Where?\",\"Answer\":\"D\",\"Options\":{\"B\":\"Top\",\"D\":\"Left\"},"
    "\"type\":\"Defect Localization\",\"annotation\":false}]},"
    "\"VisA/candle/test/good/001.png\":{\"mask_path\":null,"
    "\"random_templates\":[\"VisA/candle/train/good/002.png\"],"
    "\"conversation\":[{\"Question\":\"Is there any defect in the object?\","
    "\"Answer\":\"A\",\"Options\":{\"A\":\"No.\",\"B\":\"Yes.\"},"
    "\"type\":\"Anomaly Detection\"}]}}";

static void test_mmad__becomes_choice_samples_with_templates_masks_and_knowledge(void **state)
{
    fixture *f = *state;
    f->options.image_root = NULL;
    f->options.mmad_root = f->folder.path;
    f->options.mmad_json = folder_text(&f->folder, "mmad.json", mmad_text);
    f->options.domain_knowledge =
        folder_text(&f->folder, "knowledge.json",
                    "{\"VisA\":{\"candle\":{\"bad\":\"bent\",\"good\":\"straight\"}}}");
    judo_pack_counts counts;
    assert_int_equal(judo_pack(&f->options, &counts), JUDO_OK);
    assert_int_equal(counts.samples[JUDO_SAMPLE_CHOICE], 3);
    assert_int_equal(counts.images, 3);
    assert_int_equal(counts.skipped, 0);
    judo_dataset *set = open_set(f);
    judo_sample sample;
    assert_int_equal(judo_dataset_sample(set, 1, &sample), JUDO_OK);
    assert_string_equal(sample.question, "Where?");
    assert_memory_equal(sample.letters, "AB", 2); /* lettered anew by position */
    assert_int_equal(sample.answer, 'B');
    assert_string_equal(sample.options[1], "Left");
    assert_string_equal(sample.dataset, "VisA");
    assert_string_equal(sample.category, "candle");
    assert_string_equal(sample.defect, "bad");
    assert_string_equal(sample.subtask, "Defect Localization");
    assert_string_equal(sample.domain, "bent\nstraight");
    assert_string_equal(sample.source, "VisA/candle/test/bad/000.png");
    assert_true(sample.has_mask);
    assert_false(sample.is_normal);
    assert_int_equal(judo_cells_count(&sample.cells), 1);
    assert_true(judo_cells_has(&sample.cells, 2, 5));
    judo_image mask = {0};
    assert_int_equal(judo_dataset_mask(set, sample.query_image, &mask), JUDO_OK);
    assert_non_null(mask.pixels);
    judo_image_free(&mask);
    assert_int_equal(judo_dataset_sample(set, 2, &sample), JUDO_OK);
    assert_true(sample.is_normal);
    assert_false(sample.has_mask);
    assert_int_equal(judo_cells_count(&sample.cells), 0);
    judo_dataset_close(&set);
}

static void test_mmad__limit_and_other_templates_are_options(void **state)
{
    fixture *f = *state;
    f->options.mmad_json = folder_text(&f->folder, "mmad.json", mmad_text);
    f->options.similar_templates = true;
    f->options.template_choice = JUDO_PACK_TEMPLATE_RANDOM;
    f->options.limit = 1;
    judo_pack_counts counts;
    assert_int_equal(judo_pack(&f->options, &counts), JUDO_OK);
    assert_int_equal(counts.samples[JUDO_SAMPLE_CHOICE], 1);
    assert_int_equal(counts.images, 2);
}

static judo_status embed_length(void *context, const char *text, float out[])
{
    ++*(int *)context;
    for (int i = 0; i < JUDO_RATIONALE_VALUES; i++) {
        out[i] = (float)strlen(text);
    }
    return JUDO_OK;
}

static void test_jsonl__of_all_stages_goes_into_one_file(void **state)
{
    fixture *f = *state;
    f->options.stage1 = folder_text(
        &f->folder, "1.jsonl",
        "{\"item_type\":\"candle\",\"image_path\":\"VisA/candle/test/bad/000.png\","
        "\"mask_path\":\"VisA/candle/ground_truth/bad/000.png\","
        "\"normal_image_path\":\"VisA/candle/train/good/002.png\",\"gt\":\"It is bent.\"}\n"
        "{\"item_type\":\"candle\",\"image_path\":\"VisA/candle/test/good/001.png\","
        "\"mask_path\":null,\"normal_image_path\":\"VisA/candle/train/good/003.png\","
        "\"gt\":null}\n");
    f->options.stage2 =
        folder_text(&f->folder, "2.jsonl",
                    "{\"image\":\"VisA/candle/train/good/002.png\",\"problem\":\"What?\","
                    "\"solution\":\"Wax.\",\"id\":3}\n");
    f->options.stage3 =
        folder_text(&f->folder, "3.jsonl",
                    "{\"id\":1,\"image\":\"VisA/candle/test/bad/000.png\",\"problem\":\"My "
                    "Choice: which? \\n "
                    "Choice: \\n {'A': 'Yes.', 'B': \\\"It "
                    "isn't\\\"}\",\"solution\":\"B\",\"type\":\"Anomaly "
                    "Detection\",\"mask_path\":\"VisA/candle/ground_truth/bad/000.png\","
                    "\"template_image\":\"VisA/candle/train/good/003.png\",\"gt\":\"snippet\","
                    "\"domain_gt\":\"because\"}\n");
    int embedded = 0;
    f->options.embed = embed_length;
    f->options.embed_context = &embedded;
    f->options.cells = JUDO_PACK_CELLS_REFERENCE;
    judo_pack_counts counts;
    assert_int_equal(judo_pack(&f->options, &counts), JUDO_OK);
    assert_int_equal(counts.samples[JUDO_SAMPLE_SEGMENTATION], 2);
    assert_int_equal(counts.samples[JUDO_SAMPLE_DOMAIN_QA], 1);
    assert_int_equal(counts.samples[JUDO_SAMPLE_CHOICE], 1);
    assert_int_equal(counts.images, 4);
    assert_int_equal(embedded, 1);
    judo_dataset *set = open_set(f);
    judo_sample sample;
    assert_int_equal(judo_dataset_sample(set, 0, &sample), JUDO_OK);
    assert_string_equal(sample.target, "It is bent.");
    assert_int_equal(judo_cells_count(&sample.cells), 1);
    assert_int_equal(judo_dataset_sample(set, 1, &sample), JUDO_OK);
    assert_true(sample.is_normal && strlen(sample.target) > 10);
    assert_int_equal(judo_dataset_sample(set, 2, &sample), JUDO_OK);
    assert_int_equal(sample.template_image, -1);
    assert_string_equal(sample.target, "Wax.");
    assert_int_equal(judo_dataset_sample(set, 3, &sample), JUDO_OK);
    assert_string_equal(sample.question, "My Choice: which?");
    assert_string_equal(sample.options[1], "It isn't");
    assert_int_equal(sample.answer, 'B');
    assert_string_equal(sample.domain, "snippet");
    assert_string_equal(sample.rationale, "because");
    assert_float_equal(sample.rationale_embedding[383], 7, 0);
    assert_true(sample.has_mask);
    judo_dataset_close(&set);
}

#define HEAD "{\"item_type\":\"c\",\"image_path\":\"VisA/candle/test/bad/000.png\","
#define TAIL "\"normal_image_path\":\"VisA/candle/train/good/002.png\",\"gt\":\"x\"}"

static void test_jsonl__broken_rows_are_errors_or_skipped(void **state)
{
    fixture *f = *state;

    static const struct {
        const char *row;
        judo_status status;
    } rows[] = {
        {"{}", JUDO_ERROR_FORMAT},
        {"[1]", JUDO_ERROR_FORMAT},
        {HEAD "\"mask_path\":5," TAIL, JUDO_ERROR_FORMAT},
        {HEAD "\"mask_path\":\"absent.png\"," TAIL, JUDO_ERROR_IO},
        {HEAD "\"mask_path\":\"\"," TAIL, JUDO_ERROR_FORMAT},
        {HEAD "\"mask_path\":\"../../etc/passwd\"," TAIL, JUDO_ERROR_FORMAT},
        {HEAD "\"mask_path\":\"VisA/candle/wide.png\"," TAIL, JUDO_ERROR_MISMATCH},
        {HEAD "\"mask_path\":\"1.jsonl\"," TAIL, JUDO_ERROR_FORMAT},
        {HEAD "\"gt\":\"x\"}", JUDO_ERROR_FORMAT},
        {HEAD "\"normal_image_path\":\"VisA/none.png\",\"gt\":\"x\"}", JUDO_ERROR_IO},
        {HEAD "\"normal_image_path\":\"/etc/passwd\",\"gt\":\"x\"}", JUDO_ERROR_FORMAT},
    };

    char text[1024];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, "%s\n%s\n", rows[i].row, HEAD TAIL);
        f->options.stage1 = folder_text(&f->folder, "1.jsonl", text);
        f->options.skip_missing = false;
        judo_pack_counts counts;
        (void)unlink(f->output);
        assert_int_equal(judo_pack(&f->options, &counts), rows[i].status);
        assert_int_equal(access(f->output, F_OK), -1);
        f->options.skip_missing = true;
        assert_int_equal(judo_pack(&f->options, &counts), JUDO_OK);
        assert_int_equal(counts.skipped, 1);
        assert_int_equal(counts.samples[JUDO_SAMPLE_SEGMENTATION], 1);
    }
}

static void test_pack__refuses_to_write_nothing(void **state)
{
    fixture *f = *state;
    assert_int_equal(judo_pack(&f->options, NULL), JUDO_ERROR_ARGUMENT);
    f->options.stage1 = folder_text(&f->folder, "1.jsonl", "{}\n");
    f->options.skip_missing = true;
    assert_int_equal(judo_pack(&f->options, NULL), JUDO_ERROR_FORMAT);
    assert_int_equal(access(f->output, F_OK), -1);
    f->options.output = "/nonexistent/out.h5";
    assert_int_equal(judo_pack(&f->options, NULL), JUDO_ERROR_IO);
}

static const char *real_data(void)
{
    const char *root = getenv("JUDO_REALDATA");
    return root != NULL ? root : "../shared/data";
}

/* Links the named picture of a row to a small one, so that real rows can be packed without
 * their pictures. */
static judo_status link_pictures(void *context, const judo_json *row, int64_t line)
{
    (void)line;
    const fixture *f = context;
    static const char *const keys[][2] = {
        {"image_path", "VisA/candle/test/bad/000.png"},
        {"normal_image_path", "VisA/candle/test/bad/000.png"},
        {"image", "VisA/candle/test/bad/000.png"},
        {"template_image", "VisA/candle/test/bad/000.png"},
        {"mask_path", "VisA/candle/ground_truth/bad/000.png"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *path = NULL;
        JUDO_TRY(judo_json_get_string_or(row, keys[i][0], "real", NULL, &path));
        if (path != NULL) {
            (void)symlink(folder_path(&f->folder, keys[i][1]), folder_path(&f->folder, path));
        }
    }
    return JUDO_OK;
}

static void test_jsonl__real_rows_all_pack(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"realiad_samples_gt", "domain_qa_goods", "grpo_gt"};
    char paths[3][2048];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/judo/%s.jsonl", real_data(), names[i]);
        if (access(paths[i], R_OK) != 0) {
            skip();
        }
    }
    f->options.stage1 = paths[0];
    f->options.stage2 = paths[1];
    f->options.stage3 = paths[2];
    f->options.skip_missing = true;
    judo_pack_counts counts;
    assert_int_equal(judo_pack(&f->options, &counts),
                     JUDO_ERROR_FORMAT); /* no picture is there */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judo_json_each_line(paths[i], link_pictures, f), JUDO_OK);
    }
    f->options.skip_missing = false;
    assert_int_equal(judo_pack(&f->options, &counts), JUDO_OK);
    assert_int_equal(counts.samples[JUDO_SAMPLE_SEGMENTATION], 240);
    assert_int_equal(counts.samples[JUDO_SAMPLE_DOMAIN_QA], 600);
    assert_int_equal(counts.samples[JUDO_SAMPLE_CHOICE], 243);
    judo_dataset *set = open_set(f);
    for (int64_t i = 840; i < 1083; i++) {
        judo_sample sample;
        assert_int_equal(judo_dataset_sample(set, i, &sample), JUDO_OK);
        bool detection = strcmp(sample.subtask, "Anomaly Detection") == 0;
        assert_int_equal(sample.num_options, detection ? 2 : 4);
        assert_true(sample.answer >= 'A' && sample.answer <= 'D');
        assert_null(strstr(sample.question, "Choice:"));
        assert_true(strlen(sample.domain) > 600 && strlen(sample.rationale) > 190);
    }
    judo_dataset_close(&set);
}

static void test_jsonl__real_tiles_pack_with_their_masks(void **state)
{
    fixture *f = *state;
    char root[2048];
    (void)snprintf(root, sizeof root, "%s/images", real_data());
    if (access(root, R_OK) != 0) {
        skip();
    }
    f->options.image_root = root;
    f->options.cells = JUDO_PACK_CELLS_REFERENCE;
    f->processor.square = 512;
    assert_int_equal(judo_image_processor_prepare(&f->processor), JUDO_OK);
    f->options.stage1 =
        folder_text(&f->folder, "tiles.jsonl",
                    "{\"item_type\":\"magnetic_tile\","
                    "\"image_path\":\"magnetic_tile/MT_Break_exp1_num_116934.jpg\","
                    "\"mask_path\":\"magnetic_tile/MT_Break_exp1_num_116934.png\","
                    "\"normal_image_path\":\"magnetic_tile/"
                    "MT_Free_exp1_num_10181.jpg\",\"gt\":\"broken\"}\n");
    judo_pack_counts counts;
    assert_int_equal(judo_pack(&f->options, &counts), JUDO_OK);
    judo_dataset *set = open_set(f);
    judo_sample sample;
    int32_t width = 0;
    int32_t height = 0;
    assert_int_equal(judo_dataset_sample(set, 0, &sample), JUDO_OK);
    assert_int_equal(judo_cells_count(&sample.cells), 10);
    assert_int_equal(judo_dataset_image_size(set, 1, &width, &height), JUDO_OK);
    assert_int_equal(width, 504);
    assert_int_equal(height, 504);
    judo_dataset_close(&set);
}

int main(void)
{
#define PACK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PACK_TEST(test_mmad__becomes_choice_samples_with_templates_masks_and_knowledge),
        PACK_TEST(test_mmad__limit_and_other_templates_are_options),
        PACK_TEST(test_jsonl__of_all_stages_goes_into_one_file),
        PACK_TEST(test_jsonl__broken_rows_are_errors_or_skipped),
        PACK_TEST(test_pack__refuses_to_write_nothing),
        PACK_TEST(test_jsonl__real_rows_all_pack),
        PACK_TEST(test_jsonl__real_tiles_pack_with_their_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
