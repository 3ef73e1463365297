/* runtime/hdf5_read.c: datasets of files that may be wrong: every size is checked before it is
 * used. */
#include "runtime/hdf5_internal.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

static const char *type_name(judo_hdf5_type type)
{
    static const char *const names[] = {"u8", "i32", "i64", "u64", "f32"};
    return names[type];
}

/* Sets extent.bytes, so that the product is known not to overflow. */
static judo_status check_description(const judo_hdf5_file *file, const char *name,
                                     judo_hdf5_description *d)
{
    if (!d->exists) {
        return judo_hdf5_fail(file, JUDO_ERROR_FORMAT, name, "is missing or not a dataset");
    }
    if (!d->known_type) {
        return judo_hdf5_fail(
            file, JUDO_ERROR_FORMAT, name,
            "has an element type other than little-endian u8, i32, i64, u64, f32");
    }
    if (d->rank < 1 || d->rank > JUDO_HDF5_MAX_DIMS) {
        return judo_hdf5_fail(file, JUDO_ERROR_FORMAT, name, "must have 1 to 4 dimensions");
    }
    int64_t bytes = judo_hdf5_type_size(d->extent.type);
    for (int i = 0; i < d->rank; i++) {
        if (d->extent.dims[i] < 0 || __builtin_mul_overflow(bytes, d->extent.dims[i], &bytes)) {
            return judo_hdf5_fail(file, JUDO_ERROR_FORMAT, name, "dimensions overflow");
        }
    }
    d->extent.bytes = bytes;
    return JUDO_OK;
}

judo_status judo_hdf5_dataset_extent(judo_hdf5_file *file, const char *name,
                                     judo_hdf5_extent *out)
{
    judo_hdf5_description d = judo_hdf5_describe(file, name);
    JUDO_TRY(check_description(file, name, &d));
    if (file->descriptor < 0) {
        return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name,
                              "the file is open for writing only");
    }
    if (d.extent.bytes == 0) {
        d.extent.offset = 0;
    } else if (!d.contiguous || d.extent.offset < 0) {
        return judo_hdf5_fail(
            file, JUDO_ERROR_FORMAT, name,
            "is not stored contiguously; write it without chunks and filters");
    }
    if (d.extent.offset > file->bytes || d.extent.bytes > file->bytes - d.extent.offset) {
        return judo_hdf5_fail(file, JUDO_ERROR_FORMAT, name, "lies beyond the end of the file");
    }
    *out = d.extent;
    return JUDO_OK;
}

judo_status judo_hdf5_pread(const judo_hdf5_file *file, const judo_hdf5_extent *extent,
                            int64_t first, int64_t length, void *out)
{
    if (file->descriptor < 0 || first < 0 || length < 0 || first > extent->bytes ||
        length > extent->bytes - first) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: bytes [%lld, +%lld) of a dataset of %lld bytes do not exist",
                         file->path, (long long)first, (long long)length,
                         (long long)extent->bytes);
    }
    return judo_file_pread(file->descriptor, file->path, out, (size_t)length,
                           extent->offset + first);
}

static judo_status check_read(const judo_hdf5_file *file, const char *name,
                              const judo_hdf5_description *d, judo_hdf5_type type,
                              int64_t max_count)
{
    if (d->extent.type != type) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: dataset '%s': holds %s, expected %s",
                         file->path, name, type_name(d->extent.type), type_name(type));
    }
    int64_t count = d->extent.bytes / judo_hdf5_type_size(type);
    if (count > max_count) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: dataset '%s': %lld elements are more than the limit of %lld",
                         file->path, name, (long long)count, (long long)max_count);
    }
    return JUDO_OK;
}

judo_status judo_hdf5_read(judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                           int64_t max_count, void **values, int64_t *dims, int *num_dims)
{
    judo_hdf5_description d = judo_hdf5_describe(file, name);
    JUDO_TRY(check_description(file, name, &d));
    JUDO_TRY(check_read(file, name, &d, type, max_count));
    void *buffer = malloc((size_t)d.extent.bytes + 1);
    if (buffer == NULL) {
        return judo_hdf5_fail(file, JUDO_ERROR_MEMORY, name, "no memory to read it");
    }
    if (d.extent.bytes > 0 && !judo_hdf5_fetch(file, name, type, buffer)) {
        free(buffer);
        return judo_hdf5_fail(file, JUDO_ERROR_IO, name, "cannot be read");
    }
    *values = buffer;
    if (dims != NULL) {
        memcpy(dims, d.extent.dims, sizeof d.extent.dims);
    }
    if (num_dims != NULL) {
        *num_dims = d.extent.num_dims;
    }
    return JUDO_OK;
}
