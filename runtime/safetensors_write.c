/* runtime/safetensors_write.c: one safetensors file written by many ranks. */
#include "runtime/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/json.h"

enum { CHUNK_ELEMENTS = 1 << 15 };

struct judo_safetensors_plan {
    char *path;
    int descriptor;
    bool frozen;
    int count, capacity;
    judo_safetensors_entry *entries;
    int64_t data_bytes, header_bytes; /* header_bytes with its length word and padding */
    judo_json_writer header;
};

judo_status judo_safetensors_plan_create(const char *path, judo_safetensors_plan **out)
{
    judo_safetensors_plan *plan = calloc(1, sizeof *plan);
    char *copy = strdup(path);
    if (plan == NULL || copy == NULL) {
        free(plan);
        free(copy);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    }
    plan->path = copy;
    plan->descriptor = -1;
    *out = plan;
    return JUDO_OK;
}

static judo_status grow(judo_safetensors_plan *plan)
{
    if (plan->count < plan->capacity) {
        return JUDO_OK;
    }
    int capacity = plan->capacity ? 2 * plan->capacity : 64;
    void *grown = realloc(plan->entries, (size_t)capacity * sizeof *plan->entries);
    if (grown == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %d entries", plan->path,
                         capacity);
    }
    plan->entries = grown;
    plan->capacity = capacity;
    return JUDO_OK;
}

static judo_status check_new(const judo_safetensors_plan *plan, const char *name,
                             judo_dtype dtype, int num_dims)
{
    if (plan->frozen) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: tensor '%s': the plan is already frozen",
                         plan->path, name);
    }
    if (dtype != JUDO_F32 && dtype != JUDO_BF16 && dtype != JUDO_F16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: tensor '%s': only F32, BF16 and F16 can be written", plan->path,
                         name);
    }
    if (num_dims < 0 || num_dims > JUDO_MAX_DIMS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: tensor '%s': %d dimensions", plan->path,
                         name, num_dims);
    }
    for (int i = 0; i < plan->count; i++) {
        if (strcmp(plan->entries[i].name, name) == 0) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: tensor '%s' is planned twice",
                             plan->path, name);
        }
    }
    return JUDO_OK;
}

judo_status judo_safetensors_plan_add(judo_safetensors_plan *plan, const char *name,
                                      judo_dtype dtype, const int64_t *dims, int num_dims,
                                      int *index)
{
    JUDO_TRY(check_new(plan, name, dtype, num_dims));
    judo_safetensors_entry entry = {.dtype = dtype, .num_dims = num_dims};
    int64_t count = 0;
    int64_t total = 0;
    JUDO_TRY(judo_dims_count(dims, num_dims, &count));
    if (__builtin_mul_overflow(count, judo_dtype_bytes(dtype), &entry.end) ||
        __builtin_add_overflow(plan->data_bytes, entry.end, &total)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: tensor '%s': the size overflows", plan->path,
                         name);
    }
    JUDO_TRY(grow(plan));
    if (num_dims > 0) {
        memcpy(entry.dims, dims, (size_t)num_dims * sizeof *dims);
    }
    entry.name = strdup(name);
    if (entry.name == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a name", plan->path);
    }
    plan->data_bytes = total;
    plan->entries[plan->count] = entry;
    *index = plan->count++;
    return JUDO_OK;
}

/* 32-bit tensors first, so that an odd number of 16-bit elements misaligns nothing. */
static void place_tensors(judo_safetensors_plan *plan)
{
    int64_t cursor = 0;
    for (int64_t width = 4; width >= 2; width -= 2) {
        for (int i = 0; i < plan->count; i++) {
            judo_safetensors_entry *entry = &plan->entries[i];
            if (judo_dtype_bytes(entry->dtype) == width) {
                entry->end += cursor; /* was the size */
                entry->begin = cursor;
                cursor = entry->end;
            }
        }
    }
}

static void write_header(judo_safetensors_plan *plan)
{
    judo_json_writer *w = &plan->header;
    judo_json_begin_object(w, NULL);
    judo_json_begin_object(w, "__metadata__");
    judo_json_put_string(w, "format", "pt");
    judo_json_end_object(w);
    for (int i = 0; i < plan->count; i++) {
        const judo_safetensors_entry *entry = &plan->entries[i];
        judo_json_begin_object(w, entry->name);
        judo_json_put_string(w, "dtype", judo_dtype_name(entry->dtype));
        judo_json_begin_array(w, "shape");
        for (int d = 0; d < entry->num_dims; d++) {
            judo_json_put_int(w, NULL, entry->dims[d]);
        }
        judo_json_end_array(w);
        judo_json_begin_array(w, "data_offsets");
        judo_json_put_int(w, NULL, entry->begin);
        judo_json_put_int(w, NULL, entry->end);
        judo_json_end_array(w);
        judo_json_end_object(w);
    }
    judo_json_end_object(w);
}

int64_t judo_safetensors_plan_bytes(judo_safetensors_plan *plan)
{
    if (!plan->frozen) {
        plan->frozen = true;
        place_tensors(plan);
        write_header(plan);
        plan->header_bytes = 8 + ((int64_t)plan->header.length + 7) / 8 * 8;
    }
    return plan->header_bytes + plan->data_bytes;
}

static judo_status open_for_writing(judo_safetensors_plan *plan, int flags)
{
    if (plan->descriptor >= 0) {
        return JUDO_OK;
    }
    plan->descriptor = open(plan->path, O_WRONLY | O_CLOEXEC | flags, 0666);
    if (plan->descriptor < 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open for writing: %s", plan->path,
                         strerror(errno));
    }
    return JUDO_OK;
}

judo_status judo_safetensors_create_file(judo_safetensors_plan *plan)
{
    int64_t total = judo_safetensors_plan_bytes(plan);
    JUDO_TRY(judo_json_writer_check(&plan->header));
    JUDO_TRY(open_for_writing(plan, O_CREAT | O_TRUNC));
    if (ftruncate(plan->descriptor, (off_t)total) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot set the size to %lld bytes: %s", plan->path,
                         (long long)total, strerror(errno));
    }
    uint64_t padded = (uint64_t)plan->header_bytes - 8;
    size_t padding = (size_t)padded - plan->header.length;
    JUDO_TRY(judo_file_pwrite(plan->descriptor, plan->path, &padded, sizeof padded, 0));
    JUDO_TRY(judo_file_pwrite(plan->descriptor, plan->path, plan->header.text,
                              plan->header.length, 8));
    return judo_file_pwrite(plan->descriptor, plan->path, "        ", padding,
                            8 + (int64_t)plan->header.length);
}

static judo_status write_halves(const judo_safetensors_plan *plan, judo_dtype dtype,
                                int64_t offset, int64_t count, const float *values)
{
    uint16_t chunk[CHUNK_ELEMENTS];
    while (count > 0) {
        int64_t n = count < CHUNK_ELEMENTS ? count : CHUNK_ELEMENTS;
        judo_convert_from_f32(chunk, dtype, values, n);
        JUDO_TRY(judo_file_pwrite(plan->descriptor, plan->path, chunk,
                                  (size_t)n * sizeof chunk[0], offset));
        values += n;
        offset += n * (int64_t)sizeof chunk[0];
        count -= n;
    }
    return JUDO_OK;
}

judo_status judo_safetensors_write(judo_safetensors_plan *plan, int index, int64_t first,
                                   int64_t count, const float *values)
{
    if (index < 0 || index >= plan->count) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: tensor %d of %d does not exist", plan->path,
                         index, plan->count);
    }
    (void)judo_safetensors_plan_bytes(plan);
    const judo_safetensors_entry *entry = &plan->entries[index];
    int64_t element_bytes = judo_dtype_bytes(entry->dtype);
    int64_t total = (entry->end - entry->begin) / element_bytes;
    if (first < 0 || count < 0 || first > total || count > total - first) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT, "%s: tensor '%s': elements [%lld, +%lld) of %lld do not exist",
            plan->path, entry->name, (long long)first, (long long)count, (long long)total);
    }
    JUDO_TRY(open_for_writing(plan, 0));
    int64_t offset = plan->header_bytes + entry->begin + first * element_bytes;
    if (entry->dtype == JUDO_F32) {
        return judo_file_pwrite(plan->descriptor, plan->path, values,
                                (size_t)count * sizeof *values, offset);
    }
    return write_halves(plan, entry->dtype, offset, count, values);
}

judo_status judo_safetensors_sync(judo_safetensors_plan *plan)
{
    if (plan->descriptor >= 0 && fsync(plan->descriptor) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot sync: %s", plan->path, strerror(errno));
    }
    return JUDO_OK;
}

void judo_safetensors_plan_destroy(judo_safetensors_plan **plan)
{
    if (plan == NULL || *plan == NULL) {
        return;
    }
    judo_safetensors_plan *p = *plan;
    for (int i = 0; i < p->count; i++) {
        free(p->entries[i].name);
    }
    if (p->descriptor >= 0) {
        (void)close(p->descriptor);
    }
    judo_json_writer_free(&p->header);
    free(p->entries);
    free(p->path);
    free(p);
    *plan = NULL;
}
