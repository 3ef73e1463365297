/* runtime/hdf5_write.c: writing contiguous datasets, whole or in pieces. */
#include "runtime/hdf5_internal.h"

#include <stdlib.h>
#include <string.h>

static judo_status check_writable(const judo_hdf5_file *file, const char *name)
{
    if (file->temporary == NULL) {
        return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name,
                              "the file is open for reading only");
    }
    return JUDO_OK;
}

static judo_status check_dims(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                              const int64_t *dims, int num_dims, int64_t *count)
{
    if (num_dims < 1 || num_dims > JUDO_HDF5_MAX_DIMS) {
        return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name, "must have 1 to 4 dimensions");
    }
    int64_t product = judo_hdf5_type_size(type);
    for (int i = 0; i < num_dims; i++) {
        if (dims[i] < 0 || __builtin_mul_overflow(product, dims[i], &product)) {
            return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name,
                                  "dimensions are negative or overflow");
        }
    }
    *count = product / judo_hdf5_type_size(type);
    return JUDO_OK;
}

judo_status judo_hdf5_write(judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                            const int64_t *dims, int num_dims, const void *values)
{
    int64_t count = 0;
    JUDO_TRY(check_writable(file, name));
    JUDO_TRY(check_dims(file, name, type, dims, num_dims, &count));
    int64_t id = judo_hdf5_add(file, name, type, dims, num_dims);
    bool ok = id >= 0 && (count == 0 || judo_hdf5_fill(id, type, values));
    judo_hdf5_end_dataset(id);
    if (!ok) {
        return judo_hdf5_fail(
            file, JUDO_ERROR_IO, name,
            "cannot be written (does it exist already, or is the disk full?)");
    }
    return JUDO_OK;
}

judo_status judo_hdf5_write_begin(judo_hdf5_file *file, const char *name, int64_t total)
{
    int64_t count = 0;
    JUDO_TRY(check_writable(file, name));
    JUDO_TRY(check_dims(file, name, JUDO_HDF5_U8, &total, 1, &count));
    if (file->piece_id >= 0) {
        return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name, "another dataset is not ended");
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return judo_hdf5_fail(file, JUDO_ERROR_MEMORY, name, "no memory");
    }
    file->piece_id = judo_hdf5_add(file, name, JUDO_HDF5_U8, &total, 1);
    if (file->piece_id < 0) {
        free(copy);
        return judo_hdf5_fail(
            file, JUDO_ERROR_IO, name,
            "cannot be created (does it exist already, or is the disk full?)");
    }
    file->piece_name = copy;
    file->piece_total = total;
    file->piece_done = 0;
    return JUDO_OK;
}

judo_status judo_hdf5_write_append(judo_hdf5_file *file, const void *bytes, int64_t length)
{
    if (file->piece_id < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no dataset was begun", file->path);
    }
    if (length < 0 || length > file->piece_total - file->piece_done) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: dataset '%s': %lld more bytes do not fit behind %lld of %lld",
                         file->path, file->piece_name, (long long)length,
                         (long long)file->piece_done, (long long)file->piece_total);
    }
    if (length == 0) {
        return JUDO_OK;
    }
    if (!judo_hdf5_fill_range(file->piece_id, file->piece_done, length, bytes)) {
        return judo_hdf5_fail(file, JUDO_ERROR_IO, file->piece_name,
                              "cannot be written (is the disk full?)");
    }
    file->piece_done += length;
    return JUDO_OK;
}

judo_status judo_hdf5_write_end(judo_hdf5_file *file)
{
    if (file->piece_id < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no dataset was begun", file->path);
    }
    if (file->piece_done != file->piece_total) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: dataset '%s': only %lld of %lld bytes were written", file->path,
                         file->piece_name, (long long)file->piece_done,
                         (long long)file->piece_total);
    }
    judo_hdf5_end_dataset(file->piece_id);
    free(file->piece_name);
    file->piece_id = -1;
    file->piece_name = NULL;
    return JUDO_OK;
}
