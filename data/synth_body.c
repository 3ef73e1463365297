/* data/synth_body.c: the shapes and colours of synth's objects. */
#include "data/synth_draw.h"

#include <math.h>

#define TWO_PI 6.2831853f

enum { TEETH = 12, CHIPS = 6 };

static float box(float x, float y, float half_width, float half_height)
{
    float dx = fabsf(x) - half_width;
    float dy = fabsf(y) - half_height;
    float outside = hypotf(fmaxf(dx, 0), fmaxf(dy, 0));
    return outside + fminf(fmaxf(dx, dy), 0);
}

static float gear(float x, float y, int missing_tooth)
{
    float turn = atan2f(y, x) / TWO_PI * TEETH;
    float tooth = roundf(turn);
    int index = ((int)tooth + TEETH) % TEETH;
    bool on_tooth = fabsf(turn - tooth) < 0.28f && index != missing_tooth;
    float radius = hypotf(x, y);
    return fmaxf(radius - (on_tooth ? 88.0f : 64.0f), 20.0f - radius);
}

static float screw(float x, float y, float lean)
{
    if (y > 36.0f) {
        x -= lean * (y - 36.0f);
    }
    return fminf(box(x, y + 64.0f, 46.0f, 20.0f), box(x, y - 20.0f, 19.0f, 66.0f));
}

float judo_synth_body_distance(int object, const judo_synth_fault *fault, float x, float y)
{
    switch (object) {
    case JUDO_SYNTH_WASHER: {
        float radius = hypotf(x, y);
        return fmaxf(radius - 86.0f, 30.0f - radius);
    }
    case JUDO_SYNTH_GEAR:
        return gear(x, y, fault->part);
    case JUDO_SYNTH_TILE:
        return box(x, y, 76.0f, 76.0f) - 8.0f;
    case JUDO_SYNTH_SCREW:
        return screw(x, y, fault->lean);
    case JUDO_SYNTH_PCB:
        return box(x, y, 88.0f, 80.0f);
    case JUDO_SYNTH_FABRIC:
        return box(x, y, 88.0f, 88.0f);
    case JUDO_SYNTH_PILL:
        return box(x, y, 48.0f, 0.0f) - 42.0f;
    case JUDO_SYNTH_CAP:
        return hypotf(x, y) - 82.0f - 4.0f * cosf(21.0f * atan2f(y, x));
    default: /* the calibration plate */
        return box(x, y, 92.0f, 92.0f);
    }
}

static void board(const judo_synth_fault *fault, float x, float y, float rgb[3])
{
    judo_synth_mix(rgb, 1, 0.10f, 0.42f, 0.18f);
    if (fabsf(y - 16.0f * roundf(y / 16.0f)) < 1.2f) {
        judo_synth_mix(rgb, 0.5f, 0.35f, 0.60f, 0.25f);
    }
    for (int chip = 0; chip < CHIPS; chip++) {
        int row = chip / 3;
        float dx = x - 56.0f * (float)(chip % 3 - 1);
        float dy = y - 72.0f * ((float)row - 0.5f);
        float distance = box(dx, dy, 17.0f, 18.0f);
        if (distance < 0 && chip != fault->part) {
            judo_synth_mix(rgb, 1, 0.13f, 0.13f, 0.15f);
        } else if (distance < 0) {
            judo_synth_mix(rgb, 1, 0.72f, 0.66f, 0.40f);
        } else if (distance < 4.0f && fabsf(dx - 8.0f * roundf(dx / 8.0f)) < 2.0f) {
            judo_synth_mix(rgb, 1, 0.75f, 0.72f, 0.60f);
        }
    }
}

void judo_synth_body_colour(int object, const judo_synth_fault *fault, float x, float y,
                            float grain, float rgb[3])
{
    float radius = hypotf(x, y);
    float shade = grain;
    rgb[0] = rgb[1] = rgb[2] = 0;
    switch (object) {
    case JUDO_SYNTH_WASHER:
        judo_synth_mix(rgb, 1, 0.58f, 0.60f, 0.64f);
        shade += 0.03f * sinf(radius * 0.9f);
        break;
    case JUDO_SYNTH_GEAR:
        judo_synth_mix(rgb, 1, 0.55f, 0.42f, 0.22f);
        shade += radius < 34.0f ? -0.10f : 0.0f;
        break;
    case JUDO_SYNTH_TILE:
        judo_synth_mix(rgb, 1, 0.74f, 0.68f, 0.56f);
        break;
    case JUDO_SYNTH_SCREW:
        judo_synth_mix(rgb, 1, 0.50f, 0.50f, 0.50f);
        shade += y > -44.0f ? 0.12f * sinf(y * 0.70f + x * 0.1f) : 0.0f;
        break;
    case JUDO_SYNTH_PCB:
        board(fault, x, y, rgb);
        break;
    case JUDO_SYNTH_FABRIC:
        judo_synth_mix(rgb, 1, 0.20f, 0.30f, 0.62f);
        shade += 0.08f * sinf(x * 0.9f) * sinf(y * 0.9f);
        break;
    case JUDO_SYNTH_PILL:
        judo_synth_mix(rgb, 1, 0.82f, 0.82f, 0.80f);
        if (x > 0) {
            judo_synth_mix(rgb, 1, 0.72f, 0.25f, 0.22f);
        }
        shade -= 0.10f * fabsf(y) / 42.0f;
        break;
    case JUDO_SYNTH_CAP:
        judo_synth_mix(rgb, 1, 0.78f, 0.62f, 0.14f);
        shade += fabsf(radius - 62.0f) < 3.0f ? -0.18f : 0.0f;
        break;
    default:
        judo_synth_mix(rgb, 1, 0.55f, 0.55f, 0.52f);
        break;
    }
    for (int c = 0; c < 3; c++) {
        rgb[c] *= 1.0f + shade;
    }
}
