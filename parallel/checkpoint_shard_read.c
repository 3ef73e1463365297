/* parallel/checkpoint_shard_read.c: owned ranges out of any number of shard files; or all, only
 * to see that they are whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel/checkpoint_files.h"
#include "parallel/coverage.h"
#include "parallel/tensor_names.h"
#include "runtime/crc32c.h"
#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/log.h"

enum { HEADER_MAX_BYTES = 256 << 20 };

typedef struct reader {
    judo_zero3 *zero3; /* NULL: verifies all, takes nothing */
    const judo_device *device;
    const judo_param_layout *layout;
    const judo_manifest *manifest;
    judo_tensor_names names;
    judo_coverage *covered; /* [num_params][kinds] owned elements that have come */
    float *block;           /* one checksum block */
    const char *path;       /* of the file being read */
    int descriptor;
    int64_t data_start, data_bytes;
    judo_progress progress;
} reader;

/* One entry of a file's header. */
typedef struct piece {
    int param, kind;
    int64_t first, count, offset;
    const judo_json *checksums;
} piece;

/* What is wanted of a parameter. */
static judo_zero3_owned wanted_part(const reader *self, int param)
{
    return self->zero3 != NULL ? judo_zero3_owned_part(self->zero3, param)
                               : (judo_zero3_owned){.count = self->layout->params[param].count};
}

static int find_kind(const char *name)
{
    for (int kind = 0; kind < JUDO_SHARD_KINDS; kind++) {
        if (strcmp(name, judo_shard_kind_names[kind]) == 0) {
            return kind;
        }
    }
    return -1;
}

static judo_status read_piece_entry(const reader *self, const judo_json *item, piece *out)
{
    const char *name;
    const char *kind;
    JUDO_TRY(judo_json_get_string(item, "tensor", self->path, &name));
    JUDO_TRY(judo_json_get_string(item, "kind", self->path, &kind));
    JUDO_TRY(judo_json_get_int(item, "first", self->path, &out->first));
    JUDO_TRY(judo_json_get_int(item, "count", self->path, &out->count));
    JUDO_TRY(judo_json_get_int(item, "offset", self->path, &out->offset));
    out->param = judo_tensor_names_find(&self->names, name);
    out->kind = find_kind(kind);
    out->checksums = judo_json_get(item, "crc32c");
    if (out->param < 0 || out->kind < 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH, "%s: %s of tensor '%s': the model has no such",
                         self->path, kind, name);
    }
    int64_t whole = self->layout->params[out->param].count;
    int64_t room = self->data_bytes / (int64_t)sizeof(float);
    if (out->first < 0 || out->count < 1 || out->count > whole ||
        out->first > whole - out->count || out->count > room || out->offset < 0 ||
        out->offset > (room - out->count) * (int64_t)sizeof(float)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: %s of %s, elements %lld + %lld at byte %lld, lies outside the "
                         "tensor or the file",
                         self->path, kind, name, (long long)out->first, (long long)out->count,
                         (long long)out->offset);
    }
    int64_t blocks =
        (out->count + JUDO_CHECKPOINT_BLOCK_ELEMENTS - 1) / JUDO_CHECKPOINT_BLOCK_ELEMENTS;
    if (judo_json_size(out->checksums) != blocks) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s of %s has %d checksums for %lld blocks",
                         self->path, kind, name, judo_json_size(out->checksums),
                         (long long)blocks);
    }
    return JUDO_OK;
}

/* Elements [first, first+count) of the tensor to where this rank keeps them. */
static judo_status put(reader *self, const piece *p, int64_t first, int64_t count,
                       const float *values)
{
    judo_zero3_owned part = judo_zero3_owned_part(self->zero3, p->param);
    float *data = judo_shard_kind_data(&part, p->kind);
    return data != NULL ? self->device->copy(data + (first - part.first), values,
                                             count * (int64_t)sizeof *values, NULL)
                        : judo_zero3_put_weights(self->zero3, p->param, first - part.first,
                                                 count, values);
}

/* Reads, verifies and copies the wanted elements [from, to) of the tensor, block by block. */
static judo_status read_blocks(reader *self, const piece *p, int64_t from, int64_t to)
{
    const judo_json *checksum = judo_json_first(p->checksums);
    for (int64_t at = 0; at < p->count;
         at += JUDO_CHECKPOINT_BLOCK_ELEMENTS, checksum = judo_json_next(checksum)) {
        int64_t count = p->count - at < JUDO_CHECKPOINT_BLOCK_ELEMENTS
                            ? p->count - at
                            : JUDO_CHECKPOINT_BLOCK_ELEMENTS;
        int64_t begin = p->first + at > from ? p->first + at : from;
        int64_t end = p->first + at + count < to ? p->first + at + count : to;
        if (begin >= end) {
            continue;
        }
        int64_t expected;
        size_t bytes = (size_t)count * sizeof(float);
        JUDO_TRY(judo_json_as_int(checksum, self->path, &expected));
        JUDO_TRY(judo_file_pread(self->descriptor, self->path, self->block, bytes,
                                 self->data_start + p->offset + at * (int64_t)sizeof(float)));
        uint32_t actual = judo_crc32c(0, self->block, bytes);
        if (expected != (int64_t)actual) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: %s of %s, elements %lld to %lld: checksum %08llx, but the "
                             "data has %08x: the file is damaged",
                             self->path, judo_shard_kind_names[p->kind],
                             self->layout->params[p->param].name, (long long)(p->first + at),
                             (long long)(p->first + at + count), (unsigned long long)expected,
                             actual);
        }
        if (self->zero3 == NULL) {
            judo_progress_update(&self->progress, self->progress.done + count, NULL);
            continue;
        }
        JUDO_TRY(put(self, p, begin, end - begin, self->block + (begin - p->first - at)));
    }
    return JUDO_OK;
}

static judo_status take_piece(reader *self, const piece *p)
{
    judo_zero3_owned part = wanted_part(self, p->param);
    bool is_wanted = self->zero3 == NULL ||
                     (part.count > 0 && judo_shard_kind_is_kept(self->zero3, &part, p->kind));
    int64_t from = p->first > part.first ? p->first : part.first;
    int64_t to = p->first + p->count < part.first + part.count ? p->first + p->count
                                                               : part.first + part.count;
    if (!is_wanted || from >= to) {
        return JUDO_OK;
    }
    bool again;
    JUDO_TRY(judo_coverage_add(&self->covered[p->param * JUDO_SHARD_KINDS + p->kind], from, to,
                               &again));
    if (again) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: %s of %s: of elements %lld to %lld some are there twice",
                         self->path, judo_shard_kind_names[p->kind],
                         self->layout->params[p->param].name, (long long)from, (long long)to);
    }
    return read_blocks(self, p, from, to);
}

static judo_status read_pieces(reader *self, const judo_json *root, int rank)
{
    int64_t values[4];
    static const char *const keys[4] = {"rank", "world_size", "step", "block_elements"};
    const int64_t expected[4] = {rank, self->manifest->world_size, self->manifest->step,
                                 JUDO_CHECKPOINT_BLOCK_ELEMENTS};
    for (int i = 0; i < 4; i++) {
        JUDO_TRY(judo_json_get_int(root, keys[i], self->path, &values[i]));
        if (values[i] != expected[i]) {
            return JUDO_FAIL(JUDO_ERROR_MISMATCH, "%s: %s is %lld, expected %lld", self->path,
                             keys[i], (long long)values[i], (long long)expected[i]);
        }
    }
    const judo_json *pieces = judo_json_get(root, "pieces");
    for (const judo_json *item = judo_json_first(pieces); item != NULL;
         item = judo_json_next(item)) {
        piece p;
        JUDO_TRY(read_piece_entry(self, item, &p));
        JUDO_TRY(take_piece(self, &p));
    }
    return JUDO_OK;
}

/* Checks the file against its seal and reads its header's text. */
static judo_status read_header(reader *self, const judo_shard_seal *seal, char **text,
                               size_t *length)
{
    judo_shard_prefix prefix;
    struct stat info;
    if (fstat(self->descriptor, &info) != 0 || info.st_size != seal->bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: %lld bytes, but the manifest says %lld: the "
                         "file is cut off or of another checkpoint",
                         self->path, (long long)info.st_size, (long long)seal->bytes);
    }
    JUDO_TRY(judo_file_pread(self->descriptor, self->path, &prefix, sizeof prefix, 0));
    if (memcmp(prefix.magic, judo_shard_magic, sizeof prefix.magic) != 0 ||
        prefix.version != JUDO_CHECKPOINT_VERSION || prefix.zero != 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: not a shard file of version %d", self->path,
                         JUDO_CHECKPOINT_VERSION);
    }
    if (prefix.header_crc != (uint64_t)seal->header_crc) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: header checksum %08x, but the manifest says %08llx: the file is "
                         "of another checkpoint",
                         self->path, prefix.header_crc, (unsigned long long)seal->header_crc);
    }
    if (prefix.header_bytes > HEADER_MAX_BYTES ||
        judo_shard_data_start(prefix.header_bytes) > seal->bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: a header of %llu bytes", self->path,
                         (unsigned long long)prefix.header_bytes);
    }
    self->data_start = judo_shard_data_start(prefix.header_bytes);
    self->data_bytes = seal->bytes - self->data_start;
    char *buffer = malloc((size_t)prefix.header_bytes + 1);
    if (buffer == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for its header", self->path);
    }
    judo_status status = judo_file_pread(self->descriptor, self->path, buffer,
                                         (size_t)prefix.header_bytes, (int64_t)sizeof prefix);
    if (status == JUDO_OK &&
        judo_crc32c(0, buffer, (size_t)prefix.header_bytes) != prefix.header_crc) {
        status = JUDO_FAIL(JUDO_ERROR_FORMAT,
                           "%s: the header does not have its checksum: the "
                           "file is damaged",
                           self->path);
    }
    if (status != JUDO_OK) {
        free(buffer);
        return status;
    }
    *text = buffer;
    *length = (size_t)prefix.header_bytes;
    return JUDO_OK;
}

static judo_status read_file(reader *self, const char *folder, int rank)
{
    char *path = NULL;
    char *text = NULL;
    size_t length = 0;
    judo_json *root = NULL;
    judo_status status = JUDO_OK;
    JUDO_TRY(judo_shard_file_path(folder, rank, self->manifest->world_size, &path));
    self->path = path;
    self->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (self->descriptor < 0) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
        goto done;
    }
    JUDO_TRY_GOTO(status, done,
                  read_header(self, &self->manifest->seals[rank], &text, &length));
    JUDO_TRY_GOTO(status, done, judo_json_parse(text, length, path, &root));
    JUDO_TRY_GOTO(status, done, read_pieces(self, root, rank));
done:
    if (self->descriptor >= 0) {
        (void)close(self->descriptor);
    }
    judo_json_free(&root);
    free(text);
    free(path);
    return status;
}

static judo_status check_complete(const reader *self, const char *folder)
{
    for (int p = 0; p < self->layout->num_params; p++) {
        judo_zero3_owned part = wanted_part(self, p);
        for (int kind = 0; part.count > 0 && kind < JUDO_SHARD_KINDS; kind++) {
            int64_t next = self->covered[p * JUDO_SHARD_KINDS + kind].next;
            bool is_wanted = self->zero3 != NULL
                                 ? judo_shard_kind_is_kept(self->zero3, &part, kind)
                                 : kind == 0 || next > 0;
            if (is_wanted && next != part.first + part.count) {
                return JUDO_FAIL(
                    JUDO_ERROR_MISMATCH,
                    "%s: %s of %s ends at element %lld, needed up to %lld%s", folder,
                    judo_shard_kind_names[kind], self->layout->params[p].name, (long long)next,
                    (long long)(part.first + part.count),
                    kind > 0 ? " (was the parameter frozen when it was saved?)" : "");
            }
        }
    }
    return JUDO_OK;
}

static judo_status prepare(reader *self)
{
    size_t params = (size_t)self->layout->num_params;
    JUDO_TRY(judo_tensor_names_create(self->layout, &self->names));
    self->covered = calloc((params + 1) * JUDO_SHARD_KINDS, sizeof *self->covered);
    self->block = malloc(JUDO_CHECKPOINT_BLOCK_ELEMENTS * sizeof *self->block);
    if (!self->covered || !self->block) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to read a checkpoint of %zu tensors",
                         params);
    }
    for (int p = 0; p < self->layout->num_params; p++) {
        for (int kind = 0; kind < JUDO_SHARD_KINDS; kind++) {
            self->covered[p * JUDO_SHARD_KINDS + kind].next = wanted_part(self, p).first;
        }
    }
    return JUDO_OK;
}

static void clean_up(reader *self)
{
    judo_tensor_names_free(&self->names);
    for (int i = 0; self->covered != NULL && i < self->layout->num_params * JUDO_SHARD_KINDS;
         i++) {
        judo_coverage_free(&self->covered[i]);
    }
    free(self->covered);
    free(self->block);
}

static judo_status read_all(reader *self, const char *folder)
{
    JUDO_TRY(prepare(self));
    for (int rank = 0; rank < self->manifest->world_size; rank++) {
        JUDO_TRY(read_file(self, folder, rank));
    }
    return check_complete(self, folder);
}

judo_status judo_shard_files_read(const char *folder, judo_zero3 *zero3,
                                  const judo_manifest *manifest)
{
    reader self = {.zero3 = zero3,
                   .device = judo_zero3_device(zero3),
                   .layout = judo_zero3_layout(zero3),
                   .manifest = manifest};
    judo_status status = read_all(&self, folder);
    if (status == JUDO_OK) {
        status = self.device->stream_finish(NULL);
    }
    clean_up(&self);
    return status;
}

judo_status judo_shard_files_verify(const char *folder, const judo_param_layout *layout,
                                    const judo_manifest *manifest, int *with_moments)
{
    reader self = {.layout = layout, .manifest = manifest};
    int64_t most = 0;
    for (int rank = 0; rank < manifest->world_size; rank++) {
        most += manifest->seals[rank].bytes / (int64_t)sizeof(float);
    }
    judo_progress_begin(&self.progress, folder, "elements", most);
    judo_status status = read_all(&self, folder);
    judo_progress_end(&self.progress);
    if (status == JUDO_OK) {
        *with_moments = 0;
        for (int p = 0; p < layout->num_params; p++) {
            *with_moments += self.covered[p * JUDO_SHARD_KINDS + 1].next > 0;
        }
    }
    clean_up(&self);
    return status;
}
