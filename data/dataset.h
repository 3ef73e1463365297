/* data/dataset.h: reading packed datasets. A dataset holds pictures already resized for one
 * image processor, and samples that refer to them. Written by data/dataset_write.h. */
#ifndef JUDO_DATA_DATASET_H
#define JUDO_DATA_DATASET_H

#include <stdbool.h>

#include "data/cells.h"
#include "data/image_file.h"

enum { JUDO_MAX_OPTIONS = 8, JUDO_RATIONALE_VALUES = 384 };

typedef enum judo_sample_kind {
    JUDO_SAMPLE_SEGMENTATION, /* stage 1: compare query and template, name the cells */
    JUDO_SAMPLE_DOMAIN_QA,    /* stage 2: a question about the domain, answered in words */
    JUDO_SAMPLE_CHOICE,       /* stage 3 and evaluation: a question with lettered options */
} judo_sample_kind;

enum { JUDO_NUM_SAMPLE_KINDS = 3 };

/* One sample. All pointers are borrowed from the dataset; texts are "" where there is none. */
typedef struct judo_sample {
    int64_t index;
    judo_sample_kind kind;
    int64_t query_image, template_image; /* -1: none */
    const char *question;
    int num_options;
    const char *options[JUDO_MAX_OPTIONS];
    char letters[JUDO_MAX_OPTIONS]; /* of the options: 'A', 'B', .. */
    char answer;                    /* the right letter; 0: none */
    const char *target;             /* stage 1: the think text; stage 2: the answer text */
    judo_cells cells;               /* empty without a mask */
    bool has_mask;
    bool is_normal; /* the query shows no anomaly */
    const char *rationale;
    const float *rationale_embedding; /* [JUDO_RATIONALE_VALUES] or NULL */
    const char *dataset, *category, *defect, *subtask;
    const char *domain; /* snippet of domain knowledge */
    const char *source; /* where the query came from, e.g. its path in the original dataset */
} judo_sample;

typedef struct judo_dataset judo_dataset;

/* Opens and checks a dataset: schema, sizes, every index. `expected_fingerprint` is the image
 * processor's (NULL: any); another one is JUDO_ERROR_MISMATCH. Not collective: every rank
 * opens. */
judo_status judo_dataset_open(const char *path, const char *expected_fingerprint,
                              judo_dataset **out) JUDO_MUST_CHECK;
void judo_dataset_close(judo_dataset **dataset);

const char *judo_dataset_path(const judo_dataset *dataset);
const char *judo_dataset_fingerprint(const judo_dataset *dataset);
const char *judo_dataset_made_by(const judo_dataset *dataset);
int64_t judo_dataset_count(const judo_dataset *dataset);
int64_t judo_dataset_num_images(const judo_dataset *dataset);

/* Sample `index` in [0, count). */
judo_status judo_dataset_sample(const judo_dataset *dataset, int64_t index,
                                judo_sample *out) JUDO_MUST_CHECK;

/* Width and height of a stored picture, without reading it. */
judo_status judo_dataset_image_size(const judo_dataset *dataset, int64_t image, int32_t *width,
                                    int32_t *height) JUDO_MUST_CHECK;
/* Reads a picture (RGB, at processed size); the caller frees it. Safe from several threads. */
judo_status judo_dataset_image(const judo_dataset *dataset, int64_t image,
                               judo_image *out) JUDO_MUST_CHECK;
/* Reads the mask of a picture (grey, 0 or 255, of the picture's size). `out` is left empty
 * (pixels NULL) when the picture has none. Safe from several threads. */
judo_status judo_dataset_mask(const judo_dataset *dataset, int64_t image,
                              judo_image *out) JUDO_MUST_CHECK;

/* The samples of one kind, in order; the caller free()s `indices`. */
judo_status judo_dataset_select(const judo_dataset *dataset, judo_sample_kind kind,
                                int64_t **indices, int64_t *n) JUDO_MUST_CHECK;

#endif
