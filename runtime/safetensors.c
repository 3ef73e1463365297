/* runtime/safetensors.c: reading safetensors files that may be hostile. The header is taken
 * apart member by member, so that its cost stays near its own size. */
#include "runtime/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/json.h"
#include "runtime/json_scan.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian");

enum { MAX_HEADER_BYTES = 100 * 1000 * 1000, MAX_TENSORS = 100000, CHUNK_ELEMENTS = 1 << 15 };

static const judo_json_limits header_limits = {
    .max_depth = 3, /* header, tensor, list of numbers */
    .max_values = INT64_C(16) * MAX_TENSORS,
    .max_top_members = MAX_TENSORS + 1,
};

struct judo_safetensors {
    char *path;
    int descriptor;
    int64_t data_begin, data_bytes;
    int count, capacity;
    int num_listed;
    judo_safetensors_entry *entries;       /* by begin; the readable ones first */
    const judo_safetensors_entry **sorted; /* all, by name */
};

typedef struct dtype_size {
    const char *name;
    int64_t bytes;
} dtype_size;

static const dtype_size other_dtypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2},
    {"U16", 2},  {"I32", 4}, {"U32", 4}, {"F64", 8},     {"I64", 8},     {"U64", 8},
};

/* Sets the dtype and its size; false if the format has no such dtype. */
static bool parse_dtype(const char *text, judo_dtype *dtype, int64_t *bytes)
{
    static const judo_dtype readable[] = {JUDO_F32, JUDO_BF16, JUDO_F16};
    for (size_t i = 0; i < sizeof readable / sizeof readable[0]; i++) {
        if (strcmp(text, judo_dtype_name(readable[i])) == 0) {
            *dtype = readable[i];
            *bytes = judo_dtype_bytes(readable[i]);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof other_dtypes / sizeof other_dtypes[0]; i++) {
        if (strcmp(text, other_dtypes[i].name) == 0) {
            *dtype = (judo_dtype)JUDO_SAFETENSORS_OTHER;
            *bytes = other_dtypes[i].bytes;
            return true;
        }
    }
    return false;
}

static judo_status parse_shape(const judo_json *shape, const char *place,
                               judo_safetensors_entry *entry)
{
    if (!judo_json_is_array(shape)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'shape' is not a list", place);
    }
    int n = judo_json_size(shape);
    if (n > JUDO_MAX_DIMS) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: %d dimensions are more than %d", place, n,
                         JUDO_MAX_DIMS);
    }
    const judo_json *item = judo_json_first(shape);
    for (int i = 0; i < n; i++, item = judo_json_next(item)) {
        JUDO_TRY(judo_json_as_int(item, place, &entry->dims[i]));
        if (entry->dims[i] < 0) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: dimension %d is negative", place, i);
        }
    }
    entry->num_dims = n;
    return JUDO_OK;
}

static judo_status check_range(const judo_safetensors *file, const char *place,
                               const judo_safetensors_entry *entry, int64_t element_bytes)
{
    if (entry->begin < 0 || entry->end < entry->begin) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: data_offsets [%lld, %lld] run backwards",
                         place, (long long)entry->begin, (long long)entry->end);
    }
    if (entry->end > file->data_bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: data ends at byte %lld of a data section of %lld bytes; the file "
                         "is cut off or damaged",
                         place, (long long)entry->end, (long long)file->data_bytes);
    }
    int64_t count = 0;
    int64_t bytes = 0;
    if (judo_dims_count(entry->dims, entry->num_dims, &count) != JUDO_OK ||
        __builtin_mul_overflow(count, element_bytes, &bytes)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: the product of the shape overflows", place);
    }
    if (bytes != entry->end - entry->begin) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: the shape needs %lld bytes, data_offsets hold "
                         "%lld",
                         place, (long long)bytes, (long long)(entry->end - entry->begin));
    }
    return JUDO_OK;
}

static judo_status parse_tensor(const judo_safetensors *file, const char *place,
                                const judo_json *tensor, judo_safetensors_entry *entry)
{
    if (!judo_json_is_object(tensor)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: not an object", place);
    }
    for (const judo_json *m = judo_json_first(tensor); m != NULL; m = judo_json_next(m)) {
        const char *key = judo_json_key(m);
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 &&
            strcmp(key, "data_offsets") != 0) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: unknown key '%.100s'", place, key);
        }
    }
    const char *dtype = NULL;
    int64_t element_bytes = 0;
    JUDO_TRY(judo_json_get_string(tensor, "dtype", place, &dtype));
    if (!parse_dtype(dtype, &entry->dtype, &element_bytes)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: unknown dtype '%.40s'", place, dtype);
    }
    JUDO_TRY(parse_shape(judo_json_get(tensor, "shape"), place, entry));
    const judo_json *offsets = judo_json_get(tensor, "data_offsets");
    if (!judo_json_is_array(offsets) || judo_json_size(offsets) != 2) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'data_offsets' is not a pair", place);
    }
    JUDO_TRY(judo_json_as_int(judo_json_at(offsets, 0), place, &entry->begin));
    JUDO_TRY(judo_json_as_int(judo_json_at(offsets, 1), place, &entry->end));
    return check_range(file, place, entry, element_bytes);
}

static judo_status check_metadata(const char *path, const judo_json *metadata)
{
    if (!judo_json_is_object(metadata)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: header: '__metadata__' is not an object",
                         path);
    }
    for (const judo_json *m = judo_json_first(metadata); m != NULL; m = judo_json_next(m)) {
        if (!judo_json_is_string(m)) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: header: '__metadata__.%.100s' is not a string", path,
                             judo_json_key(m));
        }
    }
    return JUDO_OK;
}

static judo_status append_entry(judo_safetensors *file, const char *name,
                                judo_safetensors_entry *entry)
{
    if (file->count == file->capacity) {
        int capacity = file->capacity ? 2 * file->capacity : 64;
        void *grown = realloc(file->entries, (size_t)capacity * sizeof *file->entries);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %d entries", file->path,
                             capacity);
        }
        file->entries = grown;
        file->capacity = capacity;
    }
    entry->name = strdup(name);
    if (entry->name == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a name", file->path);
    }
    file->entries[file->count++] = *entry;
    return JUDO_OK;
}

static judo_status add_member(judo_safetensors *file, const char *name, const judo_json *value)
{
    if (strcmp(name, "__metadata__") == 0) {
        return check_metadata(file->path, value);
    }
    char place[1024];
    (void)snprintf(place, sizeof place, "%s: tensor '%.200s'", file->path, name);
    judo_safetensors_entry entry = {0};
    JUDO_TRY(parse_tensor(file, place, value, &entry));
    return append_entry(file, name, &entry);
}

static judo_status parse_member(judo_safetensors *file, judo_json_slice key,
                                judo_json_slice value)
{
    judo_json *key_document = NULL;
    judo_json *document = NULL;
    const char *name = NULL;
    judo_status status = JUDO_OK;
    JUDO_TRY_GOTO(status, done,
                  judo_json_parse(key.text, key.length, file->path, &key_document));
    JUDO_TRY_GOTO(status, done, judo_json_as_string(key_document, file->path, &name));
    JUDO_TRY_GOTO(status, done,
                  judo_json_parse(value.text, value.length, file->path, &document));
    status = add_member(file, name, document);
done:
    judo_json_free(&document);
    judo_json_free(&key_document);
    return status;
}

static judo_status parse_header(judo_safetensors *file, const char *text, size_t length)
{
    char source[1024];
    (void)snprintf(source, sizeof source, "%s: header", file->path);
    if (length == 0 || text[0] != '{') {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: does not begin with '{'; not a safetensors file", source);
    }
    JUDO_TRY(judo_json_scan(text, length, source, &header_limits));
    size_t cursor = 0;
    judo_json_slice key;
    judo_json_slice value;
    while (judo_json_next_member(text, length, &cursor, &key, &value)) {
        JUDO_TRY(parse_member(file, key, value));
    }
    if (file->count > MAX_TENSORS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: more than %d tensors", source, MAX_TENSORS);
    }
    return JUDO_OK;
}

static int compare_begin(const void *a, const void *b)
{
    const judo_safetensors_entry *x = a;
    const judo_safetensors_entry *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    if (x->end != y->end) {
        return x->end < y->end ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static int compare_listed(const void *a, const void *b)
{
    const judo_safetensors_entry *x = a;
    const judo_safetensors_entry *y = b;
    int x_other = (int)x->dtype == JUDO_SAFETENSORS_OTHER;
    int y_other = (int)y->dtype == JUDO_SAFETENSORS_OTHER;
    return x_other != y_other ? x_other - y_other : compare_begin(a, b);
}

static int compare_name(const void *a, const void *b)
{
    return strcmp((*(const judo_safetensors_entry *const *)a)->name,
                  (*(const judo_safetensors_entry *const *)b)->name);
}

/* The entries must cover the data section without overlap or hole. */
static judo_status check_cover(judo_safetensors *file)
{
    if (file->count > 0) {
        qsort(file->entries, (size_t)file->count, sizeof *file->entries, compare_begin);
    }
    int64_t cursor = 0;
    for (int i = 0; i < file->count; i++) {
        const judo_safetensors_entry *entry = &file->entries[i];
        if (entry->begin != cursor) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: tensor '%.200s': begins at byte %lld, %s byte %lld",
                             file->path, entry->name, (long long)entry->begin,
                             entry->begin < cursor ? "overlapping the tensor that ends at"
                                                   : "leaving a hole behind",
                             (long long)cursor);
        }
        cursor = entry->end;
    }
    if (cursor != file->data_bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %lld trailing bytes behind the last tensor",
                         file->path, (long long)(file->data_bytes - cursor));
    }
    return JUDO_OK;
}

static judo_status sort_names(judo_safetensors *file)
{
    size_t count = (size_t)file->count;
    file->sorted = calloc(count + 1, sizeof *file->sorted);
    if (file->sorted == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %zu names", file->path, count);
    }
    if (count > 0) {
        qsort(file->entries, count, sizeof *file->entries, compare_listed);
    }
    for (size_t i = 0; i < count; i++) {
        file->sorted[i] = &file->entries[i];
        file->num_listed += (int)file->entries[i].dtype != JUDO_SAFETENSORS_OTHER;
    }
    if (count > 0) {
        qsort(file->sorted, count, sizeof *file->sorted, compare_name);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(file->sorted[i - 1]->name, file->sorted[i]->name) == 0) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: duplicate tensor '%.200s'", file->path,
                             file->sorted[i]->name);
        }
    }
    return JUDO_OK;
}

static judo_status read_header(judo_safetensors *file, int64_t file_bytes)
{
    uint64_t length = 0;
    if (file_bytes < 8) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %lld bytes are too few for a safetensors file",
                         file->path, (long long)file_bytes);
    }
    JUDO_TRY(judo_file_pread(file->descriptor, file->path, &length, sizeof length, 0));
    if (length > MAX_HEADER_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: a header of %llu bytes is more than the limit of %d; not a "
                         "safetensors file or damaged",
                         file->path, (unsigned long long)length, MAX_HEADER_BYTES);
    }
    if ((int64_t)length > file_bytes - 8) {
        return JUDO_FAIL(
            JUDO_ERROR_FORMAT,
            "%s: the header has %llu bytes, the file only %lld; the file is cut off",
            file->path, (unsigned long long)length, (long long)file_bytes);
    }
    file->data_begin = 8 + (int64_t)length;
    file->data_bytes = file_bytes - file->data_begin;
    char *text = malloc((size_t)length + 1);
    if (text == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the header", file->path);
    }
    judo_status status = judo_file_pread(file->descriptor, file->path, text, (size_t)length, 8);
    if (status == JUDO_OK) {
        status = parse_header(file, text, (size_t)length);
    }
    free(text);
    return status;
}

static judo_status open_and_check(judo_safetensors *file, const char *path)
{
    struct stat info;
    file->path = strdup(path);
    if (file->path == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    }
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (file->descriptor < 0 || fstat(file->descriptor, &info) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: not a regular file", path);
    }
    JUDO_TRY(read_header(file, info.st_size));
    JUDO_TRY(check_cover(file));
    return sort_names(file);
}

judo_status judo_safetensors_open(const char *path, judo_safetensors **out)
{
    judo_safetensors *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    }
    file->descriptor = -1;
    judo_status status = open_and_check(file, path);
    if (status != JUDO_OK) {
        judo_safetensors_close(&file);
        return status;
    }
    *out = file;
    return JUDO_OK;
}

void judo_safetensors_close(judo_safetensors **file)
{
    if (file == NULL || *file == NULL) {
        return;
    }
    judo_safetensors *f = *file;
    for (int i = 0; i < f->count; i++) {
        free(f->entries[i].name);
    }
    if (f->descriptor >= 0) {
        (void)close(f->descriptor);
    }
    free(f->entries);
    free(f->sorted);
    free(f->path);
    free(f);
    *file = NULL;
}

int judo_safetensors_count(const judo_safetensors *file)
{
    return file->num_listed;
}

const judo_safetensors_entry *judo_safetensors_entry_at(const judo_safetensors *file, int index)
{
    return index >= 0 && index < file->num_listed ? &file->entries[index] : NULL;
}

const judo_safetensors_entry *judo_safetensors_find(const judo_safetensors *file,
                                                    const char *name)
{
    int low = 0;
    int high = file->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(name, file->sorted[middle]->name);
        if (order == 0) {
            return file->sorted[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static judo_status read_halves(const judo_safetensors *file, judo_dtype dtype, int64_t offset,
                               int64_t count, float *out)
{
    uint16_t chunk[CHUNK_ELEMENTS];
    while (count > 0) {
        int64_t n = count < CHUNK_ELEMENTS ? count : CHUNK_ELEMENTS;
        JUDO_TRY(judo_file_pread(file->descriptor, file->path, chunk,
                                 (size_t)n * sizeof chunk[0], offset));
        judo_convert_to_f32(out, chunk, dtype, n);
        out += n;
        offset += n * (int64_t)sizeof chunk[0];
        count -= n;
    }
    return JUDO_OK;
}

judo_status judo_safetensors_read(const judo_safetensors *file,
                                  const judo_safetensors_entry *entry, int64_t first,
                                  int64_t count, float *out)
{
    if ((int)entry->dtype == JUDO_SAFETENSORS_OTHER) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: tensor '%.200s': only F32, BF16 and F16 can be read", file->path,
                         entry->name);
    }
    int64_t element_bytes = judo_dtype_bytes(entry->dtype);
    int64_t total = (entry->end - entry->begin) / element_bytes;
    if (first < 0 || count < 0 || first > total || count > total - first) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: tensor '%.200s': elements [%lld, +%lld) of %lld do not exist",
                         file->path, entry->name, (long long)first, (long long)count,
                         (long long)total);
    }
    int64_t offset = file->data_begin + entry->begin + first * element_bytes;
    if (entry->dtype == JUDO_F32) {
        return judo_file_pread(file->descriptor, file->path, out, (size_t)count * sizeof *out,
                               offset);
    }
    return read_halves(file, entry->dtype, offset, count, out);
}
