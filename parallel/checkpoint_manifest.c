/* parallel/checkpoint_manifest.c: manifest.json.
 *
 * The text begins with its own checksum, taken with eight zeros in its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/checkpoint_files.h"
#include "parallel/tensor_names.h"
#include "runtime/crc32c.h"
#include "runtime/file.h"
#include "runtime/json.h"

static const char crc_head[] = "{\"crc32c\":\"";
static const char format_name[] = "judo checkpoint";

enum { CRC_DIGITS = 8, MANIFEST_MAX_BYTES = 256 << 20 };

judo_status judo_checkpoint_join(const char *folder, const char *name, char **out)
{
    if (asprintf(out, "%s/%s", folder, name) < 0) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    return JUDO_OK;
}

void judo_manifest_free(judo_manifest *manifest)
{
    free(manifest->state);
    free(manifest->seals);
    free(manifest->tensors);
    *manifest = (judo_manifest){0};
}

static void put_manifest(judo_json_writer *w, const judo_manifest *manifest,
                         const judo_param_layout *layout)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_string(w, "crc32c", "00000000");
    judo_json_put_string(w, "format", format_name);
    judo_json_put_int(w, "version", JUDO_CHECKPOINT_VERSION);
    judo_json_put_int(w, "step", manifest->step);
    judo_json_put_int(w, "world_size", manifest->world_size);
    judo_json_put_string(w, "state", manifest->state);
    judo_json_begin_array(w, "tensors");
    for (int p = 0; p < layout->num_params; p++) {
        judo_json_begin_object(w, NULL);
        judo_json_put_string(w, "name", layout->params[p].name);
        judo_json_put_int(w, "count", layout->params[p].count);
        judo_json_end_object(w);
    }
    judo_json_end_array(w);
    judo_json_begin_array(w, "shards");
    for (int r = 0; r < manifest->world_size; r++) {
        judo_json_begin_object(w, NULL);
        judo_json_put_int(w, "bytes", manifest->seals[r].bytes);
        judo_json_put_int(w, "header_crc32c", manifest->seals[r].header_crc);
        judo_json_end_object(w);
    }
    judo_json_end_array(w);
    judo_json_end_object(w);
}

int64_t judo_manifest_most_bytes(const judo_manifest *manifest, const judo_param_layout *layout)
{
    enum { HEAD_BYTES = 4096, TENSOR_BYTES = 64, SHARD_BYTES = 96 };

    int64_t bytes = HEAD_BYTES + 2 * (int64_t)strlen(manifest->state) +
                    (int64_t)manifest->world_size * SHARD_BYTES;
    for (int p = 0; p < layout->num_params; p++) {
        bytes += TENSOR_BYTES + (int64_t)strlen(layout->params[p].name);
    }
    return bytes;
}

/* Zeros the checksum's digits in `text` and returns the checksum of the result. */
static uint32_t checksum_of(char *text, size_t length)
{
    memset(text + sizeof crc_head - 1, '0', CRC_DIGITS);
    return judo_crc32c(0, text, length);
}

judo_status judo_manifest_write(const char *folder, const judo_manifest *manifest,
                                const judo_param_layout *layout)
{
    char *path = NULL;
    judo_json_writer w = {0};
    put_manifest(&w, manifest, layout);
    judo_status status = judo_json_writer_check(&w);
    if (status == JUDO_OK) {
        char digits[CRC_DIGITS + 1];
        uint32_t crc = checksum_of(w.text, w.length);
        (void)snprintf(digits, sizeof digits, "%08x", crc);
        memcpy(w.text + sizeof crc_head - 1, digits, CRC_DIGITS);
        status = judo_checkpoint_join(folder, "manifest.json", &path);
    }
    if (status == JUDO_OK) {
        status = judo_file_replace(path, w.text, w.length);
    }
    judo_json_writer_free(&w);
    free(path);
    return status;
}

static judo_status verify_text(char *text, size_t length, const char *path)
{
    char digits[CRC_DIGITS + 1] = "";
    size_t head = sizeof crc_head - 1;
    if (length < head + CRC_DIGITS || memcmp(text, crc_head, head) != 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: does not begin with its checksum: not a "
                         "checkpoint's manifest, or cut off",
                         path);
    }
    memcpy(digits, text + head, CRC_DIGITS);
    uint32_t expected = (uint32_t)strtoul(digits, NULL, 16);
    uint32_t actual = checksum_of(text, length);
    if (expected != actual) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: checksum %08x, but its text has %08x: the file is damaged", path,
                         expected, actual);
    }
    return JUDO_OK;
}

/* One tensor of the manifest; `seen` has those that came before. */
static judo_status check_tensor(const judo_json *item, const char *path,
                                const judo_tensor_names *names, bool *seen)
{
    const char *name;
    int64_t count;
    JUDO_TRY(judo_json_get_string(item, "name", path, &name));
    JUDO_TRY(judo_json_get_int(item, "count", path, &count));
    int p = judo_tensor_names_find(names, name);
    if (p < 0 || seen[p]) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: tensor %s %s: the checkpoint is of another model", path, name,
                         p < 0 ? "is none of the model's" : "stands there twice");
    }
    if (count != names->layout->params[p].count) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: tensor %s has %lld elements, but the model's has %lld: the "
                         "checkpoint is of another model",
                         path, name, (long long)count,
                         (long long)names->layout->params[p].count);
    }
    seen[p] = true;
    return JUDO_OK;
}

/* The same tensors, in any order: units may be laid out differently today. */
static judo_status check_tensors(const judo_json *root, const char *path,
                                 const judo_param_layout *layout)
{
    const judo_json *tensors = judo_json_get(root, "tensors");
    if (judo_json_size(tensors) != layout->num_params) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: %d tensors, but the model has %d: the checkpoint is of another "
                         "model",
                         path, judo_json_size(tensors), layout->num_params);
    }
    judo_tensor_names names;
    JUDO_TRY(judo_tensor_names_create(layout, &names));
    judo_status status = JUDO_OK;
    bool *seen = calloc((size_t)layout->num_params + 1, sizeof *seen);
    if (!seen) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for its tensors' names", path);
    }
    const judo_json *item = judo_json_first(tensors);
    for (int p = 0; p < layout->num_params && status == JUDO_OK; p++) {
        status = check_tensor(item, path, &names, seen);
        item = judo_json_next(item);
    }
    free(seen);
    judo_tensor_names_free(&names);
    return status;
}

static judo_status take_tensors(const judo_json *root, const char *path,
                                judo_manifest *manifest)
{
    const judo_json *tensors = judo_json_get(root, "tensors");
    const judo_json *item = judo_json_first(tensors);
    int count = judo_json_size(tensors);
    if (count < 1) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: no tensors", path);
    }
    manifest->tensors = calloc((size_t)count, sizeof *manifest->tensors);
    if (manifest->tensors == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %d tensors", path, count);
    }
    manifest->num_tensors = count;
    for (int p = 0; p < count; p++, item = judo_json_next(item)) {
        judo_param *tensor = &manifest->tensors[p];
        const char *name;
        JUDO_TRY(judo_json_get_string(item, "name", path, &name));
        JUDO_TRY(judo_json_get_int(item, "count", path, &tensor->count));
        int length = snprintf(tensor->name, sizeof tensor->name, "%s", name);
        if (tensor->count < 1 || length >= (int)sizeof tensor->name) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: tensor %d is '%s' with %lld elements",
                             path, p, name, (long long)tensor->count);
        }
    }
    return JUDO_OK;
}

static judo_status read_seals(const judo_json *root, const char *path, judo_manifest *manifest)
{
    const judo_json *shards = judo_json_get(root, "shards");
    const judo_json *item = judo_json_first(shards);
    if (judo_json_size(shards) != manifest->world_size) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %d shards of %d ranks", path,
                         judo_json_size(shards), manifest->world_size);
    }
    manifest->seals = calloc((size_t)manifest->world_size, sizeof *manifest->seals);
    if (manifest->seals == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %d shards", path,
                         manifest->world_size);
    }
    for (int r = 0; r < manifest->world_size; r++, item = judo_json_next(item)) {
        JUDO_TRY(judo_json_get_int(item, "bytes", path, &manifest->seals[r].bytes));
        JUDO_TRY(
            judo_json_get_int(item, "header_crc32c", path, &manifest->seals[r].header_crc));
    }
    return JUDO_OK;
}

static judo_status read_fields(const judo_json *root, const char *path,
                               const judo_param_layout *layout, judo_manifest *manifest)
{
    const char *format;
    const char *state;
    int64_t version;
    int64_t world_size;
    JUDO_TRY(judo_json_get_string(root, "format", path, &format));
    JUDO_TRY(judo_json_get_int(root, "version", path, &version));
    if (strcmp(format, format_name) != 0 || version != JUDO_CHECKPOINT_VERSION) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: format '%s' version %lld; this program reads '%s' version %d",
                         path, format, (long long)version, format_name,
                         JUDO_CHECKPOINT_VERSION);
    }
    JUDO_TRY(judo_json_get_int(root, "step", path, &manifest->step));
    JUDO_TRY(judo_json_get_int(root, "world_size", path, &world_size));
    if (manifest->step < 0 || world_size < 1 || world_size > JUDO_CHECKPOINT_MAX_RANKS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: step %lld of %lld ranks", path,
                         (long long)manifest->step, (long long)world_size);
    }
    manifest->world_size = (int)world_size;
    JUDO_TRY(judo_json_get_string(root, "state", path, &state));
    manifest->state = strdup(state);
    if (manifest->state == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the state", path);
    }
    JUDO_TRY(layout != NULL ? check_tensors(root, path, layout)
                            : take_tensors(root, path, manifest));
    return read_seals(root, path, manifest);
}

judo_status judo_manifest_read(const char *folder, const judo_param_layout *layout,
                               judo_manifest *out)
{
    char *path = NULL;
    char *text = NULL;
    size_t length = 0;
    judo_json *root = NULL;
    judo_manifest manifest = {0};
    judo_status status = JUDO_OK;
    JUDO_TRY(judo_checkpoint_join(folder, "manifest.json", &path));
    JUDO_TRY_GOTO(status, done, judo_file_read_all(path, MANIFEST_MAX_BYTES, &text, &length));
    JUDO_TRY_GOTO(status, done, verify_text(text, length, path));
    JUDO_TRY_GOTO(status, done, judo_json_parse(text, length, path, &root));
    JUDO_TRY_GOTO(status, done, read_fields(root, path, layout, &manifest));
    *out = manifest;
    manifest = (judo_manifest){0};
done:
    judo_manifest_free(&manifest);
    judo_json_free(&root);
    free(text);
    free(path);
    return status;
}
