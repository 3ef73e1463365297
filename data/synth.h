/* data/synth.h: draws an industrial inspection data set in MMAD's layout, with masks,
 * questions, domain knowledge and template-written teacher texts, so that all three stages run
 * without a download. Everything is a pure function of the seed. */
#ifndef JUDO_DATA_SYNTH_H
#define JUDO_DATA_SYNTH_H

#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_synth_options {
    uint64_t seed;
    const char *folder; /* made if absent; files in it are overwritten */
    int32_t size;       /* side of the square images, 112 to 1024; 224 is one patch a cell */
    int32_t train_per_kind;   /* training images for each object and defect, and for good */
    int32_t heldout_per_kind; /* held-out images likewise; never equal to a training image */
    int32_t normals;          /* normal templates for each object */
    int32_t pretrain_scenes;  /* extra scenes for the base model's lessons (0: none) */
} judo_synth_options;

/* Options for a demonstration on two CPU cores; set the folder. */
judo_synth_options judo_synth_defaults(void);

/* Writes under options->folder:
 *   DATASET/OBJECT/image/KIND/NNN.png and mask/KIND/NNN_mask.png (held-out and training
 * queries), DATASET/OBJECT/train/good/NNN.png (normal templates), pretrain/NNNNN.png;
 *   mmad.json, mmad_train.json (held-out and training questions, MMAD's schema),
 *   domain_knowledge.json, stage1.jsonl, stage2.jsonl, stage3.jsonl (the reference project's
 *   fields), heldout_stage1.jsonl, heldout_stage2.jsonl, heldout_stage3.jsonl, and for a base
 *   model pretrain_look.jsonl (one picture a row: where is what) and then pretrain.jsonl (two
 * pictures: comparing, choosing, reading a note), both {id, image, normal_image|null, problem,
 * solution}. Paths in the files are relative to the folder. Not collective. */
judo_status judo_synth_write(const judo_synth_options *options) JUDO_MUST_CHECK;

#endif
