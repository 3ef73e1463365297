/* eval/eval_result.c: evaluation results to and from JSON. */
#include "eval/eval_result.h"

#include <math.h>
#include <string.h>

#include "runtime/file.h"

static const char *const side_keys[2] = {"anomalous", "normal"};

void judo_eval_result_clear(judo_eval_result *result)
{
    memset(result, 0, sizeof *result);
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        result->rewards[i] = NAN;
    }
    result->total_reward = NAN;
    result->qa_loss = NAN;
    result->mean_tokens = NAN;
    result->seconds = NAN;
}

static void write_accuracies(judo_json_writer *w, const char *key, const double *percent)
{
    judo_json_begin_object(w, key);
    for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS; c++) {
        judo_json_put_double(w, judo_mmad_column_keys[c], percent[c]);
    }
    judo_json_end_object(w);
}

static void write_dataset(judo_json_writer *w, const judo_eval_result *result, int d,
                          const judo_mmad_table *table)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_string(w, "name", result->datasets[d]);
    write_accuracies(w, "accuracy", table->percent[d]);
    judo_json_begin_object(w, "counts");
    for (int s = 0; s < JUDO_MMAD_NUM_SUBTASKS; s++) {
        judo_json_begin_object(w, judo_mmad_column_keys[s]);
        for (int side = 0; side < 2; side++) {
            const judo_mmad_cell *cell = &result->counts.questions[d][s][side];
            judo_json_begin_object(w, side_keys[side]);
            judo_json_put_int(w, "correct", cell->correct);
            judo_json_put_int(w, "total", cell->total);
            judo_json_put_int(w, "invalid", cell->invalid);
            judo_json_end_object(w);
        }
        judo_json_end_object(w);
    }
    judo_json_end_object(w);
    judo_json_end_object(w);
}

static void write_segmentation(judo_json_writer *w, const judo_mmad_counts *counts)
{
    judo_segmentation_metrics metrics = judo_mmad_segmentation(counts);
    judo_json_begin_object(w, "segmentation");
    judo_json_put_int(w, "completions", counts->segmented);
    judo_json_put_int(w, "well_formed_count", counts->well_formed);
    judo_json_put_int(w, "cells_common", counts->cells_common);
    judo_json_put_int(w, "cells_predicted", counts->cells_predicted);
    judo_json_put_int(w, "cells_gold", counts->cells_gold);
    judo_json_put_int(w, "f1_billionths", counts->f1_billionths);
    judo_json_put_double(w, "well_formed", metrics.well_formed);
    judo_json_put_double(w, "precision", metrics.precision);
    judo_json_put_double(w, "recall", metrics.recall);
    judo_json_put_double(w, "f1", metrics.f1);
    judo_json_put_double(w, "mean_f1", metrics.mean_f1);
    judo_json_end_object(w);
}

static void write_result(judo_json_writer *w, const judo_eval_result *result)
{
    judo_mmad_table table;
    judo_mmad_table_of(&result->counts, result->num_datasets, result->official, &table);
    judo_json_begin_object(w, NULL);
    judo_json_put_int(w, "schema", 1);
    judo_json_put_string(w, "title", result->title);
    judo_json_put_string(w, "model", result->model);
    judo_json_put_string(w, "answer_mode", result->answer_mode);
    judo_json_put_bool(w, "official", result->official);
    write_accuracies(w, "accuracy", table.percent[table.num_datasets]);
    judo_json_begin_array(w, "datasets");
    for (int d = 0; d < result->num_datasets; d++) {
        write_dataset(w, result, d, &table);
    }
    judo_json_end_array(w);
    write_segmentation(w, &result->counts);
    judo_json_begin_object(w, "rewards");
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        judo_json_put_double(w, judo_rewards[i].name, result->rewards[i]);
    }
    judo_json_put_double(w, "total", result->total_reward);
    judo_json_end_object(w);
    judo_json_put_double(w, "qa_loss", result->qa_loss);
    judo_json_put_double(w, "mean_tokens", result->mean_tokens);
    judo_json_put_double(w, "seconds", result->seconds);
    judo_json_end_object(w);
}

judo_status judo_eval_result_write(const char *path, const judo_eval_result *result)
{
    judo_json_writer writer = {0};
    write_result(&writer, result);
    judo_status status = judo_json_writer_check(&writer);
    if (status == JUDO_OK) {
        status = judo_file_replace(path, writer.text, writer.length);
    }
    judo_json_writer_free(&writer);
    return status;
}

static judo_status read_text(const judo_json *object, const char *key, const char *source,
                             char *out, size_t bytes)
{
    const char *text = NULL;
    JUDO_TRY(judo_json_get_string(object, key, source, &text));
    if (strlen(text) >= bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: \"%s\" is longer than %zu bytes", source, key,
                         bytes - 1);
    }
    memcpy(out, text, strlen(text) + 1);
    return JUDO_OK;
}

static judo_status read_count(const judo_json *object, const char *key, const char *source,
                              int64_t *out)
{
    int64_t value = 0;
    JUDO_TRY(judo_json_get_int(object, key, source, &value));
    if (value < 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: \"%s\" is %lld, but it counts something",
                         source, key, (long long)value);
    }
    *out = value;
    return JUDO_OK;
}

static judo_status read_cell(const judo_json *side, const char *source, judo_mmad_cell *cell)
{
    JUDO_TRY(read_count(side, "correct", source, &cell->correct));
    JUDO_TRY(read_count(side, "total", source, &cell->total));
    JUDO_TRY(read_count(side, "invalid", source, &cell->invalid));
    if (cell->correct > cell->total || cell->invalid > cell->total - cell->correct) {
        return JUDO_FAIL(
            JUDO_ERROR_FORMAT, "%s: %lld correct and %lld invalid of %lld questions cannot be",
            source, (long long)cell->correct, (long long)cell->invalid, (long long)cell->total);
    }
    return JUDO_OK;
}

static judo_status read_dataset(const judo_json *dataset, const char *source,
                                judo_eval_result *result)
{
    int d = result->num_datasets;
    if (d == JUDO_MMAD_MAX_DATASETS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: more than %d data sets", source, d);
    }
    JUDO_TRY(read_text(dataset, "name", source, result->datasets[d], JUDO_EVAL_NAME_BYTES));
    const judo_json *counts = judo_json_get(dataset, "counts");
    for (int s = 0; s < JUDO_MMAD_NUM_SUBTASKS; s++) {
        const judo_json *subtask = judo_json_get(counts, judo_mmad_column_keys[s]);
        for (int side = 0; side < 2; side++) {
            JUDO_TRY(read_cell(judo_json_get(subtask, side_keys[side]), source,
                               &result->counts.questions[d][s][side]));
        }
    }
    result->num_datasets++;
    return JUDO_OK;
}

static judo_status read_segmentation(const judo_json *from, const char *source,
                                     judo_mmad_counts *counts)
{
    JUDO_TRY(read_count(from, "completions", source, &counts->segmented));
    JUDO_TRY(read_count(from, "well_formed_count", source, &counts->well_formed));
    JUDO_TRY(read_count(from, "cells_common", source, &counts->cells_common));
    JUDO_TRY(read_count(from, "cells_predicted", source, &counts->cells_predicted));
    JUDO_TRY(read_count(from, "cells_gold", source, &counts->cells_gold));
    return read_count(from, "f1_billionths", source, &counts->f1_billionths);
}

static judo_status read_result(const judo_json *document, const char *source,
                               judo_eval_result *result)
{
    int64_t schema = 0;
    JUDO_TRY(judo_json_get_int(document, "schema", source, &schema));
    if (schema != 1) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: schema %lld is not known; only 1 is",
                         source, (long long)schema);
    }
    JUDO_TRY(read_text(document, "title", source, result->title, sizeof result->title));
    JUDO_TRY(read_text(document, "model", source, result->model, sizeof result->model));
    JUDO_TRY(read_text(document, "answer_mode", source, result->answer_mode,
                       sizeof result->answer_mode));
    JUDO_TRY(judo_json_get_bool(document, "official", source, &result->official));
    const judo_json *dataset = judo_json_first(judo_json_get(document, "datasets"));
    for (; dataset != NULL; dataset = judo_json_next(dataset)) {
        JUDO_TRY(read_dataset(dataset, source, result));
    }
    JUDO_TRY(
        read_segmentation(judo_json_get(document, "segmentation"), source, &result->counts));
    const judo_json *rewards = judo_json_get(document, "rewards");
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        JUDO_TRY(judo_json_get_double_or(rewards, judo_rewards[i].name, source, NAN,
                                         &result->rewards[i]));
    }
    JUDO_TRY(judo_json_get_double_or(rewards, "total", source, NAN, &result->total_reward));
    JUDO_TRY(judo_json_get_double_or(document, "qa_loss", source, NAN, &result->qa_loss));
    JUDO_TRY(
        judo_json_get_double_or(document, "mean_tokens", source, NAN, &result->mean_tokens));
    return judo_json_get_double_or(document, "seconds", source, NAN, &result->seconds);
}

judo_status judo_eval_result_read(const char *path, judo_eval_result *result)
{
    judo_json *document = NULL;
    judo_eval_result read;
    JUDO_TRY(judo_json_load(path, &document));
    judo_eval_result_clear(&read);
    judo_status status = read_result(document, path, &read);
    judo_json_free(&document);
    if (status == JUDO_OK) {
        *result = read;
    }
    return status;
}
