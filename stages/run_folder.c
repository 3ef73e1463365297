/* stages/run_folder.c: config.yaml and the state text of checkpoints. */
#include "stages/run_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "runtime/file.h"
#include "runtime/json.h"

static judo_status write_config(const judo_stage *stage, const judo_train_config *config)
{
    char path[JUDO_CONFIG_STRING_BYTES + 32];
    char *text = NULL;
    size_t length = 0;
    judo_config_table table = judo_train_config_table(stage->for_grpo);
    (void)snprintf(path, sizeof path, "%s/config.yaml", config->run.folder);
    FILE *stream = open_memstream(&text, &length);
    if (!stream) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for its text", path);
    }
    judo_status status = judo_config_print(stream, config, &table);
    if (fclose(stream) != 0 && status == JUDO_OK) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for its text", path);
    }
    if (status == JUDO_OK) {
        status = judo_file_replace(path, text, length);
    }
    free(text);
    return status;
}

judo_status judo_run_folder_prepare(judo_comm *comm, const judo_stage *stage,
                                    const judo_train_config *config)
{
    return judo_agree(comm, comm->rank == 0 ? write_config(stage, config) : JUDO_OK);
}

judo_status judo_run_launch_write(const judo_job *job)
{
    char path[JUDO_CONFIG_STRING_BYTES + 32];
    judo_json_writer text = {0};
    (void)snprintf(path, sizeof path, "%s/launch.json", job->config->run.folder);
    judo_json_begin_object(&text, NULL);
    judo_json_put_string(&text, "version", JUDO_VERSION);
    judo_json_put_string(&text, "stage", job->stage->name);
    judo_json_put_int(&text, "first_step", job->first_step);
    judo_json_put_int(&text, "ranks", job->comm->size);
    judo_json_put_int(&text, "nodes", job->num_nodes);
    judo_json_put_int(&text, "threads", job->threads);
    judo_json_put_string(&text, "device", job->device->name);
    judo_json_end_object(&text);
    judo_status status = judo_json_writer_check(&text);
    if (status == JUDO_OK) {
        status = judo_file_replace(path, text.text, text.length);
    }
    judo_json_writer_free(&text);
    return status;
}

void judo_run_state_write(const judo_job *job, int64_t next_step, char *out, size_t bytes)
{
    (void)snprintf(out, bytes,
                   "{\"stage\": \"%s\", \"next_step\": %" PRId64 ", \"seed\": %" PRId64
                   ", \"num_samples\": %" PRId64 "}",
                   job->stage->name, next_step, job->config->run.seed, job->num_samples);
}

static judo_status check_number(const judo_job *job, const judo_json *state, const char *key,
                                int64_t expected)
{
    int64_t value;
    const char *folder = job->config->run.folder;
    JUDO_TRY(judo_json_get_int(state, key, folder, &value));
    if (value != expected) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: its checkpoint was made with %s %" PRId64
                         ", this run has %" PRId64
                         "; use another run.folder, or run.resume=never to start over",
                         folder, key, value, expected);
    }
    return JUDO_OK;
}

judo_status judo_run_state_check(const judo_job *job, const char *text)
{
    judo_json *state = NULL;
    const char *stage, *folder = job->config->run.folder;
    JUDO_TRY(judo_json_parse(text, strlen(text), folder, &state));
    judo_status status = judo_json_get_string(state, "stage", folder, &stage);
    if (status == JUDO_OK && strcmp(stage, job->stage->name) != 0) {
        status = JUDO_FAIL(
            JUDO_ERROR_MISMATCH,
            "%s: its checkpoint is of stage %s, this program runs %s; use another run.folder",
            folder, stage, job->stage->name);
    }
    if (status == JUDO_OK) {
        status = check_number(job, state, "seed", job->config->run.seed);
    }
    if (status == JUDO_OK) {
        status = check_number(job, state, "num_samples", job->num_samples);
    }
    judo_json_free(&state);
    return status;
}

void judo_run_checkpoint_folder(const judo_train_config *config, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "%s/checkpoints", config->run.folder);
}
