/* eval/scaling_run.c: reads a run folder, believing nothing. */
#include "eval/scaling_run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/json.h"

enum { PATH_BYTES = 4096, MOST_RANKS = 1 << 20, MOST_UPDATES = 1000 };

static judo_status path_in(const char *folder, const char *name, char out[PATH_BYTES])
{
    struct stat facts;
    if (snprintf(out, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%.60s..: the path is too long", folder);
    }
    if (stat(folder, &facts) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: %s; give run folders of finished jobs", folder,
                         strerror(errno));
    }
    if (!S_ISDIR(facts.st_mode)) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: is no folder; give run folders", folder);
    }
    if (stat(out, &facts) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO,
                         "%s: %s; a run folder has it from its job's first step on: did "
                         "the job start, and is it one of this version of judo?",
                         out, strerror(errno));
    }
    return JUDO_OK;
}

static judo_status get_count(const judo_json *json, const char *key, const char *path,
                             int64_t minimum, int64_t *out)
{
    JUDO_TRY(judo_json_get_int(json, key, path, out));
    if (*out < minimum || *out > MOST_RANKS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s is %lld, out of [%lld, %d]", path, key,
                         (long long)*out, (long long)minimum, MOST_RANKS);
    }
    return JUDO_OK;
}

static judo_status get_text(const judo_json *json, const char *key, const char *path, char *out,
                            size_t bytes)
{
    const char *text;
    JUDO_TRY(judo_json_get_string(json, key, path, &text));
    if (snprintf(out, bytes, "%s", text) >= (int)bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s is longer than %zu bytes", path, key,
                         bytes - 1);
    }
    return JUDO_OK;
}

static judo_status take_launch(const judo_json *json, const char *path, judo_scaling_run *out)
{
    int64_t first_step;
    JUDO_TRY(get_text(json, "stage", path, out->stage, sizeof out->stage));
    JUDO_TRY(get_text(json, "device", path, out->device, sizeof out->device));
    JUDO_TRY(get_count(json, "ranks", path, 1, &out->ranks));
    JUDO_TRY(get_count(json, "nodes", path, 1, &out->nodes));
    JUDO_TRY(get_count(json, "threads", path, 1, &out->threads));
    JUDO_TRY(judo_json_get_int(json, "first_step", path, &first_step));
    if (first_step != 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: the run was resumed at step %lld: its steps were made by several "
                         "launches; measure again in a fresh folder",
                         path, (long long)first_step);
    }
    return JUDO_OK;
}

static judo_status read_launch(judo_scaling_run *out)
{
    char path[PATH_BYTES];
    judo_json *json = NULL;
    JUDO_TRY(path_in(out->folder, "launch.json", path));
    JUDO_TRY(judo_json_load(path, &json));
    judo_status status = take_launch(json, path, out);
    judo_json_free(&json);
    return status;
}

/* NULL: no such key. */
static const char *setting(const judo_scaling_run *run, const char *key)
{
    for (int i = 0; i < run->config.count; i++) {
        if (strcmp(run->config.entries[i].key, key) == 0) {
            return run->config.entries[i].text ? run->config.entries[i].text : "";
        }
    }
    return NULL;
}

static judo_status setting_count(const judo_scaling_run *run, const char *key, int64_t most,
                                 int64_t *out)
{
    const char *text = setting(run, key);
    char *end = NULL;
    if (text == NULL) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s/config.yaml: has no %s", run->folder, key);
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < 1 || value > most) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s/config.yaml: %s is '%.40s', not in [1, %lld]",
                         run->folder, key, text, (long long)most);
    }
    *out = value;
    return JUDO_OK;
}

static judo_status read_settings(judo_scaling_run *out)
{
    char path[PATH_BYTES];
    JUDO_TRY(path_in(out->folder, "config.yaml", path));
    JUDO_TRY(judo_yaml_load(path, &out->config));
    const char *dtype = setting(out, "model.dtype");
    out->is_bf16 = dtype != NULL && strcmp(dtype, "bf16") == 0;
    out->for_grpo = setting(out, "grpo.prompts_per_step") != NULL;
    out->updates = 1;
    if (out->for_grpo) {
        JUDO_TRY(setting_count(out, "grpo.updates_per_rollout", MOST_UPDATES, &out->updates));
        return setting_count(out, "grpo.prompts_per_step", 1000000, &out->batch);
    }
    return setting_count(out, "train.batch_size", 1000000, &out->batch);
}

/* A job that was cut short is no measurement of the one that was asked for. */
static judo_status check_steps(const judo_scaling_run *run)
{
    const char *text = setting(run, "train.max_steps");
    int64_t asked;
    if (text == NULL || strcmp(text, "0") == 0) {
        return JUDO_OK; /* whole epochs */
    }
    JUDO_TRY(setting_count(run, "train.max_steps", INT64_MAX, &asked));
    if (run->num_steps != asked) {
        return JUDO_FAIL(
            JUDO_ERROR_MISMATCH,
            "%s: made %lld of %lld steps (train.max_steps): the job failed or still "
            "runs; see its log",
            run->folder, (long long)run->num_steps, (long long)asked);
    }
    return JUDO_OK;
}

/* Every row must have it, and rows are the steps 0, 1, .. */
static judo_status check_series(const judo_scaling_run *run, const char *path, const char *name,
                                double minimum)
{
    const judo_series *series = judo_series_find(&run->metrics, name);
    if (series == NULL) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: no row has '%s'", path, name);
    }
    for (int64_t i = 0; i < series->length; i++) {
        if (!(fabs(series->steps[i] - (double)i) < 0.5)) {
            return JUDO_FAIL(
                JUDO_ERROR_FORMAT,
                "%s: '%s' of step %.0f where that of step %lld should be: a row is "
                "missing, twice there, or without a finite value",
                path, name, series->steps[i], (long long)i);
        }
        if (!isfinite(series->values[i]) || series->values[i] < minimum) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: step %lld has the %s %g", path,
                             (long long)i, name, series->values[i]);
        }
    }
    if (run->num_steps != 0 && series->length != run->num_steps) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %lld of %lld steps have a '%s'", path,
                         (long long)series->length, (long long)run->num_steps, name);
    }
    return JUDO_OK;
}

static judo_status read_metrics(judo_scaling_run *out)
{
    char path[PATH_BYTES];
    JUDO_TRY(path_in(out->folder, "metrics.jsonl", path));
    JUDO_TRY(judo_series_read(path, &out->metrics));
    if (out->metrics.count == 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: has no rows: the job made no step", path);
    }
    JUDO_TRY(check_series(out, path, "step_time", 1e-9));
    out->num_steps = judo_series_find(&out->metrics, "step_time")->length;
    JUDO_TRY(check_steps(out));
    JUDO_TRY(check_series(out, path, "time", 0));
    JUDO_TRY(check_series(out, path, "num_tokens", 1));
    JUDO_TRY(check_series(out, path, "loss", -INFINITY));
    if (out->for_grpo) {
        JUDO_TRY(check_series(out, path, "reward", -INFINITY));
    }
    return out->ranks > 1 ? check_series(out, path, "comm/wait_time", 0) : JUDO_OK;
}

judo_status judo_scaling_run_read(const char *folder, judo_scaling_run *out)
{
    judo_scaling_run run = {.folder = folder};
    judo_status status = read_launch(&run);
    if (status == JUDO_OK) {
        status = read_settings(&run);
    }
    if (status == JUDO_OK) {
        status = read_metrics(&run);
    }
    if (status != JUDO_OK) {
        judo_scaling_run_free(&run);
        return status;
    }
    *out = run;
    return JUDO_OK;
}

void judo_scaling_run_free(judo_scaling_run *run)
{
    judo_yaml_free(&run->config);
    judo_series_free(&run->metrics);
    *run = (judo_scaling_run){0};
}

static bool may_differ(const char *key)
{
    static const char *const keys[] = {"run.folder", "train.batch_size",
                                       "grpo.prompts_per_step"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static judo_status settings_in(const judo_scaling_run *a, const judo_scaling_run *b)
{
    for (int i = 0; i < a->config.count; i++) {
        const judo_yaml_entry *entry = &a->config.entries[i];
        const char *mine = entry->text ? entry->text : "";
        const char *other = setting(b, entry->key);
        if (!may_differ(entry->key) && (other == NULL || strcmp(mine, other) != 0)) {
            return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                             "%s/config.yaml: %s is '%.60s', in %s it is '%.60s': points of an "
                             "experiment differ in ranks and batch only",
                             a->folder, entry->key, mine, b->folder,
                             other ? other : "(not there)");
        }
    }
    return JUDO_OK;
}

judo_status judo_scaling_run_compare(const judo_scaling_run *a, const judo_scaling_run *b)
{
    if (strcmp(a->stage, b->stage) != 0 || strcmp(a->device, b->device) != 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s is a run of %s on %s, %s one of %s on %s: no points of one "
                         "experiment",
                         a->folder, a->stage, a->device, b->folder, b->stage, b->device);
    }
    JUDO_TRY(settings_in(a, b));
    JUDO_TRY(settings_in(b, a));
    if (a->num_steps != b->num_steps) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s made %lld steps, %s %lld: one of them did not end by itself; see "
                         "its log",
                         a->folder, (long long)a->num_steps, b->folder,
                         (long long)b->num_steps);
    }
    return JUDO_OK;
}
