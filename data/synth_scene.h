/* data/synth_scene.h: what synth draws and talks about: objects, defects, one scene. Shared by
 * the synth files only. */
#ifndef JUDO_DATA_SYNTH_SCENE_H
#define JUDO_DATA_SYNTH_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/cells.h"
#include "data/image_file.h"
#include "runtime/status.h"

typedef enum judo_synth_object {
    JUDO_SYNTH_WASHER,
    JUDO_SYNTH_GEAR,
    JUDO_SYNTH_TILE,
    JUDO_SYNTH_SCREW,
    JUDO_SYNTH_PCB,
    JUDO_SYNTH_FABRIC,
    JUDO_SYNTH_PILL,
    JUDO_SYNTH_CAP,
    JUDO_SYNTH_OBJECTS,
    JUDO_SYNTH_PLATE = JUDO_SYNTH_OBJECTS, /* calibration plate with marks: pre-training only */
} judo_synth_object;

typedef enum judo_synth_kind {
    JUDO_SYNTH_GOOD,
    JUDO_SYNTH_SCRATCH,
    JUDO_SYNTH_CRACK,
    JUDO_SYNTH_RUST,
    JUDO_SYNTH_MISSING,
    JUDO_SYNTH_HOLE,
    JUDO_SYNTH_STAIN,
    JUDO_SYNTH_BENT,
    JUDO_SYNTH_BURN,
    JUDO_SYNTH_SOLDER,
    JUDO_SYNTH_TEAR,
    JUDO_SYNTH_SPOT,
    JUDO_SYNTH_CHIP,
    JUDO_SYNTH_DENT,
    JUDO_SYNTH_KINDS,
} judo_synth_kind;

enum { JUDO_SYNTH_KINDS_PER_OBJECT = 3, JUDO_SYNTH_FACTS = 5, JUDO_SYNTH_OBJECT_FACTS = 4 };

/* Words about an object. */
typedef struct judo_synth_object_words {
    const char *dataset, *name;
    const char *surface; /* "smooth steel face" */
    judo_synth_kind kinds[JUDO_SYNTH_KINDS_PER_OBJECT];
    const char *facts[JUDO_SYNTH_OBJECT_FACTS]; /* colour, material, use, structure */
} judo_synth_object_words;

/* Words about a kind of defect. */
typedef struct judo_synth_kind_words {
    const char *name;   /* "scratch" */
    const char *folder; /* "scratch", in paths and keys */
    const char *look;   /* "thin bright line" */
} judo_synth_kind_words;

/* What the shop floor knows about a defect of an object. */
typedef enum judo_synth_fact {
    JUDO_SYNTH_CAUSE,
    JUDO_SYNTH_EFFECT,
    JUDO_SYNTH_ACTION,
    JUDO_SYNTH_TOOL,
    JUDO_SYNTH_LIMIT
} judo_synth_fact;

extern const judo_synth_object_words judo_synth_object_table[JUDO_SYNTH_OBJECTS];
extern const judo_synth_kind_words judo_synth_kind_table[JUDO_SYNTH_KINDS];

/* The phrase of a fact about (object, kind); the same in every data set. */
const char *judo_synth_fact_of(int object, judo_synth_kind kind, judo_synth_fact fact);
/* The fact's phrases: `*count` of them. */
const char *const *judo_synth_fact_phrases(judo_synth_fact fact, int *count);

/* A picture to draw. */
typedef struct judo_synth_scene {
    uint64_t seed, id; /* together they fix pose, light, texture and defect */
    int object;
    judo_synth_kind kind;
    int32_t size;
} judo_synth_scene;

/* Draws the RGB image and the grey mask (0 or 255); the caller frees both. Either may be NULL.
 */
judo_status judo_synth_draw(const judo_synth_scene *scene, judo_image *image,
                            judo_image *mask) JUDO_MUST_CHECK;

/* Where the cells lie: 0..8, row-major over thirds of the picture; and its words. */
int judo_synth_zone(const judo_cells *cells);
const char *judo_synth_zone_name(int zone);

#endif
