/* runtime/hdf5_read.c: datasets of files that may be wrong: every size is checked before it is
 * used. */
#include "runtime/hdf5_internal.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

enum { MAX_NAME_BYTES = 512 };

static const char *type_name(judo_hdf5_type type)
{
    static const char *const names[] = {"u8", "i32", "i64", "u64", "f32"};
    return names[type];
}

bool judo_hdf5_has(judo_hdf5_file *file, const char *name)
{
    char part[MAX_NAME_BYTES];
    size_t length = strlen(name);
    if (length == 0 || length >= sizeof part) {
        return false;
    }
    memcpy(part, name, length + 1);
    judo_hdf5_enter();
    bool found = true;
    /* Each group on the way must be asked for by itself. */
    for (size_t i = 1; found && i <= length; i++) {
        if (name[i] == '/' || name[i] == '\0') {
            part[i] = '\0';
            found = H5Lexists(file->id, part, H5P_DEFAULT) > 0;
            part[i] = name[i];
        }
    }
    judo_hdf5_leave();
    return found;
}

/* What a dataset is, with its storage when that is contiguous. */
typedef struct description {
    judo_hdf5_extent extent;
    bool known_type, contiguous;
    int rank;
} description;

static void describe_type(hid_t dataset, description *d)
{
    hid_t type = H5Dget_type(dataset);
    for (int t = JUDO_HDF5_U8; t <= JUDO_HDF5_F32 && !d->known_type; t++) {
        if (type >= 0 && H5Tequal(type, judo_hdf5_file_type((judo_hdf5_type)t)) > 0) {
            d->extent.type = (judo_hdf5_type)t;
            d->known_type = true;
        }
    }
    judo_hdf5_close_id(type, H5Tclose);
}

static void describe_shape(hid_t dataset, description *d)
{
    hid_t space = H5Dget_space(dataset);
    d->rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
    if (d->rank >= 1 && d->rank <= JUDO_HDF5_MAX_DIMS) {
        hsize_t dims[JUDO_HDF5_MAX_DIMS];
        (void)H5Sget_simple_extent_dims(space, dims, NULL);
        d->extent.num_dims = d->rank;
        for (int i = 0; i < d->rank; i++) {
            d->extent.dims[i] = dims[i] > INT64_MAX ? -1 : (int64_t)dims[i];
        }
    }
    judo_hdf5_close_id(space, H5Sclose);
}

static void describe_storage(hid_t dataset, description *d)
{
    hid_t layout = H5Dget_create_plist(dataset);
    haddr_t offset = H5Dget_offset(dataset);
    d->contiguous = layout >= 0 && H5Pget_layout(layout) == H5D_CONTIGUOUS &&
                    H5Pget_external_count(layout) == 0;
    d->extent.offset = offset == HADDR_UNDEF || offset > INT64_MAX ? -1 : (int64_t)offset;
    judo_hdf5_close_id(layout, H5Pclose);
}

/* Opens and describes; call between enter and leave. Negative if there is no such dataset. */
static hid_t open_dataset(const judo_hdf5_file *file, const char *name, description *d)
{
    hid_t dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (dataset >= 0) {
        describe_type(dataset, d);
        describe_shape(dataset, d);
        describe_storage(dataset, d);
    }
    return dataset;
}

/* Sets extent.bytes, so that the product is known not to overflow. */
static judo_status check_description(const judo_hdf5_file *file, const char *name, bool is_open,
                                     description *d)
{
    if (!is_open) {
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
    int64_t bytes = judo_hdf5_type_bytes(d->extent.type);
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
    description d = {0};
    judo_hdf5_enter();
    hid_t dataset = open_dataset(file, name, &d);
    judo_hdf5_close_id(dataset, H5Dclose);
    judo_hdf5_leave();
    JUDO_TRY(check_description(file, name, dataset >= 0, &d));
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
                              const description *d, judo_hdf5_type type, int64_t max_count)
{
    if (d->extent.type != type) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: dataset '%s': holds %s, expected %s",
                         file->path, name, type_name(d->extent.type), type_name(type));
    }
    int64_t count = d->extent.bytes / judo_hdf5_type_bytes(type);
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
    description d = {0};
    void *buffer = NULL;
    judo_hdf5_enter();
    hid_t dataset = open_dataset(file, name, &d);
    judo_status status = check_description(file, name, dataset >= 0, &d);
    if (status == JUDO_OK) {
        status = check_read(file, name, &d, type, max_count);
    }
    if (status == JUDO_OK) {
        buffer = malloc((size_t)d.extent.bytes + 1);
        if (buffer == NULL) {
            status = judo_hdf5_fail(file, JUDO_ERROR_MEMORY, name, "no memory to read it");
        } else if (d.extent.bytes > 0 && H5Dread(dataset, judo_hdf5_file_type(type), H5S_ALL,
                                                 H5S_ALL, H5P_DEFAULT, buffer) < 0) {
            status = judo_hdf5_fail(file, JUDO_ERROR_IO, name, "cannot be read");
        }
    }
    judo_hdf5_close_id(dataset, H5Dclose);
    judo_hdf5_leave();
    if (status != JUDO_OK) {
        free(buffer);
        return status;
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
