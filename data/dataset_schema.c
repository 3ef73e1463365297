/* data/dataset_schema.c: the columns, and rows to columns and back. */
#include "data/dataset_schema.h"

#include <stdlib.h>
#include <string.h>

static const int64_t max_values = INT64_C(1) << 30;

const size_t judo_sample_text_offsets[JUDO_NUM_SAMPLE_TEXTS] = {
    offsetof(judo_sample, question),  offsetof(judo_sample, target),
    offsetof(judo_sample, rationale), offsetof(judo_sample, dataset),
    offsetof(judo_sample, category),  offsetof(judo_sample, defect),
    offsetof(judo_sample, subtask),   offsetof(judo_sample, domain),
    offsetof(judo_sample, source),
};

#define SAMPLE(member) offsetof(judo_sample_row, member)
#define TEXT(number)   (offsetof(judo_sample_row, texts) + (number) * sizeof(int32_t))
#define IMAGE(member)  offsetof(judo_image_row, member)

const judo_dataset_column judo_sample_columns[] = {
    {"/samples/kind", JUDO_HDF5_I32, SAMPLE(kind), 1},
    {"/samples/query_image", JUDO_HDF5_I64, SAMPLE(query_image), 1},
    {"/samples/template_image", JUDO_HDF5_I64, SAMPLE(template_image), 1},
    {"/samples/question", JUDO_HDF5_I32, TEXT(0), 1},
    {"/samples/target", JUDO_HDF5_I32, TEXT(1), 1},
    {"/samples/rationale", JUDO_HDF5_I32, TEXT(2), 1},
    {"/samples/dataset", JUDO_HDF5_I32, TEXT(3), 1},
    {"/samples/category", JUDO_HDF5_I32, TEXT(4), 1},
    {"/samples/defect", JUDO_HDF5_I32, TEXT(5), 1},
    {"/samples/subtask", JUDO_HDF5_I32, TEXT(6), 1},
    {"/samples/domain", JUDO_HDF5_I32, TEXT(7), 1},
    {"/samples/source", JUDO_HDF5_I32, TEXT(8), 1},
    {"/samples/options", JUDO_HDF5_I32, SAMPLE(options), JUDO_MAX_OPTIONS},
    {"/samples/letters", JUDO_HDF5_U8, SAMPLE(letters), JUDO_MAX_OPTIONS},
    {"/samples/answer", JUDO_HDF5_U8, SAMPLE(answer), 1},
    {"/samples/cells", JUDO_HDF5_U64, SAMPLE(cells), 4},
    {"/samples/has_mask", JUDO_HDF5_U8, SAMPLE(has_mask), 1},
    {"/samples/is_normal", JUDO_HDF5_U8, SAMPLE(is_normal), 1},
    {"/samples/embedding", JUDO_HDF5_I64, SAMPLE(embedding), 1},
    {0},
};

const judo_dataset_column judo_image_columns[] = {
    {"/images/offset", JUDO_HDF5_I64, IMAGE(offset), 1},
    {"/images/mask_offset", JUDO_HDF5_I64, IMAGE(mask_offset), 1},
    {"/images/width", JUDO_HDF5_I32, IMAGE(width), 1},
    {"/images/height", JUDO_HDF5_I32, IMAGE(height), 1},
    {"/images/original_width", JUDO_HDF5_I32, IMAGE(original_width), 1},
    {"/images/original_height", JUDO_HDF5_I32, IMAGE(original_height), 1},
    {"/images/source", JUDO_HDF5_I32, IMAGE(source), 1},
    {0},
};

static size_t column_bytes(const judo_dataset_column *column)
{
    size_t size = column->type == JUDO_HDF5_U8                                     ? 1
                  : column->type == JUDO_HDF5_I32 || column->type == JUDO_HDF5_F32 ? 4
                                                                                   : 8;
    return size * (size_t)column->width;
}

judo_status judo_dataset_write_columns(judo_hdf5_file *file, const judo_dataset_column *columns,
                                       const void *rows, size_t row_bytes, int64_t count)
{
    for (const judo_dataset_column *column = columns; column->name != NULL; column++) {
        size_t bytes = column_bytes(column);
        char *values = malloc((size_t)count * bytes + 1);
        if (values == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld rows of %s",
                             (long long)count, column->name);
        }
        const char *row = (const char *)rows;
        for (int64_t i = 0; i < count; i++) {
            memcpy(values + (size_t)i * bytes, row + (size_t)i * row_bytes + column->offset,
                   bytes);
        }
        const int64_t dims[2] = {count, column->width};
        judo_status status = judo_hdf5_write(file, column->name, column->type, dims,
                                             column->width > 1 ? 2 : 1, values);
        free(values);
        JUDO_TRY(status);
    }
    return JUDO_OK;
}

static judo_status check_dims(judo_hdf5_file *file, const judo_dataset_column *column,
                              const int64_t *dims, int num_dims, int64_t count)
{
    bool fits = num_dims == (column->width > 1 ? 2 : 1) &&
                (num_dims == 1 || dims[1] == column->width) && (count < 0 || dims[0] == count);
    if (!fits) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s:%s: %lld rows of %lld values where %lld of %d are expected; pack "
                         "the dataset again",
                         judo_hdf5_path(file), column->name, (long long)dims[0],
                         num_dims == 2 ? (long long)dims[1] : 1LL, (long long)count,
                         column->width);
    }
    return JUDO_OK;
}

/* Reads one column; the first one (*count < 0) decides the number of rows and makes them. */
static judo_status read_column(judo_hdf5_file *file, const judo_dataset_column *column,
                               size_t row_bytes, char **rows, int64_t *count)
{
    void *values = NULL;
    int64_t dims[JUDO_HDF5_MAX_DIMS] = {0};
    int num_dims = 0;
    JUDO_TRY(
        judo_hdf5_read(file, column->name, column->type, max_values, &values, dims, &num_dims));
    judo_status status = check_dims(file, column, dims, num_dims, *count);
    if (status == JUDO_OK && *rows == NULL) {
        *count = dims[0];
        *rows = calloc((size_t)dims[0] + 1, row_bytes);
        if (*rows == NULL) {
            status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %lld rows",
                               judo_hdf5_path(file), (long long)dims[0]);
        }
    }
    size_t bytes = column_bytes(column);
    for (int64_t i = 0; status == JUDO_OK && i < *count; i++) {
        memcpy(*rows + (size_t)i * row_bytes + column->offset,
               (char *)values + (size_t)i * bytes, bytes);
    }
    free(values);
    return status;
}

judo_status judo_dataset_read_columns(judo_hdf5_file *file, const judo_dataset_column *columns,
                                      size_t row_bytes, void **rows, int64_t *count)
{
    char *result = NULL;
    int64_t n = -1;
    for (const judo_dataset_column *column = columns; column->name != NULL; column++) {
        judo_status status = read_column(file, column, row_bytes, &result, &n);
        if (status != JUDO_OK) {
            free(result);
            return status;
        }
    }
    *rows = result;
    *count = n;
    return JUDO_OK;
}
