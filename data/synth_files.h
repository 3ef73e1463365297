/* data/synth_files.h: the output side of synth: folders, pictures, lines of JSON. Shared by the
 * synth files only. */
#ifndef JUDO_DATA_SYNTH_FILES_H
#define JUDO_DATA_SYNTH_FILES_H

#include <stdio.h>

#include "data/synth.h"
#include "data/synth_text.h"
#include "runtime/json.h"
#include "runtime/log.h"

enum { JUDO_SYNTH_PATH = 256 };

typedef enum judo_synth_file {
    JUDO_SYNTH_STAGE1,
    JUDO_SYNTH_STAGE2,
    JUDO_SYNTH_STAGE3,
    JUDO_SYNTH_HELDOUT1,
    JUDO_SYNTH_HELDOUT2,
    JUDO_SYNTH_HELDOUT3,
    JUDO_SYNTH_LOOK,
    JUDO_SYNTH_PRETRAIN,
    JUDO_SYNTH_FILES,
} judo_synth_file;

/* One run of the writer. */
typedef struct judo_synth_run {
    const judo_synth_options *options;
    FILE *files[JUDO_SYNTH_FILES];
    int64_t rows[JUDO_SYNTH_FILES];
    judo_json_writer line;
    judo_json_writer questions[2]; /* mmad_train.json, mmad.json */
    judo_progress progress;
    int64_t drawn;
} judo_synth_run;

/* "DATASET/OBJECT/train/good/NNN.png" */
void judo_synth_normal_path(int object, int number, char out[JUDO_SYNTH_PATH]);

/* Makes the parent folders of `relative` under the run's folder and gives the full path. */
judo_status judo_synth_full_path(const judo_synth_run *run, const char *relative, char *out,
                                 size_t bytes) JUDO_MUST_CHECK;
/* Draws a scene into `image_path` and, where not NULL, `mask_path`; says what it shows. */
judo_status judo_synth_picture(judo_synth_run *run, uint64_t id, int object,
                               judo_synth_kind kind, const char *image_path,
                               const char *mask_path, judo_synth_view *view) JUDO_MUST_CHECK;
/* Appends run->line to a file as one line and clears it. */
judo_status judo_synth_line(judo_synth_run *run, judo_synth_file file) JUDO_MUST_CHECK;

/* The rows of pretrain_look.jsonl and pretrain.jsonl with their pictures. */
judo_status judo_synth_write_pretrain(judo_synth_run *run) JUDO_MUST_CHECK;

#endif
