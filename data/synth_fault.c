/* data/synth_fault.c: places and paints synth's defects. */
#include "data/synth_draw.h"

#include <math.h>

#define TWO_PI 6.2831853f

/* A blob's signed distance: a circle with a wavy outline. */
static float blob(const judo_synth_fault *fault, float x, float y)
{
    float dx = x - fault->x;
    float dy = y - fault->y;
    float turn = atan2f(dy, dx);
    float wave =
        0.16f * sinf(3 * turn + fault->wave[0]) + 0.10f * sinf(5 * turn + fault->wave[1]);
    return hypotf(dx, dy) - fault->radius * (1.0f + wave);
}

static float disc(const judo_synth_fault *fault, float x, float y)
{
    return hypotf(x - fault->x, y - fault->y) - fault->radius;
}

/* Distance to the polyline. */
static float line(const judo_synth_fault *fault, float x, float y)
{
    float best = 1e9f;
    for (int i = 0; i + 1 < JUDO_SYNTH_LINE_POINTS; i++) {
        float ax = fault->line[i][0];
        float ay = fault->line[i][1];
        float bx = fault->line[i + 1][0] - ax;
        float by = fault->line[i + 1][1] - ay;
        float along = ((x - ax) * bx + (y - ay) * by) / (bx * bx + by * by + 1e-6f);
        along = judo_synth_clamp(along, 0, 1);
        best = fminf(best, hypotf(x - ax - along * bx, y - ay - along * by));
    }
    return best;
}

static void place_line(judo_synth_random *random, float jitter, judo_synth_fault *fault)
{
    float angle = judo_synth_between(random, 0, TWO_PI);
    float step = judo_synth_between(random, 7, 13);
    for (int i = 0; i < JUDO_SYNTH_LINE_POINTS; i++) {
        float along = step * ((float)i - 0.5f * (JUDO_SYNTH_LINE_POINTS - 1));
        float aside = jitter * judo_synth_between(random, -1, 1);
        fault->line[i][0] = fault->x + along * cosf(angle) - aside * sinf(angle);
        fault->line[i][1] = fault->y + along * sinf(angle) + aside * cosf(angle);
    }
}

static float radius_of(judo_synth_random *random, judo_synth_kind kind)
{
    switch (kind) {
    case JUDO_SYNTH_HOLE:
        return judo_synth_between(random, 10, 16);
    case JUDO_SYNTH_SPOT:
    case JUDO_SYNTH_SOLDER:
        return judo_synth_between(random, 10, 17);
    case JUDO_SYNTH_CHIP:
    case JUDO_SYNTH_DENT:
        return judo_synth_between(random, 15, 22);
    default:
        return judo_synth_between(random, 13, 21);
    }
}

/* A point well inside the object, or on its edge for a chipped edge. */
static void place_centre(judo_synth_random *random, int object, judo_synth_fault *fault)
{
    if (fault->kind == JUDO_SYNTH_CHIP) {
        float angle = judo_synth_between(random, 0, TWO_PI);
        float radius = 0;
        while (judo_synth_body_distance(object, fault, radius * cosf(angle),
                                        radius * sinf(angle)) < -3.0f) {
            radius += 1.0f;
        }
        fault->x = radius * cosf(angle);
        fault->y = radius * sinf(angle);
        return;
    }
    for (int attempt = 0; attempt < 400; attempt++) {
        fault->x = judo_synth_between(random, -80, 80);
        fault->y = judo_synth_between(random, -80, 80);
        if (judo_synth_body_distance(object, fault, fault->x, fault->y) < -11.0f) {
            return;
        }
    }
    fault->x = fault->y = 0;
}

judo_synth_fault judo_synth_fault_place(judo_synth_random *random, int object,
                                        judo_synth_kind kind)
{
    judo_synth_fault fault = {.kind = kind, .part = -1};
    if (kind == JUDO_SYNTH_GOOD) {
        return fault;
    }
    place_centre(random, object, &fault);
    fault.radius = radius_of(random, kind);
    fault.wave[0] = judo_synth_between(random, 0, TWO_PI);
    fault.wave[1] = judo_synth_between(random, 0, TWO_PI);
    fault.angle = judo_synth_between(random, 0, TWO_PI);
    if (kind == JUDO_SYNTH_MISSING) {
        fault.part = judo_synth_below(random, object == JUDO_SYNTH_GEAR ? 12 : 6);
    }
    if (kind == JUDO_SYNTH_BENT) {
        float lean = judo_synth_between(random, 0.5f, 0.9f);
        fault.lean = judo_synth_below(random, 2) ? lean : -lean;
    }
    place_line(random, kind == JUDO_SYNTH_CRACK ? 6.0f : 1.0f, &fault);
    return fault;
}

/* Kinds that change the outline or a part: the share that differs from the sound object. */
static float changed_shape(const judo_synth_fault *fault, int object, float x, float y,
                           float inside)
{
    judo_synth_fault sound = {.kind = JUDO_SYNTH_GOOD, .part = -1};
    float was = judo_synth_clamp(0.5f - judo_synth_body_distance(object, &sound, x, y), 0, 1);
    if (fault->kind == JUDO_SYNTH_BENT) {
        return y > 46.0f ? fmaxf(was, inside) : 0;
    }
    if (object == JUDO_SYNTH_GEAR) {
        return judo_synth_clamp(was - inside, 0, 1);
    }
    int row = fault->part / 3;
    float dx = x - 56.0f * (float)(fault->part % 3 - 1);
    float dy = y - 72.0f * ((float)row - 0.5f);
    return fabsf(dx) < 17.0f && fabsf(dy) < 18.0f ? 1 : 0;
}

static float paint_patch(const judo_synth_fault *fault, float x, float y, float grain,
                         float rgb[3])
{
    float share = judo_synth_clamp(0.5f - blob(fault, x, y), 0, 1);
    float speckle = 1.0f + 4.0f * grain;
    switch (fault->kind) {
    case JUDO_SYNTH_RUST:
        judo_synth_mix(rgb, 0.9f * share, 0.62f * speckle, 0.28f * speckle, 0.08f);
        break;
    case JUDO_SYNTH_STAIN:
        judo_synth_mix(rgb, 0.7f * share, 0.30f, 0.17f, 0.06f);
        break;
    case JUDO_SYNTH_BURN:
        judo_synth_mix(rgb, 0.92f * share, 0.03f, 0.02f, 0.02f);
        break;
    case JUDO_SYNTH_SPOT:
        judo_synth_mix(rgb, 0.9f * share, 0.45f, 0.08f, 0.60f);
        break;
    default: /* solder */
        judo_synth_mix(rgb, share, 0.86f * speckle, 0.87f * speckle, 0.90f);
        break;
    }
    return share;
}

/* Holes and chipped edges show what is behind; a hole has a dark rim. */
static float paint_opening(const judo_synth_fault *fault, float x, float y,
                           const float behind[3], float rgb[3])
{
    float distance = disc(fault, x, y);
    if (fault->kind == JUDO_SYNTH_HOLE) {
        judo_synth_mix(rgb, 0.8f * judo_synth_clamp(2.5f - distance, 0, 1), 0.08f, 0.08f,
                       0.08f);
        return judo_synth_clamp(2.0f - distance, 0, 1);
    }
    float share = judo_synth_clamp(0.5f - distance, 0, 1);
    judo_synth_mix(rgb, share, behind[0], behind[1], behind[2]);
    return share;
}

static float paint_dent(const judo_synth_fault *fault, float x, float y, float rgb[3])
{
    float share = judo_synth_clamp(0.5f - disc(fault, x, y), 0, 1);
    float slope = ((x - fault->x) * cosf(fault->angle) + (y - fault->y) * sinf(fault->angle)) /
                  fault->radius;
    for (int c = 0; c < 3; c++) {
        rgb[c] *= 1.0f + share * 0.75f * slope;
    }
    return share;
}

static float paint_line(const judo_synth_fault *fault, float x, float y, float rgb[3])
{
    float distance = line(fault, x, y);
    float half_width = fault->kind == JUDO_SYNTH_TEAR ? 4.5f : 2.8f;
    float share = judo_synth_clamp(half_width + 0.5f - distance, 0, 1);
    if (fault->kind == JUDO_SYNTH_CRACK) {
        judo_synth_mix(rgb, share, 0.05f, 0.05f, 0.05f);
    } else {
        judo_synth_mix(rgb, share, 0.97f, 0.97f, 0.95f);
    }
    return share;
}

float judo_synth_fault_paint(const judo_synth_fault *fault, int object, float x, float y,
                             float grain, const float behind[3], float inside, float rgb[3])
{
    switch (fault->kind) {
    case JUDO_SYNTH_GOOD:
        return 0;
    case JUDO_SYNTH_MISSING:
    case JUDO_SYNTH_BENT:
        return changed_shape(fault, object, x, y, inside);
    case JUDO_SYNTH_HOLE:
    case JUDO_SYNTH_CHIP:
        return inside * paint_opening(fault, x, y, behind, rgb);
    case JUDO_SYNTH_DENT:
        return inside * paint_dent(fault, x, y, rgb);
    case JUDO_SYNTH_SCRATCH:
    case JUDO_SYNTH_CRACK:
    case JUDO_SYNTH_TEAR:
        return inside * paint_line(fault, x, y, rgb);
    default:
        return inside * paint_patch(fault, x, y, grain, rgb);
    }
}
