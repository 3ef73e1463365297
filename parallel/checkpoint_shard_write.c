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

static void put_header(judo_json_writer *w, const judo_snapshot *snapshot, int rank, int size,
                       int64_t step)
{
    int64_t offset = 0;
    judo_json_begin_object(w, NULL);
    judo_json_put_int(w, "rank", rank);
    judo_json_put_int(w, "world_size", size);
    judo_json_put_int(w, "step", step);
    judo_json_put_int(w, "block_elements", JUDO_CHECKPOINT_BLOCK_ELEMENTS);
    judo_json_begin_array(w, "pieces");
    for (int i = 0; i < snapshot->num_pieces; i++) {
        const judo_shard_piece *piece = &snapshot->pieces[i];
        judo_json_begin_object(w, NULL);
        judo_json_put_string(w, "tensor", piece->tensor);
        judo_json_put_string(w, "kind", judo_shard_kind_names[piece->kind]);
        judo_json_put_int(w, "first", piece->first);
        judo_json_put_int(w, "count", piece->count);
        judo_json_put_int(w, "offset", offset);
        put_checksums(w, piece->data, piece->count);
        judo_json_end_object(w);
        offset += piece->count * (int64_t)sizeof(float);
    }
    judo_json_end_array(w);
    judo_json_end_object(w);
}

int64_t judo_shard_file_most_bytes(const judo_snapshot *snapshot)
{
    enum { HEAD_BYTES = 256, PIECE_BYTES = 192, CHECKSUM_BYTES = 12 };

    int64_t blocks =
        snapshot->data_bytes / (JUDO_CHECKPOINT_BLOCK_ELEMENTS * (int64_t)sizeof(float)) +
        snapshot->num_pieces;
    int64_t header = HEAD_BYTES + blocks * CHECKSUM_BYTES;
    for (int i = 0; i < snapshot->num_pieces; i++) {
        header += PIECE_BYTES + (int64_t)strlen(snapshot->pieces[i].tensor);
    }
    return judo_shard_data_start((uint64_t)header) + snapshot->data_bytes;
}

/* Bounded writes with a sync now and then: a watcher sees that the disk moves, and a long
 * file's last sync is short. */
static judo_status write_piece(int descriptor, const char *path, const judo_shard_piece *piece,
                               int64_t start, _Atomic int64_t *progress)
{
    enum { PART_BYTES = 64 << 20, SYNC_PARTS = 4 };

    int64_t bytes = piece->count * (int64_t)sizeof(float);
    for (int64_t at = 0, parts = 1; at < bytes; at += PART_BYTES, parts++) {
        int64_t part = bytes - at < PART_BYTES ? bytes - at : PART_BYTES;
        JUDO_TRY(judo_file_pwrite(descriptor, path, (const char *)piece->data + at,
                                  (size_t)part, start + at));
        if (parts % SYNC_PARTS == 0) {
            JUDO_TRY(judo_file_sync(descriptor, path));
        }
        *progress += part;
    }
    return JUDO_OK;
}

static judo_status write_content(int descriptor, const char *path,
                                 const judo_snapshot *snapshot, const judo_json_writer *header,
                                 _Atomic int64_t *progress, const judo_shard_seal *seal)
{
    judo_shard_prefix prefix = {.version = JUDO_CHECKPOINT_VERSION,
                                .header_crc = (uint32_t)seal->header_crc,
                                .header_bytes = header->length};
    memcpy(prefix.magic, judo_shard_magic, sizeof prefix.magic);
    JUDO_TRY(judo_file_pwrite(descriptor, path, &prefix, sizeof prefix, 0));
    JUDO_TRY(judo_file_pwrite(descriptor, path, header->text, header->length,
                              (int64_t)sizeof prefix));
    int64_t start = judo_shard_data_start(header->length);
    for (int i = 0; i < snapshot->num_pieces; i++) {
        JUDO_TRY(write_piece(descriptor, path, &snapshot->pieces[i], start, progress));
        start += snapshot->pieces[i].count * (int64_t)sizeof(float);
    }
    /* A rank that owns nothing still has a file of the full length. */
    int result;
    do {
        result = ftruncate(descriptor, (off_t)seal->bytes);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot set its length to %lld bytes: %s", path,
                         (long long)seal->bytes, strerror(errno));
    }
    return judo_file_sync(descriptor, path);
}

judo_status judo_shard_file_write(const char *folder, const judo_snapshot *snapshot, int rank,
                                  int size, int64_t step, _Atomic int64_t *progress,
                                  judo_shard_seal *seal)
{
    char *path = NULL;
    judo_json_writer header = {0};
    judo_shard_seal result = {0};
    JUDO_TRY(judo_shard_file_path(folder, rank, size, &path));
    put_header(&header, snapshot, rank, size, step);
    judo_status status = judo_json_writer_check(&header);
    int descriptor = -1;
    if (status == JUDO_OK) {
        result.header_crc = judo_crc32c(0, header.text, header.length);
        result.bytes = judo_shard_data_start(header.length) + snapshot->data_bytes;
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        status = descriptor >= 0
                     ? write_content(descriptor, path, snapshot, &header, progress, &result)
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
