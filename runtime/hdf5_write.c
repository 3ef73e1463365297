/* runtime/hdf5_write.c: contiguous datasets, whole or in pieces. */
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

/* Creates a contiguous dataset; call between enter and leave. Negative on failure. */
static hid_t create_dataset(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                            const int64_t *dims, int num_dims)
{
    hsize_t sizes[JUDO_HDF5_MAX_DIMS];
    for (int i = 0; i < num_dims; i++) {
        sizes[i] = (hsize_t)dims[i];
    }
    hid_t space = H5Screate_simple(num_dims, sizes, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = JUDO_HDF5_NO_ID;
    /* Allocated at once and not filled: every byte is going to be written. */
    if (space >= 0 && links >= 0 && layout >= 0 &&
        H5Pset_create_intermediate_group(links, 1) >= 0 &&
        H5Pset_layout(layout, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER) >= 0) {
        dataset = H5Dcreate2(file->id, name, judo_hdf5_file_type(type), space, links, layout,
                             H5P_DEFAULT);
    }
    judo_hdf5_close_id(layout, H5Pclose);
    judo_hdf5_close_id(links, H5Pclose);
    judo_hdf5_close_id(space, H5Sclose);
    return dataset;
}

static judo_status check_dims(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                              const int64_t *dims, int num_dims, int64_t *count)
{
    if (num_dims < 1 || num_dims > JUDO_HDF5_MAX_DIMS) {
        return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name, "must have 1 to 4 dimensions");
    }
    int64_t product = judo_hdf5_type_bytes(type);
    for (int i = 0; i < num_dims; i++) {
        if (dims[i] < 0 || __builtin_mul_overflow(product, dims[i], &product)) {
            return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name,
                                  "dimensions are negative or overflow");
        }
    }
    *count = product / judo_hdf5_type_bytes(type);
    return JUDO_OK;
}

judo_status judo_hdf5_write(judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                            const int64_t *dims, int num_dims, const void *values)
{
    int64_t count = 0;
    JUDO_TRY(check_writable(file, name));
    JUDO_TRY(check_dims(file, name, type, dims, num_dims, &count));
    judo_hdf5_enter();
    hid_t dataset = create_dataset(file, name, type, dims, num_dims);
    bool failed = dataset < 0;
    if (!failed && count > 0) {
        failed = H5Dwrite(dataset, judo_hdf5_file_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                          values) < 0;
    }
    judo_hdf5_close_id(dataset, H5Dclose);
    judo_hdf5_leave();
    if (failed) {
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
    if (file->piece_dataset >= 0) {
        return judo_hdf5_fail(file, JUDO_ERROR_ARGUMENT, name, "another dataset is not ended");
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return judo_hdf5_fail(file, JUDO_ERROR_MEMORY, name, "no memory");
    }
    judo_hdf5_enter();
    file->piece_dataset = create_dataset(file, name, JUDO_HDF5_U8, &total, 1);
    judo_hdf5_leave();
    if (file->piece_dataset < 0) {
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

/* Writes [start, start + length) of a 1-D u8 dataset; call between enter and leave. */
static bool write_range(hid_t dataset, int64_t start, int64_t length, const void *bytes)
{
    hsize_t first = (hsize_t)start;
    hsize_t count = (hsize_t)length;
    hid_t in_file = H5Dget_space(dataset);
    hid_t in_memory = H5Screate_simple(1, &count, NULL);
    bool ok = in_file >= 0 && in_memory >= 0 &&
              H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &first, NULL, &count, NULL) >= 0 &&
              H5Dwrite(dataset, H5T_STD_U8LE, in_memory, in_file, H5P_DEFAULT, bytes) >= 0;
    judo_hdf5_close_id(in_memory, H5Sclose);
    judo_hdf5_close_id(in_file, H5Sclose);
    return ok;
}

judo_status judo_hdf5_write_append(judo_hdf5_file *file, const void *bytes, int64_t length)
{
    if (file->piece_dataset < 0) {
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
    judo_hdf5_enter();
    bool ok = write_range(file->piece_dataset, file->piece_done, length, bytes);
    judo_hdf5_leave();
    if (!ok) {
        return judo_hdf5_fail(file, JUDO_ERROR_IO, file->piece_name,
                              "cannot be written (is the disk full?)");
    }
    file->piece_done += length;
    return JUDO_OK;
}

judo_status judo_hdf5_write_end(judo_hdf5_file *file)
{
    if (file->piece_dataset < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no dataset was begun", file->path);
    }
    if (file->piece_done != file->piece_total) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: dataset '%s': only %lld of %lld bytes were written", file->path,
                         file->piece_name, (long long)file->piece_done,
                         (long long)file->piece_total);
    }
    judo_hdf5_enter();
    judo_hdf5_close_piece(file);
    judo_hdf5_leave();
    return JUDO_OK;
}
