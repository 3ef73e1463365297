/* runtime/hdf5_strings.c: lists of strings as one run of bytes and an offset per string. */
#include "runtime/hdf5_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME_BYTES = 512 };

static judo_status part_name(const judo_hdf5_file *file, const char *name, const char *part,
                             char out[MAX_NAME_BYTES])
{
    int length = snprintf(out, MAX_NAME_BYTES, "%s/%s", name, part);
    if (length >= MAX_NAME_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: dataset name '%.60s...' is too long",
                         judo_hdf5_path(file), name);
    }
    return JUDO_OK;
}

/* Lays the strings end to end; both arrays are the caller's to free. */
static judo_status join(const judo_hdf5_file *file, const char *const *strings,
                        const size_t *lengths, int64_t n, uint64_t **offsets, char **bytes)
{
    uint64_t *at = malloc(((size_t)n + 1) * sizeof *at);
    uint64_t total = 0;
    for (int64_t i = 0; at != NULL && i < n; i++) {
        at[i] = total;
        total += lengths ? lengths[i] : strlen(strings[i]);
    }
    char *text = at != NULL ? malloc((size_t)total + 1) : NULL;
    if (text == NULL) {
        free(at);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %lld strings",
                         judo_hdf5_path(file), (long long)n);
    }
    at[n] = total;
    for (int64_t i = 0; i < n; i++) {
        memcpy(text + at[i], strings[i], (size_t)(at[i + 1] - at[i]));
    }
    *offsets = at;
    *bytes = text;
    return JUDO_OK;
}

judo_status judo_hdf5_write_strings(judo_hdf5_file *file, const char *name,
                                    const char *const *strings, const size_t *lengths,
                                    int64_t n)
{
    char bytes_name[MAX_NAME_BYTES];
    char offsets_name[MAX_NAME_BYTES];
    JUDO_TRY(part_name(file, name, "bytes", bytes_name));
    JUDO_TRY(part_name(file, name, "offsets", offsets_name));
    if (n < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: dataset '%s': %lld strings",
                         judo_hdf5_path(file), name, (long long)n);
    }
    uint64_t *offsets = NULL;
    char *bytes = NULL;
    JUDO_TRY(join(file, strings, lengths, n, &offsets, &bytes));
    int64_t total = (int64_t)offsets[n];
    int64_t count = n + 1;
    judo_status status = judo_hdf5_write(file, bytes_name, JUDO_HDF5_U8, &total, 1, bytes);
    if (status == JUDO_OK) {
        status = judo_hdf5_write(file, offsets_name, JUDO_HDF5_U64, &count, 1, offsets);
    }
    free(offsets);
    free(bytes);
    return status;
}

static judo_status check_offsets(const judo_hdf5_file *file, const char *name,
                                 const uint64_t *offsets, int64_t count, int64_t total)
{
    if (count < 1 || offsets[0] != 0 || offsets[count - 1] != (uint64_t)total) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: dataset '%s/offsets': does not run from 0 to %lld, the size of "
                         "'%s/bytes'",
                         judo_hdf5_path(file), name, (long long)total, name);
    }
    for (int64_t i = 1; i < count; i++) {
        if (offsets[i] < offsets[i - 1]) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: dataset '%s/offsets': falls at entry %lld",
                             judo_hdf5_path(file), name, (long long)i);
        }
    }
    return JUDO_OK;
}

judo_status judo_hdf5_read_strings(judo_hdf5_file *file, const char *name, int64_t max_bytes,
                                   judo_hdf5_strings *out)
{
    char bytes_name[MAX_NAME_BYTES];
    char offsets_name[MAX_NAME_BYTES];
    JUDO_TRY(part_name(file, name, "bytes", bytes_name));
    JUDO_TRY(part_name(file, name, "offsets", offsets_name));
    void *bytes = NULL;
    void *offsets = NULL;
    int64_t total[JUDO_HDF5_MAX_DIMS] = {0};
    int64_t count[JUDO_HDF5_MAX_DIMS] = {0};
    int bytes_dims = 0;
    int offsets_dims = 0;
    judo_status status =
        judo_hdf5_read(file, bytes_name, JUDO_HDF5_U8, max_bytes, &bytes, total, &bytes_dims);
    if (status == JUDO_OK) {
        status = judo_hdf5_read(file, offsets_name, JUDO_HDF5_U64, (max_bytes - total[0]) / 8,
                                &offsets, count, &offsets_dims);
    }
    if (status == JUDO_OK && (bytes_dims != 1 || offsets_dims != 1)) {
        status = JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: dataset '%s': bytes and offsets must be 1-D",
                           judo_hdf5_path(file), name);
    }
    if (status == JUDO_OK) {
        status = check_offsets(file, name, offsets, count[0], total[0]);
    }
    if (status != JUDO_OK) {
        free(bytes);
        free(offsets);
        return status;
    }
    *out = (judo_hdf5_strings){.bytes = bytes, .offsets = offsets, .count = count[0] - 1};
    return JUDO_OK;
}

void judo_hdf5_strings_free(judo_hdf5_strings *strings)
{
    free(strings->bytes);
    free(strings->offsets);
    *strings = (judo_hdf5_strings){0};
}
