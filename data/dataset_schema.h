/* data/dataset_schema.h: how rows lie in the file; shared by the dataset's reader and writer.
 */
#ifndef JUDO_DATA_DATASET_SCHEMA_H
#define JUDO_DATA_DATASET_SCHEMA_H

#include "data/dataset.h"
#include "runtime/hdf5_file.h"

enum { JUDO_DATASET_SCHEMA = 1, JUDO_NUM_SAMPLE_TEXTS = 9 };

/* Names of what is not a column. /texts holds each distinct text once; columns number them. */
#define JUDO_DATASET_FORMAT     "judo dataset"
#define JUDO_DATASET_TEXTS      "/texts"
#define JUDO_DATASET_PIXELS     "/images/pixels"
#define JUDO_DATASET_MASKS      "/images/mask_pixels"
#define JUDO_DATASET_EMBEDDINGS "/samples/rationale_embeddings"

typedef struct judo_image_row {
    int64_t offset, mask_offset; /* into the pixel runs; mask_offset -1: no mask */
    int32_t width, height;
    int32_t original_width, original_height;
    int32_t source;
} judo_image_row;

typedef struct judo_sample_row {
    int64_t query_image, template_image, embedding; /* -1: none */
    uint64_t cells[4];
    int32_t kind;
    int32_t texts[JUDO_NUM_SAMPLE_TEXTS]; /* in the order of judo_sample_text_offsets */
    int32_t options[JUDO_MAX_OPTIONS];    /* -1: none */
    uint8_t letters[JUDO_MAX_OPTIONS];
    uint8_t answer, has_mask, is_normal;
} judo_sample_row;

/* Where in judo_sample the text of each text column stands. */
extern const size_t judo_sample_text_offsets[JUDO_NUM_SAMPLE_TEXTS];

/* One dataset of the file: `width` values of `type` per row, found at `offset` in the row. */
typedef struct judo_dataset_column {
    const char *name;
    judo_hdf5_type type;
    size_t offset;
    int width;
} judo_dataset_column;

/* Each list ends with a NULL name. */
extern const judo_dataset_column judo_image_columns[];
extern const judo_dataset_column judo_sample_columns[];

judo_status judo_dataset_write_columns(judo_hdf5_file *file, const judo_dataset_column *columns,
                                       const void *rows, size_t row_bytes,
                                       int64_t count) JUDO_MUST_CHECK;
/* Reads all columns into rows that the caller free()s; all must have the same number of rows.
 */
judo_status judo_dataset_read_columns(judo_hdf5_file *file, const judo_dataset_column *columns,
                                      size_t row_bytes, void **rows,
                                      int64_t *count) JUDO_MUST_CHECK;

#endif
