/* runtime/hdf5_file.c: HDF5 files as a whole: creating, publishing, opening, closing. */
#include "runtime/hdf5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/file.h"

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

/* Every entry into HDF5 stands between enter and leave. HDF5 prints its errors per thread, so
 * the printing is switched off each time. */
void judo_hdf5_enter(void)
{
    (void)pthread_mutex_lock(&library_lock);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void judo_hdf5_leave(void)
{
    (void)pthread_mutex_unlock(&library_lock);
}

void judo_hdf5_close_id(hid_t id, herr_t (*closer)(hid_t))
{
    if (id >= 0) {
        (void)closer(id);
    }
}

/* The types are HDF5's global variables, so that no constant table can hold them. */
hid_t judo_hdf5_file_type(judo_hdf5_type type)
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
    return JUDO_HDF5_NO_ID;
}

int64_t judo_hdf5_type_bytes(judo_hdf5_type type)
{
    static const int64_t bytes[] = {1, 4, 8, 8, 4};
    return bytes[type];
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
    *file = (judo_hdf5_file){.path = copy,
                             .id = JUDO_HDF5_NO_ID,
                             .descriptor = -1,
                             .piece_dataset = JUDO_HDF5_NO_ID};
    *out = file;
    return JUDO_OK;
}

void judo_hdf5_close_piece(judo_hdf5_file *file)
{
    judo_hdf5_close_id(file->piece_dataset, H5Dclose);
    free(file->piece_name);
    file->piece_dataset = JUDO_HDF5_NO_ID;
    file->piece_name = NULL;
}

static void free_file(judo_hdf5_file **file)
{
    judo_hdf5_file *f = *file;
    judo_hdf5_enter();
    judo_hdf5_close_piece(f);
    judo_hdf5_close_id(f->id, H5Fclose);
    judo_hdf5_leave();
    if (f->descriptor >= 0) {
        (void)close(f->descriptor);
    }
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
        judo_hdf5_enter();
        file->id = H5Fcreate(file->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        judo_hdf5_leave();
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
    if (file->piece_dataset >= 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: dataset '%s': is not ended", file->path,
                         file->piece_name);
    }
    judo_hdf5_enter();
    bool failed = H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0;
    failed |= H5Fclose(file->id) < 0;
    file->id = JUDO_HDF5_NO_ID;
    judo_hdf5_leave();
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
    hid_t id = JUDO_HDF5_NO_ID;
    if (access_list >= 0 && H5Pset_file_locking(access_list, false, true) >= 0) {
        id = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    }
    judo_hdf5_close_id(access_list, H5Pclose);
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
    judo_hdf5_enter();
    file->id = open_unlocked(file->path);
    judo_hdf5_leave();
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
