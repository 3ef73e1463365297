/* data/synth_draw.h: the geometry under synth's pictures. Coordinates are of the object: origin
 * in its middle, one unit is one pixel of a 224 pixel picture, y down. Shared by synth's
 * drawing. */
#ifndef JUDO_DATA_SYNTH_DRAW_H
#define JUDO_DATA_SYNTH_DRAW_H

#include "data/synth_random.h"
#include "data/synth_scene.h"

enum { JUDO_SYNTH_LINE_POINTS = 6 };

/* A defect in place; which fields count depends on its kind. */
typedef struct judo_synth_fault {
    judo_synth_kind kind;
    float x, y, radius; /* blobs, holes, dents */
    float wave[2];      /* phases of a blob's outline */
    float angle;        /* of a dent's shade */
    float lean;         /* of a bent tip */
    int part;           /* the missing tooth or chip, else -1 */
    float line[JUDO_SYNTH_LINE_POINTS][2];
} judo_synth_fault;

/* Signed distance to the object's outline (negative inside, about right near it), without the
 * missing part and with the bent tip of `fault`. */
float judo_synth_body_distance(int object, const judo_synth_fault *fault, float x, float y);
/* The colour of a sound object at a point inside it; `grain` is noise around 0. */
void judo_synth_body_colour(int object, const judo_synth_fault *fault, float x, float y,
                            float grain, float rgb[3]);

/* Draws a defect's place and shape. */
judo_synth_fault judo_synth_fault_place(judo_synth_random *random, int object,
                                        judo_synth_kind kind);
/* Paints the defect over `rgb` where it is and returns its share of the pixel, 0 to 1. `behind`
 * is the colour of what is under the object; `inside` the object's share of the pixel. */
float judo_synth_fault_paint(const judo_synth_fault *fault, int object, float x, float y,
                             float grain, const float behind[3], float inside, float rgb[3]);

static inline float judo_synth_clamp(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

static inline void judo_synth_mix(float rgb[3], float share, float red, float green, float blue)
{
    rgb[0] += share * (red - rgb[0]);
    rgb[1] += share * (green - rgb[1]);
    rgb[2] += share * (blue - rgb[2]);
}

#endif
