/* parallel/checkpoint_shard_write.c: one rank's file of a checkpoint. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/checkpoint_files.h"
#include "runtime/crc32c.h"
#include "runtime/file.h"
#include "runtime/json.h"

const char judo_shard_magic[8] = {'J', 'U', 'D', 'O', 'S', 'H', 'R', 'D'};
const char *const judo_shard_kind_names[JUDO_SHARD_KINDS] = {"weights", "first_moment",
                                                             "second_moment"};

float *judo_shard_kind_data(const judo_zero3_owned *part, int kind)
{
    float *const data[JUDO_SHARD_KINDS] = {part->weights, part->first_moment,
                                           part->second_moment};
    return data[kind];
}

int64_t judo_shard_data_start(uint64_t header_bytes)
{
    const int64_t alignment = 64;
    int64_t end = (int64_t)sizeof(judo_shard_prefix) + (int64_t)header_bytes;
    return (end + alignment - 1) / alignment * alignment;
}

judo_status judo_shard_file_path(const char *folder, int rank, int size, char **out)
{
    if (asprintf(out, "%s/shard-%05d-of-%05d.judo", folder, rank, size) < 0) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    return JUDO_OK;
}

static void put_checksums(judo_json_writer *w, const float *data, int64_t count)
{
    judo_json_begin_array(w, "crc32c");
    for (int64_t at = 0; at < count; at += JUDO_CHECKPOINT_BLOCK_ELEMENTS) {
        int64_t part = count - at < JUDO_CHECKPOINT_BLOCK_ELEMENTS
                           ? count - at
                           : JUDO_CHECKPOINT_BLOCK_ELEMENTS;
        judo_json_put_int(w, NULL, judo_crc32c(0, data + at, (size_t)part * sizeof(float)));
    }
    judo_json_end_array(w);
}

/* The header; returns the bytes of data behind it. */
static int64_t put_header(judo_json_writer *w, judo_zero3 *zero3, int rank, int size,
                          int64_t step)
{
    const judo_param_layout *layout = judo_zero3_layout(zero3);
    int64_t offset = 0;
    judo_json_begin_object(w, NULL);
    judo_json_put_int(w, "rank", rank);
    judo_json_put_int(w, "world_size", size);
    judo_json_put_int(w, "step", step);
    judo_json_put_int(w, "block_elements", JUDO_CHECKPOINT_BLOCK_ELEMENTS);
    judo_json_begin_array(w, "pieces");
    for (int p = 0; p < layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        for (int kind = 0; part.count > 0 && kind < JUDO_SHARD_KINDS; kind++) {
            const float *data = judo_shard_kind_data(&part, kind);
            if (data == NULL) {
                continue;
            }
            judo_json_begin_object(w, NULL);
            judo_json_put_string(w, "tensor", layout->params[p].name);
            judo_json_put_string(w, "kind", judo_shard_kind_names[kind]);
            judo_json_put_int(w, "first", part.first);
            judo_json_put_int(w, "count", part.count);
            judo_json_put_int(w, "offset", offset);
            put_checksums(w, data, part.count);
            judo_json_end_object(w);
            offset += part.count * (int64_t)sizeof(float);
        }
    }
    judo_json_end_array(w);
    judo_json_end_object(w);
    return offset;
}

static judo_status write_pieces(int descriptor, const char *path, judo_zero3 *zero3,
                                int64_t start)
{
    const judo_param_layout *layout = judo_zero3_layout(zero3);
    for (int p = 0; p < layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        for (int kind = 0; part.count > 0 && kind < JUDO_SHARD_KINDS; kind++) {
            const float *data = judo_shard_kind_data(&part, kind);
            size_t bytes = (size_t)part.count * sizeof(float);
            if (data != NULL) {
                JUDO_TRY(judo_file_pwrite(descriptor, path, data, bytes, start));
                start += (int64_t)bytes;
            }
        }
    }
    return JUDO_OK;
}

static judo_status write_content(int descriptor, const char *path, judo_zero3 *zero3,
                                 const judo_json_writer *header, const judo_shard_seal *seal)
{
    judo_shard_prefix prefix = {.version = JUDO_CHECKPOINT_VERSION,
                                .header_crc = (uint32_t)seal->header_crc,
                                .header_bytes = header->length};
    memcpy(prefix.magic, judo_shard_magic, sizeof prefix.magic);
    JUDO_TRY(judo_file_pwrite(descriptor, path, &prefix, sizeof prefix, 0));
    JUDO_TRY(judo_file_pwrite(descriptor, path, header->text, header->length,
                              (int64_t)sizeof prefix));
    JUDO_TRY(write_pieces(descriptor, path, zero3, judo_shard_data_start(header->length)));
    /* A rank that owns nothing still has a file of the full length. */
    if (ftruncate(descriptor, (off_t)seal->bytes) != 0 || fsync(descriptor) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot sync: %s", path, strerror(errno));
    }
    return JUDO_OK;
}

judo_status judo_shard_file_write(const char *folder, judo_zero3 *zero3, int rank, int size,
                                  int64_t step, judo_shard_seal *seal)
{
    char *path = NULL;
    judo_json_writer header = {0};
    judo_shard_seal result = {0};
    JUDO_TRY(judo_shard_file_path(folder, rank, size, &path));
    int64_t data_bytes = put_header(&header, zero3, rank, size, step);
    judo_status status = judo_json_writer_check(&header);
    int descriptor = -1;
    if (status == JUDO_OK) {
        result.header_crc = judo_crc32c(0, header.text, header.length);
        result.bytes = judo_shard_data_start(header.length) + data_bytes;
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        status = descriptor >= 0
                     ? write_content(descriptor, path, zero3, &header, &result)
                     : JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
    }
    if (descriptor >= 0 && close(descriptor) != 0 && status == JUDO_OK) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot close: %s", path, strerror(errno));
    }
    judo_json_writer_free(&header);
    free(path);
    JUDO_TRY(status);
    *seal = result;
    return JUDO_OK;
}
