/* runtime/hdf5_file.c: the only file that calls HDF5: files, attributes, and the plain-typed
 * calls behind reading and writing datasets. */
#include "runtime/hdf5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/file.h"

enum { MAX_ATTRIBUTE_BYTES = 1 << 20, MAX_NAME_BYTES = 512 };

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

/* Every entry into HDF5 stands between enter and leave. HDF5 prints its errors per thread, so
 * the printing is switched off each time. */
static void enter(void)
{
    (void)pthread_mutex_lock(&library_lock);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void leave(void)
{
    (void)pthread_mutex_unlock(&library_lock);
}

static const hid_t no_id = -1;

static void close_id(hid_t id, herr_t (*closer)(hid_t))
{
    if (id >= 0) {
        (void)closer(id);
    }
}

/* The types are HDF5's global variables, so that no constant table can hold them. */
static hid_t file_type(judo_hdf5_type type)
{
    switch (type) {
    case JUDO_HDF5_U8:
        return H5T_STD_U8LE;
    case JUDO_HDF5_I32:
        return H5T_STD_I32LE;
    case JUDO_HDF5_I64:
        return H5T_STD_I64LE;
    case JUDO_HDF5_U64:
        return H5T_STD_U64LE;
    case JUDO_HDF5_F32:
        return H5T_IEEE_F32LE;
    }
    return no_id;
}

judo_status judo_hdf5_fail(const judo_hdf5_file *file, judo_status code, const char *name,
                           const char *what)
{
    return JUDO_FAIL(code, "%s: dataset '%s': %s", file->path, name, what);
}

static judo_status new_file(const char *path, judo_hdf5_file **out)
{
    judo_hdf5_file *file = calloc(1, sizeof *file);
    char *copy = strdup(path);
    if (file == NULL || copy == NULL) {
        free(file);
        free(copy);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    }
    *file = (judo_hdf5_file){.path = copy, .id = no_id, .descriptor = -1, .piece_id = no_id};
    *out = file;
    return JUDO_OK;
}

static void free_file(judo_hdf5_file **file)
{
    judo_hdf5_file *f = *file;
    enter();
    close_id(f->piece_id, H5Dclose);
    close_id(f->id, H5Fclose);
    leave();
    if (f->descriptor >= 0) {
        (void)close(f->descriptor);
    }
    free(f->piece_name);
    free(f->temporary);
    free(f->path);
    free(f);
    *file = NULL;
}

judo_status judo_hdf5_create(const char *path, judo_hdf5_file **out)
{
    judo_hdf5_file *file = NULL;
    JUDO_TRY(new_file(path, &file));
    judo_status status = judo_file_temporary(path, &file->temporary);
    if (status == JUDO_OK) {
        enter();
        file->id = H5Fcreate(file->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        leave();
        if (file->id < 0) {
            status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot create the HDF5 file: %s",
                               file->temporary, strerror(errno));
        }
    }
    if (status != JUDO_OK) {
        free_file(&file);
        return status;
    }
    *out = file;
    return JUDO_OK;
}

/* Closing writes what HDF5 still holds; only its success tells that the file is whole. */
static judo_status close_written(judo_hdf5_file *file)
{
    if (file->temporary == NULL) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: is open for reading, not for writing",
                         file->path);
    }
    if (file->piece_id >= 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: dataset '%s': is not ended", file->path,
                         file->piece_name);
    }
    enter();
    bool failed = H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0;
    failed |= H5Fclose(file->id) < 0;
    file->id = no_id;
    leave();
    if (failed) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot finish writing: %s", file->temporary,
                         strerror(errno));
    }
    return judo_file_publish(file->temporary, file->path);
}

judo_status judo_hdf5_commit(judo_hdf5_file **file)
{
    judo_status status = close_written(*file);
    if (status == JUDO_OK) {
        free_file(file);
    } else {
        judo_hdf5_close(file);
    }
    return status;
}

void judo_hdf5_close(judo_hdf5_file **file)
{
    if (file == NULL || *file == NULL) {
        return;
    }
    char *temporary = (*file)->temporary;
    (*file)->temporary = NULL;
    free_file(file);
    if (temporary != NULL) {
        (void)unlink(temporary);
        free(temporary);
    }
}

/* Opens without a lock: file systems of clusters often have none, and a writer elsewhere must
 * not keep readers out. Call between enter and leave. */
static hid_t open_unlocked(const char *path)
{
    hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    hid_t id = no_id;
    if (access_list >= 0 && H5Pset_file_locking(access_list, false, true) >= 0) {
        id = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    }
    close_id(access_list, H5Pclose);
    return id;
}

static judo_status open_existing(judo_hdf5_file *file)
{
    struct stat info;
    file->descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->descriptor < 0 || fstat(file->descriptor, &info) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", file->path, strerror(errno));
    }
    file->bytes = info.st_size;
    enter();
    file->id = open_unlocked(file->path);
    leave();
    if (file->id < 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: not an HDF5 file, or cut off while it was written", file->path);
    }
    return JUDO_OK;
}

judo_status judo_hdf5_open(const char *path, judo_hdf5_file **out)
{
    judo_hdf5_file *file = NULL;
    JUDO_TRY(new_file(path, &file));
    judo_status status = open_existing(file);
    if (status != JUDO_OK) {
        free_file(&file);
        return status;
    }
    *out = file;
    return JUDO_OK;
}

const char *judo_hdf5_path(const judo_hdf5_file *file)
{
    return file->path;
}

int64_t judo_hdf5_add(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                      const int64_t *dims, int num_dims)
{
    hsize_t sizes[JUDO_HDF5_MAX_DIMS];
    for (int i = 0; i < num_dims; i++) {
        sizes[i] = (hsize_t)dims[i];
    }
    enter();
    hid_t space = H5Screate_simple(num_dims, sizes, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = no_id;
    /* Allocated at once and not filled: every byte is going to be written. */
    if (space >= 0 && links >= 0 && layout >= 0 &&
        H5Pset_create_intermediate_group(links, 1) >= 0 &&
        H5Pset_layout(layout, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER) >= 0) {
        dataset =
            H5Dcreate2(file->id, name, file_type(type), space, links, layout, H5P_DEFAULT);
    }
    close_id(layout, H5Pclose);
    close_id(links, H5Pclose);
    close_id(space, H5Sclose);
    leave();
    return dataset;
}

bool judo_hdf5_fill(int64_t id, judo_hdf5_type type, const void *values)
{
    enter();
    bool ok = H5Dwrite(id, file_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    leave();
    return ok;
}

bool judo_hdf5_fill_range(int64_t id, int64_t start, int64_t length, const void *bytes)
{
    hsize_t first = (hsize_t)start;
    hsize_t count = (hsize_t)length;
    enter();
    hid_t in_file = H5Dget_space(id);
    hid_t in_memory = H5Screate_simple(1, &count, NULL);
    bool ok = in_file >= 0 && in_memory >= 0 &&
              H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &first, NULL, &count, NULL) >= 0 &&
              H5Dwrite(id, H5T_STD_U8LE, in_memory, in_file, H5P_DEFAULT, bytes) >= 0;
    close_id(in_memory, H5Sclose);
    close_id(in_file, H5Sclose);
    leave();
    return ok;
}

void judo_hdf5_end_dataset(int64_t id)
{
    enter();
    close_id(id, H5Dclose);
    leave();
}

bool judo_hdf5_has(judo_hdf5_file *file, const char *name)
{
    char part[MAX_NAME_BYTES];
    size_t length = strlen(name);
    if (length == 0 || length >= sizeof part) {
        return false;
    }
    memcpy(part, name, length + 1);
    enter();
    bool found = true;
    /* Each group on the way must be asked for by itself. */
    for (size_t i = 1; found && i <= length; i++) {
        if (name[i] == '/' || name[i] == '\0') {
            part[i] = '\0';
            found = H5Lexists(file->id, part, H5P_DEFAULT) > 0;
            part[i] = name[i];
        }
    }
    leave();
    return found;
}

static void describe_type(hid_t dataset, judo_hdf5_description *d)
{
    hid_t type = H5Dget_type(dataset);
    for (int t = JUDO_HDF5_U8; t <= JUDO_HDF5_F32 && !d->known_type; t++) {
        if (type >= 0 && H5Tequal(type, file_type((judo_hdf5_type)t)) > 0) {
            d->extent.type = (judo_hdf5_type)t;
            d->known_type = true;
        }
    }
    close_id(type, H5Tclose);
}

static void describe_shape(hid_t dataset, judo_hdf5_description *d)
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
    close_id(space, H5Sclose);
}

static void describe_storage(hid_t dataset, judo_hdf5_description *d)
{
    hid_t layout = H5Dget_create_plist(dataset);
    haddr_t offset = H5Dget_offset(dataset);
    d->contiguous = layout >= 0 && H5Pget_layout(layout) == H5D_CONTIGUOUS &&
                    H5Pget_external_count(layout) == 0;
    d->extent.offset = offset == HADDR_UNDEF || offset > INT64_MAX ? -1 : (int64_t)offset;
    close_id(layout, H5Pclose);
}

judo_hdf5_description judo_hdf5_describe(const judo_hdf5_file *file, const char *name)
{
    judo_hdf5_description d = {0};
    enter();
    hid_t dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    d.exists = dataset >= 0;
    if (d.exists) {
        describe_type(dataset, &d);
        describe_shape(dataset, &d);
        describe_storage(dataset, &d);
    }
    close_id(dataset, H5Dclose);
    leave();
    return d;
}

bool judo_hdf5_fetch(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                     void *out)
{
    enter();
    hid_t dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    bool ok = dataset >= 0 &&
              H5Dread(dataset, file_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
    close_id(dataset, H5Dclose);
    leave();
    return ok;
}

static judo_status fail_attribute(const judo_hdf5_file *file, judo_status code,
                                  const char *name, const char *what)
{
    return JUDO_FAIL(code, "%s: attribute '%s': %s", file->path, name, what);
}

/* Writes a scalar attribute of `type`, which is closed when it is a copy of the string type. */
static judo_status write_attribute(judo_hdf5_file *file, const char *name, hid_t type,
                                   const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = no_id;
    if (space >= 0 && type >= 0) {
        attribute = H5Acreate2(file->id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    }
    bool ok = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    close_id(attribute, H5Aclose);
    close_id(space, H5Sclose);
    return ok ? JUDO_OK
              : fail_attribute(file, JUDO_ERROR_IO, name,
                               "cannot be written (is it set already?)");
}

/* A variable-length UTF-8 string, which h5py shows as str. */
static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 &&
        (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        close_id(type, H5Tclose);
        type = no_id;
    }
    return type;
}

judo_status judo_hdf5_set_attribute_string(judo_hdf5_file *file, const char *name,
                                           const char *value)
{
    enter();
    hid_t type = text_type();
    judo_status status = write_attribute(file, name, type, &value);
    close_id(type, H5Tclose);
    leave();
    return status;
}

judo_status judo_hdf5_set_attribute_int(judo_hdf5_file *file, const char *name, int64_t value)
{
    enter();
    judo_status status = write_attribute(file, name, H5T_STD_I64LE, &value);
    leave();
    return status;
}

/* The only element of an attribute; call between enter and leave. */
static hid_t open_scalar(const judo_hdf5_file *file, const char *name)
{
    hid_t attribute = H5Aopen(file->id, name, H5P_DEFAULT);
    hid_t space = attribute >= 0 ? H5Aget_space(attribute) : no_id;
    if (space < 0 || H5Sget_simple_extent_npoints(space) != 1) {
        close_id(attribute, H5Aclose);
        attribute = no_id;
    }
    close_id(space, H5Sclose);
    return attribute;
}

static bool read_variable_text(hid_t attribute, char **out)
{
    char *text = NULL;
    hid_t type = H5Aget_type(attribute); /* keeps the file's character set */
    if (type >= 0 && H5Aread(attribute, type, (void *)&text) >= 0 && text != NULL &&
        strnlen(text, MAX_ATTRIBUTE_BYTES) < MAX_ATTRIBUTE_BYTES) {
        *out = strdup(text);
    }
    (void)H5free_memory(text);
    close_id(type, H5Tclose);
    return *out != NULL;
}

static bool read_fixed_text(hid_t attribute, size_t bytes, char **out)
{
    hid_t type = H5Aget_type(attribute);
    char *text = bytes < MAX_ATTRIBUTE_BYTES ? calloc(bytes + 1, 1) : NULL;
    bool ok = type >= 0 && text != NULL && H5Aread(attribute, type, text) >= 0;
    close_id(type, H5Tclose);
    if (!ok) {
        free(text);
        return false;
    }
    *out = text;
    return true;
}

judo_status judo_hdf5_get_attribute_string(judo_hdf5_file *file, const char *name, char **out)
{
    char *text = NULL;
    bool ok = false;
    enter();
    hid_t attribute = open_scalar(file, name);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : no_id;
    if (type >= 0 && H5Tget_class(type) == H5T_STRING) {
        ok = H5Tis_variable_str(type) > 0
                 ? read_variable_text(attribute, &text)
                 : read_fixed_text(attribute, H5Tget_size(type), &text);
    }
    close_id(type, H5Tclose);
    close_id(attribute, H5Aclose);
    leave();
    if (!ok) {
        return fail_attribute(file, JUDO_ERROR_FORMAT, name,
                              "is missing or not one short string");
    }
    *out = text;
    return JUDO_OK;
}

judo_status judo_hdf5_get_attribute_int(judo_hdf5_file *file, const char *name, int64_t *out)
{
    int64_t value = 0;
    bool ok = false;
    enter();
    hid_t attribute = open_scalar(file, name);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : no_id;
    if (type >= 0 && H5Tget_class(type) == H5T_INTEGER) {
        ok = H5Aread(attribute, H5T_STD_I64LE, &value) >= 0;
    }
    close_id(type, H5Tclose);
    close_id(attribute, H5Aclose);
    leave();
    if (!ok) {
        return fail_attribute(file, JUDO_ERROR_FORMAT, name, "is missing or not one integer");
    }
    *out = value;
    return JUDO_OK;
}

void judo_hdf5_version(char *out, size_t bytes)
{
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    (void)H5get_libversion(&major, &minor, &release);
    (void)snprintf(out, bytes, "%u.%u.%u", major, minor, release);
}
