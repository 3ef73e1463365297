/* models/checkpoint_directory_write.c: the hub layout, written by all ranks at once. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/checkpoint_directory.h"
#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/safetensors.h"

static const int64_t default_shard_bytes = INT64_C(5000000000);
static const size_t max_side_file_bytes = (size_t)256 << 20;

struct judo_model_writer {
    const judo_param_layout *layout;
    judo_dtype dtype;
    char *directory;
    int num_shards;
    judo_safetensors_plan **plans; /* [num_shards] */
    int *shard_of;                 /* [num_params] */
    int *entry_of;                 /* [num_params]: index within its shard */
};

static void shard_name(const judo_model_writer *writer, int shard, char *out, size_t size)
{
    if (writer->num_shards == 1) {
        (void)snprintf(out, size, "model.safetensors");
    } else {
        (void)snprintf(out, size, "model-%05d-of-%05d.safetensors", shard + 1,
                       writer->num_shards);
    }
}

/* Fills shards in the layout's order. */
static void assign_shards(judo_model_writer *writer, int64_t limit)
{
    int64_t filled = 0;
    int shard = 0;
    for (int i = 0; i < writer->layout->num_params; i++) {
        int64_t bytes = writer->layout->params[i].count * judo_dtype_bytes(writer->dtype);
        if (filled > 0 && filled + bytes > limit) {
            shard++;
            filled = 0;
        }
        filled += bytes;
        writer->shard_of[i] = shard;
    }
    writer->num_shards = shard + 1;
}

static judo_status join(char *path, const char *directory, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    if (length < 0 || length >= PATH_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s/%s: path is too long", directory, name);
    }
    return JUDO_OK;
}

static judo_status plan_files(judo_model_writer *writer)
{
    char name[64];
    char path[PATH_MAX];
    for (int s = 0; s < writer->num_shards; s++) {
        shard_name(writer, s, name, sizeof name);
        JUDO_TRY(join(path, writer->directory, name));
        JUDO_TRY(judo_safetensors_plan_create(path, &writer->plans[s]));
    }
    for (int i = 0; i < writer->layout->num_params; i++) {
        const judo_param *param = &writer->layout->params[i];
        JUDO_TRY(judo_safetensors_plan_add(writer->plans[writer->shard_of[i]], param->name,
                                           writer->dtype, param->dims, param->num_dims,
                                           &writer->entry_of[i]));
    }
    return JUDO_OK;
}

judo_status judo_model_writer_create(const char *directory, const judo_param_layout *layout,
                                     judo_dtype dtype, int64_t shard_bytes,
                                     judo_model_writer **out)
{
    size_t params = (size_t)layout->num_params;
    judo_model_writer *writer = calloc(1, sizeof *writer);
    if (!writer || !(writer->directory = strdup(directory)) ||
        !(writer->shard_of = calloc(params, sizeof *writer->shard_of)) ||
        !(writer->entry_of = calloc(params, sizeof *writer->entry_of)) ||
        !(writer->plans = calloc(params, sizeof *writer->plans))) {
        judo_model_writer_destroy(&writer);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the list of files", directory);
    }
    writer->layout = layout;
    writer->dtype = dtype;
    assign_shards(writer, shard_bytes > 0 ? shard_bytes : default_shard_bytes);
    judo_status status = plan_files(writer);
    if (status != JUDO_OK) {
        judo_model_writer_destroy(&writer);
        return status;
    }
    *out = writer;
    return JUDO_OK;
}

judo_status judo_model_writer_begin(judo_model_writer *writer)
{
    JUDO_TRY(judo_file_make_folder(writer->directory));
    for (int s = 0; s < writer->num_shards; s++) {
        JUDO_TRY(judo_safetensors_create_file(writer->plans[s]));
    }
    return JUDO_OK;
}

judo_status judo_model_writer_write(judo_model_writer *writer, int param_index, int64_t first,
                                    int64_t count, const float *values)
{
    if (param_index < 0 || param_index >= writer->layout->num_params) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: parameter %d of %d does not exist",
                         writer->directory, param_index, writer->layout->num_params);
    }
    return judo_safetensors_write(writer->plans[writer->shard_of[param_index]],
                                  writer->entry_of[param_index], first, count, values);
}

judo_status judo_model_writer_sync(judo_model_writer *writer)
{
    for (int s = 0; s < writer->num_shards; s++) {
        JUDO_TRY(judo_safetensors_sync(writer->plans[s]));
    }
    return JUDO_OK;
}

static void write_index_text(const judo_model_writer *writer, judo_json_writer *w)
{
    char name[64];
    int64_t total = 0;
    for (int i = 0; i < writer->layout->num_params; i++) {
        total += writer->layout->params[i].count * judo_dtype_bytes(writer->dtype);
    }
    judo_json_begin_object(w, NULL);
    judo_json_begin_object(w, "metadata");
    judo_json_put_int(w, "total_size", total);
    judo_json_end_object(w);
    judo_json_begin_object(w, "weight_map");
    for (int i = 0; i < writer->layout->num_params; i++) {
        shard_name(writer, writer->shard_of[i], name, sizeof name);
        judo_json_put_string(w, writer->layout->params[i].name, name);
    }
    judo_json_end_object(w);
    judo_json_end_object(w);
}

judo_status judo_model_writer_end(judo_model_writer *writer)
{
    char path[PATH_MAX];
    JUDO_TRY(join(path, writer->directory, "model.safetensors.index.json"));
    if (writer->num_shards == 1) {
        /* An older index in the folder would win over the file just written. */
        (void)unlink(path);
        return JUDO_OK;
    }
    judo_json_writer text = {0};
    write_index_text(writer, &text);
    judo_status status = judo_json_writer_check(&text);
    if (status == JUDO_OK) {
        status = judo_file_replace(path, text.text, text.length);
    }
    judo_json_writer_free(&text);
    return status;
}

void judo_model_writer_destroy(judo_model_writer **writer)
{
    judo_model_writer *self = *writer;
    if (!self) {
        return;
    }
    for (int s = 0; self->plans && s < self->num_shards; s++) {
        judo_safetensors_plan_destroy(&self->plans[s]);
    }
    free(self->plans);
    free(self->shard_of);
    free(self->entry_of);
    free(self->directory);
    free(self);
    *writer = NULL;
}

static judo_status copy_file(const char *source, const char *target, const char *name)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    char *content = NULL;
    size_t length = 0;
    JUDO_TRY(join(from, source, name));
    JUDO_TRY(join(to, target, name));
    JUDO_TRY(judo_file_read_all(from, max_side_file_bytes, &content, &length));
    judo_status status = judo_file_replace(to, content, length);
    free(content);
    return status;
}

judo_status judo_model_copy_files(const char *source, const char *target)
{
    static const char *const optional[] = {
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
        "preprocessor_config.json",
        "processor_config.json",
        "video_preprocessor_config.json",
        "chat_template.json",
        "chat_template.jinja",
    };
    char path[PATH_MAX];
    JUDO_TRY(judo_file_make_folder(target));
    JUDO_TRY(copy_file(source, target, "config.json"));
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        JUDO_TRY(join(path, source, optional[i]));
        if (access(path, F_OK) == 0) {
            JUDO_TRY(copy_file(source, target, optional[i]));
        }
    }
    return JUDO_OK;
}
