/* runtime/file.c: whole-file and positioned I/O, atomic replacement. */
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static judo_status fail_system(const char *path, const char *what)
{
    return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* Reads until the end; the buffer grows by doubling, so pipes work as well. */
static judo_status read_growing(FILE *stream, const char *path, size_t max_bytes, char **buffer,
                                size_t *length)
{
    size_t capacity = 1 << 16;
    struct stat info;
    if (fstat(fileno(stream), &info) == 0 && S_ISREG(info.st_mode)) {
        if ((uint64_t)info.st_size > max_bytes) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %lld bytes are more than the limit of %zu",
                             path, (long long)info.st_size, max_bytes);
        }
        capacity = (size_t)info.st_size + 2;
    }
    for (;;) {
        char *grown = realloc(*buffer, capacity);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %zu bytes", path, capacity);
        }
        *buffer = grown;
        *length += fread(*buffer + *length, 1, capacity - 1 - *length, stream);
        if (ferror(stream)) {
            return fail_system(path, "read");
        }
        if (*length > max_bytes) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: more than the limit of %zu bytes", path,
                             max_bytes);
        }
        if (feof(stream)) {
            (*buffer)[*length] = '\0';
            return JUDO_OK;
        }
        capacity *= 2;
    }
}

judo_status judo_file_read_all(const char *path, size_t max_bytes, char **out, size_t *length)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL) {
        return fail_system(path, "open");
    }
    char *buffer = NULL;
    size_t size = 0;
    judo_status status = read_growing(stream, path, max_bytes, &buffer, &size);
    (void)fclose(stream);
    if (status != JUDO_OK) {
        free(buffer);
        return status;
    }
    *out = buffer;
    *length = size;
    return JUDO_OK;
}

judo_status judo_file_pread(int descriptor, const char *path, void *out, size_t bytes,
                            int64_t offset)
{
    char *at = out;
    while (bytes > 0) {
        ssize_t got = pread(descriptor, at, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_system(path, "read");
        }
        if (got == 0) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: the file ends at byte %lld, %zu bytes are missing", path,
                             (long long)offset, bytes);
        }
        at += got;
        bytes -= (size_t)got;
        offset += got;
    }
    return JUDO_OK;
}

judo_status judo_file_pwrite(int descriptor, const char *path, const void *in, size_t bytes,
                             int64_t offset)
{
    const char *at = in;
    while (bytes > 0) {
        ssize_t put = pwrite(descriptor, at, bytes, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot write %zu bytes at byte %lld: %s", path,
                             bytes, (long long)offset, strerror(errno));
        }
        at += put;
        bytes -= (size_t)put;
        offset += put;
    }
    return JUDO_OK;
}

judo_status judo_file_sync(int descriptor, const char *path)
{
    while (fsync(descriptor) != 0) {
        if (errno != EINTR) {
            return fail_system(path, "sync");
        }
    }
    return JUDO_OK;
}

/* Shortens `path` to its folder; false if that was the last one. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        bool is_end = strcmp(path, "/") == 0 || strcmp(path, ".") == 0;
        path[0] = slash == NULL ? '.' : '/';
        path[1] = '\0';
        return !is_end;
    }
    *slash = '\0';
    return true;
}

judo_status judo_file_free_bytes(const char *path, int64_t *out)
{
    struct statvfs info;
    char *folder = path[0] != '\0' ? strdup(path) : NULL;
    if (folder == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "'%s': no memory for a file name", path);
    }
    int result;
    do {
        result = statvfs(folder, &info);
    } while (result != 0 && errno == ENOENT && go_up(folder));
    free(folder);
    if (result != 0) {
        return fail_system(path, "ask for its free space");
    }
    uint64_t block = info.f_frsize > 0 ? info.f_frsize : 1;
    uint64_t blocks = info.f_bavail;
    *out = blocks > INT64_MAX / block ? INT64_MAX : (int64_t)(blocks * block);
    return JUDO_OK;
}

judo_status judo_file_temporary(const char *path, char **out)
{
    char *name = NULL;
    if (asprintf(&name, "%s.partial.%ld", path, (long)getpid()) < 0) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", path);
    }
    *out = name;
    return JUDO_OK;
}

static judo_status sync_path(const char *path, int flags)
{
    int descriptor = open(path, flags | O_CLOEXEC);
    if (descriptor < 0) {
        return fail_system(path, "open");
    }
    judo_status status = judo_file_sync(descriptor, path);
    (void)close(descriptor);
    return status;
}

static judo_status sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return sync_path(".", O_RDONLY | O_DIRECTORY);
    }
    char *folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (folder == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", path);
    }
    judo_status status = sync_path(folder, O_RDONLY | O_DIRECTORY);
    free(folder);
    return status;
}

judo_status judo_file_publish(const char *temporary, const char *path)
{
    JUDO_TRY(sync_path(temporary, O_RDONLY));
    if (rename(temporary, path) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot rename to '%s': %s", temporary, path,
                         strerror(errno));
    }
    return sync_folder_of(path);
}

static judo_status write_new(const char *path, const void *content, size_t bytes)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return fail_system(path, "create");
    }
    judo_status status = judo_file_pwrite(descriptor, path, content, bytes, 0);
    if (close(descriptor) != 0 && status == JUDO_OK) {
        status = fail_system(path, "close");
    }
    return status;
}

judo_status judo_file_replace(const char *path, const void *content, size_t bytes)
{
    char *temporary = NULL;
    JUDO_TRY(judo_file_temporary(path, &temporary));
    judo_status status = write_new(temporary, content, bytes);
    if (status == JUDO_OK) {
        status = judo_file_publish(temporary, path);
    }
    if (status != JUDO_OK) {
        (void)unlink(temporary);
    }
    free(temporary);
    return status;
}

/* The new name is on disk when this returns: what is synced inside cannot get lost with it. */
static judo_status make_one(const char *path)
{
    if (mkdir(path, 0777) == 0) {
        return sync_folder_of(path);
    }
    return errno == EEXIST ? JUDO_OK : fail_system(path, "create the folder");
}

judo_status judo_file_make_folder(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", path);
    }
    judo_status status = JUDO_OK;
    for (char *at = copy; status == JUDO_OK && *at != '\0';) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char kept = *at;
        *at = '\0';
        if (copy[0] != '\0') {
            status = make_one(copy);
        }
        *at = kept;
    }
    struct stat info;
    if (status == JUDO_OK && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: exists and is not a folder", path);
    }
    free(copy);
    return status;
}
