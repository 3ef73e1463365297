/* data/pack.h: from published files (mmad.json, JSON lines of the three stages, folders of
 * pictures) to one dataset file. */
#ifndef JUDO_DATA_PACK_H
#define JUDO_DATA_PACK_H

#include "data/dataset.h"
#include "data/image_processor.h"

/* How masks become cells. */
typedef enum judo_pack_cells {
    JUDO_PACK_CELLS_PAPER,     /* any pixel marks its cell */
    JUDO_PACK_CELLS_REFERENCE, /* 2 % of a cell; stage 1 falls back to any pixel, the others
                                  first bring the mask to 512 x 512 */
} judo_pack_cells;

/* Which normal picture of mmad.json goes with a query. */
typedef enum judo_pack_template {
    JUDO_PACK_TEMPLATE_FIRST,
    JUDO_PACK_TEMPLATE_RANDOM, /* drawn by `seed` */
} judo_pack_template;

/* Paths may be NULL where a source is not wanted. */
typedef struct judo_pack_options {
    const char *output;
    const char *made_by; /* stored in the file */
    const judo_image_processor *processor;

    const char *mmad_json;        /* questions with options: kind CHOICE */
    const char *mmad_root;        /* its pictures; NULL: image_root */
    const char *domain_knowledge; /* domain_knowledge.json, for the questions of mmad.json */
    const char *stage1, *stage2, *stage3; /* JSON lines in the reference project's form */
    const char *image_root;

    judo_pack_cells cells;
    judo_pack_template template_choice;
    bool similar_templates; /* choose among similar_templates, not random_templates */
    uint64_t seed;
    int64_t limit;     /* at most this many samples of each source; 0: all */
    bool skip_missing; /* rows that are broken or whose pictures are missing or damaged are
                          counted and left out; else the first one is an error */

    /* Called for each rationale text; NULL: none is embedded. */
    judo_status (*embed)(void *context, const char *text, float out[JUDO_RATIONALE_VALUES]);
    void *embed_context;
} judo_pack_options;

typedef struct judo_pack_counts {
    int64_t samples[JUDO_NUM_SAMPLE_KINDS];
    int64_t images, pixel_bytes, skipped;
} judo_pack_counts;

/* Packs and logs a summary. On failure no file appears. `counts` may be NULL. */
judo_status judo_pack(const judo_pack_options *options,
                      judo_pack_counts *counts) JUDO_MUST_CHECK;

#endif
