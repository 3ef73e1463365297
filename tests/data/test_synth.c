/* tests/data/test_synth.c: the synthetic data set: pictures, masks, texts, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/synth.h"
#include "data/synth_text.h"
#include "runtime/json.h"

/* Named and made by the test that writes. */
static char folder[64];

static judo_synth_options small(void)
{
    judo_synth_options options = judo_synth_defaults();
    options.folder = folder;
    options.size = 112;
    options.train_per_kind = 2;
    options.heldout_per_kind = 1;
    options.normals = 2;
    options.pretrain_scenes = 8;
    return options;
}

static void path_of(const char *relative, char out[1024])
{
    (void)snprintf(out, 1024, "%s/%s", folder, relative);
}

static void assert_file(const char *relative)
{
    char path[1024];
    path_of(relative, path);
    if (access(path, R_OK) != 0) {
        fail_msg("%s is not there", path);
    }
}

static judo_synth_view view_of(const judo_synth_scene *scene)
{
    const judo_cells_rule rule = {.coverage = 0.02, .any_if_none = true};
    judo_image mask;
    judo_synth_view view = {.object = scene->object, .kind = scene->kind};
    assert_int_equal(judo_synth_draw(scene, NULL, &mask), JUDO_OK);
    assert_int_equal(
        judo_cells_from_mask(mask.pixels, mask.width, mask.height, &rule, &view.cells),
        JUDO_OK);
    judo_image_free(&mask);
    view.zone = judo_synth_zone(&view.cells);
    return view;
}

static void test_scene__is_a_function_of_its_seed(void **state)
{
    (void)state;
    judo_synth_scene scene = {
        .seed = 3, .id = 17, .object = JUDO_SYNTH_CAP, .kind = JUDO_SYNTH_DENT, .size = 112};
    judo_image first, second, other;
    assert_int_equal(judo_synth_draw(&scene, &first, NULL), JUDO_OK);
    assert_int_equal(judo_synth_draw(&scene, &second, NULL), JUDO_OK);
    scene.seed = 4;
    assert_int_equal(judo_synth_draw(&scene, &other, NULL), JUDO_OK);
    assert_memory_equal(first.pixels, second.pixels, 112 * 112 * 3);
    assert_memory_not_equal(first.pixels, other.pixels, 112 * 112 * 3);
    judo_image_free(&first);
    judo_image_free(&second);
    judo_image_free(&other);
}

static void test_defects__cover_some_cells_and_good_none(void **state)
{
    (void)state;
    for (int object = 0; object < JUDO_SYNTH_OBJECTS; object++) {
        for (int i = -1; i < JUDO_SYNTH_KINDS_PER_OBJECT; i++) {
            for (uint64_t id = 0; id < 12; id++) {
                judo_synth_scene scene = {
                    .seed = 5,
                    .id = id,
                    .object = object,
                    .size = 224,
                    .kind = i < 0 ? JUDO_SYNTH_GOOD : judo_synth_object_table[object].kinds[i]};
                judo_synth_view view = view_of(&scene);
                int count = judo_cells_count(&view.cells);
                assert_in_range(count, i < 0 ? 0 : 1, i < 0 ? 0 : 30);
            }
        }
    }
}

static void test_bad_scene__is_refused(void **state)
{
    (void)state;
    judo_image image;
    judo_synth_scene scene = {.size = 16};
    assert_int_equal(judo_synth_draw(&scene, &image, NULL), JUDO_ERROR_ARGUMENT);
    judo_synth_options options = small();
    options.size = 1;
    assert_int_equal(judo_synth_write(&options), JUDO_ERROR_ARGUMENT);
}

static void test_rows__are_written_in_words_of_their_own(void **state)
{
    (void)state;
    judo_cells cells = {{0}};
    char text[JUDO_SYNTH_TEXT];
    judo_synth_rows(&cells, text);
    assert_string_equal(text, "clean");
    judo_cells_set(&cells, 3, 4);
    judo_cells_set(&cells, 3, 5);
    judo_cells_set(&cells, 3, 9);
    judo_cells_set(&cells, 15, 15);
    judo_synth_rows(&cells, text);
    assert_string_equal(text, "4: 5-6,10; 16: 16");
    memset(&cells, 0, sizeof cells);
    for (int row = 0; row < JUDO_GRID; row++) {
        for (int column = row & 1; column < JUDO_GRID; column += 2) {
            judo_cells_set(&cells, row, column);
        }
    }
    judo_synth_rows(&cells, text);
    assert_in_range(strlen(text), 300, JUDO_SYNTH_TEXT - 1);
}

static void test_rationale__names_the_right_option_late(void **state)
{
    (void)state;
    char text[JUDO_SYNTH_TEXT];
    for (int object = 0; object < JUDO_SYNTH_OBJECTS; object++) {
        judo_synth_scene scene = {.seed = 6,
                                  .id = 1,
                                  .object = object,
                                  .size = 224,
                                  .kind = judo_synth_object_table[object].kinds[object % 3]};
        judo_synth_view view = view_of(&scene);
        judo_synth_random random = judo_synth_random_of(6, (uint64_t)object, 0);
        for (int subtask = 0; subtask < JUDO_SYNTH_SUBTASKS; subtask++) {
            judo_synth_question q =
                judo_synth_ask(&random, &view, (judo_synth_subtask)subtask, NULL);
            assert_in_range(q.answer, 0, q.count - 1);
            for (int i = 0; i < q.count; i++) {
                for (int j = 0; j < i; j++) {
                    assert_string_not_equal(q.options[i], q.options[j]);
                }
            }
            judo_synth_rationale(&view, &q, text);
            size_t length = strlen(text);
            assert_int_equal(text[length - 2], 'A' + q.answer);
            for (size_t i = 0; i < length / 2; i++) {
                assert_false(text[i] >= 'A' && text[i] <= 'D' && text[i + 1] == ' ');
            }
        }
    }
}

static judo_status count_row(void *context, const judo_json *row, int64_t line)
{
    int64_t *count = context;
    const char *image;
    if (judo_json_get(row, "image_path")) {
        JUDO_TRY(judo_json_get_string(row, "image_path", "row", &image));
    } else {
        JUDO_TRY(judo_json_get_string(row, "image", "row", &image));
    }
    assert_file(image);
    *count = line;
    return JUDO_OK;
}

static int64_t rows_of(const char *name)
{
    char path[1024];
    int64_t count = 0;
    path_of(name, path);
    assert_int_equal(judo_json_each_line(path, count_row, &count), JUDO_OK);
    return count;
}

static void check_entry(const judo_json *entry)
{
    const char *image, *mask;
    assert_int_equal(judo_json_get_string(entry, "image_path", "mmad", &image), JUDO_OK);
    assert_int_equal(judo_json_get_string_or(entry, "mask_path", "mmad", "", &mask), JUDO_OK);
    char inside[512];
    const char *key = judo_json_key(entry);
    size_t base = strlen(key) - strlen(image);
    assert_string_equal(key + base, image);
    (void)snprintf(inside, sizeof inside, "%.*s%s", (int)base, key, *mask ? mask : image);
    assert_file(inside);
    assert_true(judo_json_size(judo_json_get(entry, "conversation")) >= 2);
    assert_int_equal(judo_json_size(judo_json_get(entry, "random_templates")), 2);
}

static void test_write__makes_a_complete_data_set(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/judo_synth_%d", (int)getpid());
    judo_synth_options options = small();
    assert_int_equal(judo_synth_write(&options), JUDO_OK);
    assert_int_equal(rows_of("stage1.jsonl"), 8 * 4 * 2);
    assert_int_equal(rows_of("heldout_stage1.jsonl"), 8 * 4);
    assert_int_equal(rows_of("stage2.jsonl"), 8 * (3 * 5 + 4) * 3);
    assert_int_equal(rows_of("heldout_stage2.jsonl"), 8 * (3 * 5 + 4));
    assert_int_equal(rows_of("stage3.jsonl"), 2 * 8 * (3 * 6 + 2));
    assert_int_equal(rows_of("heldout_stage3.jsonl"), 8 * (3 * 6 + 2));
    assert_int_equal(rows_of("pretrain_look.jsonl"), 8);
    assert_int_equal(rows_of("pretrain.jsonl"), 2 * 6 + 2);
    char path[1024];
    judo_json *document;
    path_of("mmad.json", path);
    assert_int_equal(judo_json_load(path, &document), JUDO_OK);
    assert_int_equal(judo_json_size(document), 8 * 4);
    for (const judo_json *e = judo_json_first(document); e; e = judo_json_next(e)) {
        check_entry(e);
    }
    judo_json_free(&document);
    path_of("domain_knowledge.json", path);
    assert_int_equal(judo_json_load(path, &document), JUDO_OK);
    assert_int_equal(judo_json_size(document), 2);
    assert_int_equal(judo_json_size(judo_json_get(document, "Synth-B")), 4);
    judo_json_free(&document);
}

static int remove_folder(void **state)
{
    (void)state;
    char command[600];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return folder[0] && system(command) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scene__is_a_function_of_its_seed),
        cmocka_unit_test(test_defects__cover_some_cells_and_good_none),
        cmocka_unit_test(test_bad_scene__is_refused),
        cmocka_unit_test(test_rows__are_written_in_words_of_their_own),
        cmocka_unit_test(test_rationale__names_the_right_option_late),
        cmocka_unit_test(test_write__makes_a_complete_data_set),
    };
    return cmocka_run_group_tests(tests, NULL, remove_folder);
}
