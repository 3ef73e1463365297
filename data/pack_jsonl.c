/* data/pack_jsonl.c: the reference project's JSON lines of the three stages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack_source.h"
#include "data/python_dict.h"
#include "runtime/json.h"

/* Stage 1 rows without a teacher's text get one of these as the comparison to learn. */
static const char normal_comparison[] =
    "The query shows no meaningful difference from the normal template.";
static const char anomaly_comparison[] =
    "The query shows a localized difference that the normal template does not have.";

typedef struct line_context {
    judo_packer *packer;
    judo_sample_kind kind;
    const char *path;
    int64_t rows;
} line_context;

static judo_status count_line(void *context, const judo_json *row, int64_t line)
{
    (void)row;
    (void)line;
    ((line_context *)context)->rows++;
    return JUDO_OK;
}

static judo_status read_stage1(const judo_json *row, judo_pack_item *item)
{
    const char *place = item->place;
    judo_sample *sample = &item->sample;
    JUDO_TRY(judo_json_get_string(row, "image_path", place, &item->query));
    JUDO_TRY(judo_json_get_string(row, "normal_image_path", place, &item->template_path));
    JUDO_TRY(judo_json_get_string_or(row, "mask_path", place, NULL, &item->mask));
    JUDO_TRY(judo_json_get_string(row, "item_type", place, &sample->category));
    JUDO_TRY(judo_json_get_string_or(row, "defect_type", place, "", &sample->defect));
    JUDO_TRY(judo_json_get_string_or(row, "anomaly_type", place, "", &sample->subtask));
    JUDO_TRY(judo_json_get_string_or(row, "domain", place, "", &sample->domain));
    sample->is_normal = item->mask == NULL;
    return judo_json_get_string_or(row, "gt", place,
                                   sample->is_normal ? normal_comparison : anomaly_comparison,
                                   &sample->target);
}

/* The one picture of a domain question is a normal one; it stands as the query. Lessons of a
 * base model may have none (image null), or a normal one beside the query (normal_image). */
static judo_status read_stage2(const judo_json *row, judo_pack_item *item)
{
    JUDO_TRY(judo_json_get_string_or(row, "image", item->place, NULL, &item->query));
    JUDO_TRY(
        judo_json_get_string_or(row, "normal_image", item->place, NULL, &item->template_path));
    JUDO_TRY(judo_json_get_string(row, "problem", item->place, &item->sample.question));
    item->sample.is_normal = true;
    return judo_json_get_string(row, "solution", item->place, &item->sample.target);
}

static judo_status read_stage3(const judo_json *row, judo_pack_item *item)
{
    const char *place = item->place;
    judo_sample *sample = &item->sample;
    JUDO_TRY(judo_json_get_string(row, "image", place, &item->query));
    JUDO_TRY(judo_json_get_string(row, "template_image", place, &item->template_path));
    JUDO_TRY(judo_json_get_string_or(row, "mask_path", place, NULL, &item->mask));
    JUDO_TRY(judo_json_get_string(row, "type", place, &sample->subtask));
    JUDO_TRY(judo_json_get_string_or(row, "gt", place, "", &sample->domain));
    JUDO_TRY(judo_json_get_string_or(row, "domain_gt", place, "", &sample->rationale));
    sample->is_normal = item->mask == NULL;
    return JUDO_OK;
}

static judo_status take_options(const judo_python_dict *dict, const char *solution,
                                judo_pack_item *item)
{
    judo_sample *sample = &item->sample;
    if (dict->count < 2 || dict->count > JUDO_MAX_OPTIONS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %d options where 2 to %d are expected",
                         item->place, dict->count, JUDO_MAX_OPTIONS);
    }
    for (int i = 0; i < dict->count; i++) {
        const char *key = dict->keys[i];
        if (key[0] < 'A' || key[0] > 'Z' || key[1] != '\0' ||
            memchr(sample->letters, key[0], (size_t)i) != NULL) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: option \"%.20s\" is not a new letter A-Z",
                             item->place, key);
        }
        sample->letters[i] = key[0];
        sample->options[i] = dict->values[i];
        if (strcmp(solution, key) == 0) {
            sample->answer = key[0];
        }
    }
    sample->num_options = dict->count;
    if (sample->answer == '\0') {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: the solution \"%.20s\" is none of the options",
                         item->place, solution);
    }
    return JUDO_OK;
}

/* "QUESTION \n Choice: \n {'A': ..}": cut before the last "Choice:", blanks at the end dropped.
 */
static judo_status split_problem(char *problem, const char *place, char **options)
{
    char *marker = NULL;
    for (char *at = strstr(problem, "Choice:"); at != NULL; at = strstr(at + 1, "Choice:")) {
        marker = at;
    }
    if (marker == NULL) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: the problem has no \"Choice:\" before its options", place);
    }
    *options = marker + strlen("Choice:");
    while (marker > problem && strchr(" \t\r\n", marker[-1]) != NULL) {
        marker--;
    }
    *marker = '\0';
    return JUDO_OK;
}

/* Adds a stage-3 item once its problem is taken apart; `problem` is a copy to cut up. */
static judo_status add_choice(judo_packer *packer, char *problem, const char *solution,
                              judo_pack_item *item)
{
    char *options = NULL;
    judo_python_dict dict = {0};
    judo_status status = split_problem(problem, item->place, &options);
    if (status == JUDO_OK) {
        status = judo_python_dict_parse(options, item->place, &dict);
    }
    if (status == JUDO_OK) {
        item->sample.question = problem;
        status = take_options(&dict, solution, item);
    }
    status = status == JUDO_OK ? judo_pack_item_add(packer, item)
                               : judo_pack_row_failed(packer, status);
    judo_python_dict_free(&dict);
    return status;
}

static judo_status read_row(const judo_json *row, judo_pack_item *item, const char **problem,
                            const char **solution)
{
    if (!judo_json_is_object(row)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: a row must be a JSON object", item->place);
    }
    switch (item->sample.kind) {
    case JUDO_SAMPLE_SEGMENTATION:
        return read_stage1(row, item);
    case JUDO_SAMPLE_DOMAIN_QA:
        return read_stage2(row, item);
    case JUDO_SAMPLE_CHOICE:
        break;
    }
    JUDO_TRY(read_stage3(row, item));
    JUDO_TRY(judo_json_get_string(row, "problem", item->place, problem));
    return judo_json_get_string(row, "solution", item->place, solution);
}

static judo_status pack_row(line_context *context, const judo_json *row, const char *place)
{
    judo_packer *packer = context->packer;
    judo_pack_item item = {
        .sample.kind = context->kind, .root = packer->options->image_root, .place = place};
    const char *problem = NULL;
    const char *solution = NULL;
    judo_status status = read_row(row, &item, &problem, &solution);
    if (status != JUDO_OK) {
        return judo_pack_row_failed(packer, status);
    }
    char dataset[256];
    char category[256];
    judo_pack_path_parts(item.query, dataset, category, sizeof dataset);
    item.sample.dataset = dataset;
    if (item.sample.category == NULL) {
        item.sample.category = category;
    }
    if (problem == NULL) {
        return judo_pack_item_add(packer, &item);
    }
    char *copy = strdup(problem);
    if (copy == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a question", place);
    }
    status = add_choice(packer, copy, solution, &item);
    free(copy);
    return status;
}

static judo_status pack_line(void *context, const judo_json *row, int64_t line)
{
    line_context *lines = context;
    judo_packer *packer = lines->packer;
    if (packer->options->limit > 0 && lines->rows >= packer->options->limit) {
        return JUDO_OK;
    }
    char place[1200];
    (void)snprintf(place, sizeof place, "%.1100s:%lld", lines->path, (long long)line);
    int64_t before = judo_dataset_writer_num_samples(packer->writer);
    JUDO_TRY(pack_row(lines, row, place));
    lines->rows += judo_dataset_writer_num_samples(packer->writer) - before;
    judo_progress_update(&packer->progress, ++packer->rows_seen, NULL);
    return JUDO_OK;
}

judo_status judo_pack_jsonl(judo_packer *packer, judo_sample_kind kind, const char *path)
{
    line_context context = {packer, kind, path, 0};
    JUDO_TRY(judo_json_each_line(path, count_line, &context));
    judo_progress_begin(&packer->progress, "packing", "rows", context.rows);
    packer->rows_seen = 0;
    context.rows = 0;
    judo_status status = judo_json_each_line(path, pack_line, &context);
    judo_progress_end(&packer->progress);
    return status;
}
