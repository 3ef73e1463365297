/* data/pack_source.h: between the packer and the readers of its sources. */
#ifndef JUDO_DATA_PACK_SOURCE_H
#define JUDO_DATA_PACK_SOURCE_H

#include "data/dataset_write.h"
#include "data/pack.h"
#include "runtime/log.h"

typedef struct judo_packer {
    const judo_pack_options *options;
    judo_dataset_writer *writer;
    judo_pack_counts counts;
    judo_progress progress;
    int64_t rows_seen;
    /* The cells of the mask that came last: the questions of one picture follow each other. */
    char last_mask[1024];
    judo_sample_kind last_kind;
    judo_cells last_cells;
} judo_packer;

/* What one row asks for: a sample without its images, and where these lie below `root`. */
typedef struct judo_pack_item {
    judo_sample sample;
    const char *root;
    const char *query, *template_path, *mask; /* NULL: none */
    const char *place;                        /* "file:line" or "file:key", for messages */
} judo_pack_item;

/* Reads the pictures of an item and stores the sample. What is wrong with the row itself
 * follows options->skip_missing. */
judo_status judo_pack_item_add(judo_packer *packer, const judo_pack_item *item) JUDO_MUST_CHECK;

/* Decides about a row that failed with `status`: JUDO_OK if it may be skipped (counted). */
judo_status judo_pack_row_failed(judo_packer *packer, judo_status status) JUDO_MUST_CHECK;

/* The first part of a path, and the second, into buffers of `bytes`; "" where there is none. */
void judo_pack_path_parts(const char *path, char *first, char *second, size_t bytes);

judo_status judo_pack_mmad(judo_packer *packer) JUDO_MUST_CHECK;
judo_status judo_pack_jsonl(judo_packer *packer, judo_sample_kind kind,
                            const char *path) JUDO_MUST_CHECK;

#endif
