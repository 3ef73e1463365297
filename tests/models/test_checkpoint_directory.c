/* tests/models/test_checkpoint_directory.c: Hugging Face directories in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/checkpoint_directory.h"
#include "runtime/file.h"
#include "tests/models/fixture.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/judo_checkpoint_%d", (int)getpid());
    return judo_file_make_folder(folder) == JUDO_OK ? 0 : -1;
}

static void empty_folder(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -f %s/*", folder);
    assert_int_equal(system(command), 0);
}

static int remove_folder(void **state)
{
    (void)state;
    empty_folder();
    return rmdir(folder);
}

/* Writes all weights in odd ranges, as several ranks would. */
static void write_model(const loaded *l, judo_dtype dtype, int64_t shard_bytes)
{
    const judo_param_layout *layout = judo_model_layout(l->model);
    judo_model_writer *writer = NULL;
    assert_ok(judo_model_writer_create(folder, layout, dtype, shard_bytes, &writer));
    assert_ok(judo_model_writer_begin(writer));
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            const judo_param *param = &layout->params[p];
            const float *values = fixture_weights(l, u) + param->offset;
            int64_t cut = param->count / 3;
            assert_ok(
                judo_model_writer_write(writer, p, cut, param->count - cut, values + cut));
            assert_ok(judo_model_writer_write(writer, p, 0, cut, values));
        }
    }
    assert_ok(judo_model_writer_sync(writer));
    assert_ok(judo_model_writer_end(writer));
    judo_model_writer_destroy(&writer);
}

static void check_equal(const loaded *a, const loaded *b)
{
    const judo_param_layout *layout = judo_model_layout(a->model);
    for (int u = 0; u < layout->num_units; u++) {
        assert_memory_equal(fixture_weights(a, u), fixture_weights(b, u),
                            (size_t)layout->units[u].count * sizeof(float));
    }
}

static void round_trip(judo_dtype dtype, int64_t shard_bytes, bool index_expected)
{
    fixture f;
    char path[128];
    fixture_open(&f, "tied");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded original = fixture_load(&f, &options);
    if (dtype != JUDO_F32) { /* values that survive the narrow format */
        const judo_param_layout *layout = judo_model_layout(original.model);
        for (int u = 0; u < layout->num_units; u++) {
            int64_t count = layout->units[u].count;
            float *w = malloc((size_t)count * sizeof *w);
            assert_non_null(w);
            memcpy(w, fixture_weights(&original, u), (size_t)count * sizeof *w);
            for (int64_t i = 0; i < count; i++) {
                w[i] = judo_bf16_to_f32(judo_f32_to_bf16(w[i]));
            }
            fixture_set_weights(&original, u, w);
            free(w);
        }
    }
    assert_ok(judo_model_copy_files(f.directory, folder));
    write_model(&original, dtype, shard_bytes);
    (void)snprintf(path, sizeof path, "%s/model.safetensors.index.json", folder);
    assert_int_equal(access(path, F_OK) == 0, index_expected);
    fixture copy = f;
    (void)snprintf(copy.directory, sizeof copy.directory, "%s", folder);
    assert_ok(judo_qwen_config_load(folder, &copy.config));
    assert_memory_equal(&copy.config, &f.config, sizeof f.config);
    loaded again = fixture_load(&copy, &options);
    check_equal(&original, &again);
    fixture_unload(&original);
    fixture_unload(&again);
    fixture_close(&f);
    empty_folder();
}

static void test_directory__one_file_reads_back_identical(void **state)
{
    (void)state;
    round_trip(JUDO_F32, 0, false);
    round_trip(JUDO_BF16, 0, false);
}

static void test_directory__shards_read_back_identical(void **state)
{
    (void)state;
    round_trip(JUDO_F32, 10000, true);
}

static void test_writer__one_file_outlives_an_older_index(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "text");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded l = fixture_load(&f, &options);
    write_model(&l, JUDO_F32, 10000);
    write_model(&l, JUDO_F32, 0);
    judo_weight_source source;
    assert_ok(judo_model_source_open(folder, judo_model_layout(l.model), &source));
    judo_model_source_close(&source);
    fixture_unload(&l);
    fixture_close(&f);
    empty_folder();
}

static void test_copy__takes_files_byte_for_byte(void **state)
{
    (void)state;
    char source[64];
    char path[128];
    char *content = NULL;
    size_t length = 0;
    const char odd[] = "{\r\n\0\xff}";
    (void)snprintf(source, sizeof source, "/tmp/judo_copy_%d", (int)getpid());
    assert_ok(judo_file_make_folder(source));
    (void)snprintf(path, sizeof path, "%s/config.json", source);
    assert_int_equal(judo_model_copy_files(source, folder), JUDO_ERROR_IO);
    assert_ok(judo_file_replace(path, odd, sizeof odd));
    assert_ok(judo_model_copy_files(source, folder));
    (void)unlink(path);
    (void)rmdir(source);
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    assert_ok(judo_file_read_all(path, 1000, &content, &length));
    assert_int_equal(length, sizeof odd);
    assert_memory_equal(content, odd, sizeof odd);
    free(content);
    empty_folder();
}

/* A layout of "tied" with one thing changed, read from tied's own directory. */
static void expect_mismatch(void (*change)(judo_param *param), const char *first,
                            const char *second)
{
    fixture f;
    judo_param_layout *layout = NULL;
    judo_weight_source source;
    fixture_open(&f, "tied");
    assert_ok(judo_qwen_layout_create(&f.config, NULL, &layout));
    change(&layout->params[1]);
    assert_int_equal(judo_model_source_open(f.directory, layout, &source), JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), first));
    assert_non_null(strstr(judo_error_message(), second));
    judo_qwen_layout_destroy(&layout);
    fixture_close(&f);
}

static void rename_param(judo_param *param)
{
    (void)snprintf(param->name, sizeof param->name, "visual.other");
}

static void reshape_param(judo_param *param)
{
    param->dims[4] += 1;
}

static void test_source__missing_unexpected_and_misshapen_tensors_are_named(void **state)
{
    (void)state;
    expect_mismatch(rename_param, "missing visual.other",
                    "unexpected visual.patch_embed.proj.weight");
    expect_mismatch(reshape_param, "of another shape visual.patch_embed.proj.weight",
                    "1 tensors");
}

static void write_text(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(judo_file_replace(path, text, strlen(text)));
}

static void test_source__hostile_indexes_are_refused(void **state)
{
    (void)state;
    fixture f;
    judo_param_layout *layout = NULL;
    judo_weight_source source;
    fixture_open(&f, "tied");
    assert_ok(judo_qwen_layout_create(&f.config, NULL, &layout));
    const char *const name = "model.safetensors.index.json";
    assert_int_equal(judo_model_source_open(folder, layout, &source), JUDO_ERROR_IO);
    write_text(name, "{\"weight_map\":{\"a\":\"../model.safetensors\"}}");
    assert_int_equal(judo_model_source_open(folder, layout, &source), JUDO_ERROR_FORMAT);
    write_text(name, "{\"weight_map\":{\"a\":1}}");
    assert_int_equal(judo_model_source_open(folder, layout, &source), JUDO_ERROR_FORMAT);
    write_text(name, "{}");
    assert_int_equal(judo_model_source_open(folder, layout, &source), JUDO_ERROR_FORMAT);
    write_text(name, "{\"weight_map\":{\"a\":\"gone.safetensors\"}}");
    assert_int_equal(judo_model_source_open(folder, layout, &source), JUDO_ERROR_IO);
    empty_folder();
    judo_qwen_layout_destroy(&layout);
    fixture_close(&f);
}

/* Names of transformers' memory ("model.visual.*"): written as such, read as hub names. */
static void test_source__reads_in_memory_names(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "untied");
    judo_model_options options = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded l = fixture_load(&f, &options);
    const judo_param_layout *layout = judo_model_layout(l.model);
    judo_safetensors_plan *plan = NULL;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_ok(judo_safetensors_plan_create(path, &plan));
    for (int p = 0; p < layout->num_params; p++) {
        const judo_param *param = &layout->params[p];
        char name[160];
        int index = -1;
        if (strncmp(param->name, "model.", 6) == 0) {
            (void)snprintf(name, sizeof name, "model.language_model.%s", param->name + 6);
        } else if (strncmp(param->name, "visual.", 7) == 0) {
            (void)snprintf(name, sizeof name, "model.%s", param->name);
        } else {
            (void)snprintf(name, sizeof name, "%s", param->name);
        }
        assert_ok(judo_safetensors_plan_add(plan, name, JUDO_F32, param->dims, param->num_dims,
                                            &index));
        assert_int_equal(index, p);
    }
    assert_ok(judo_safetensors_create_file(plan));
    for (int u = 0; u < layout->num_units; u++) {
        for (int i = 0; i < layout->units[u].num_params; i++) {
            int p = layout->units[u].first_param + i;
            assert_ok(
                judo_safetensors_write(plan, p, 0, layout->params[p].count,
                                       fixture_weights(&l, u) + layout->params[p].offset));
        }
    }
    judo_safetensors_plan_destroy(&plan);
    fixture copy = f;
    (void)snprintf(copy.directory, sizeof copy.directory, "%s", folder);
    loaded again = fixture_load(&copy, &options);
    check_equal(&l, &again);
    fixture_unload(&l);
    fixture_unload(&again);
    fixture_close(&f);
    empty_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory__one_file_reads_back_identical),
        cmocka_unit_test(test_directory__shards_read_back_identical),
        cmocka_unit_test(test_writer__one_file_outlives_an_older_index),
        cmocka_unit_test(test_copy__takes_files_byte_for_byte),
        cmocka_unit_test(test_source__missing_unexpected_and_misshapen_tensors_are_named),
        cmocka_unit_test(test_source__hostile_indexes_are_refused),
        cmocka_unit_test(test_source__reads_in_memory_names),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
