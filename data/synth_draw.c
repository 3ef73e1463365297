/* data/synth_draw.c: one picture of an inspection station: stage with scales, object, defect,
 * coloured light, camera noise. */
#include "data/synth_draw.h"

#include <math.h>

enum {
    SIDE = 224,
    BITS = 4,
    USE_POSE = 1,
    USE_FAULT = 2,
    USE_NOISE = 3,
    USE_PLATE = 4,
    MARKS = 6
};

/* What a picture is made of, drawn once before its pixels. */
typedef struct picture {
    const judo_synth_scene *scene;
    judo_synth_fault fault;
    float x, y, cosine, sine, scale;
    float light[3], slope[2];
    float stage;
    int marks;
    float mark[MARKS][4]; /* the plate's marks: left, top, right, bottom, on cell borders */
} picture;

static void place_marks(picture *p, judo_synth_random *random)
{
    p->marks = 1 + judo_synth_below(random, MARKS);
    for (int i = 0; i < p->marks; i++) {
        int column = 2 + judo_synth_below(random, 12);
        int row = 2 + judo_synth_below(random, 12);
        int width = 1 + judo_synth_below(random, 3);
        int height = 1 + judo_synth_below(random, 3);
        p->mark[i][0] = (float)(column * SIDE) / JUDO_GRID;
        p->mark[i][1] = (float)(row * SIDE) / JUDO_GRID;
        p->mark[i][2] = fminf((float)((column + width) * SIDE) / JUDO_GRID, 210);
        p->mark[i][3] = fminf((float)((row + height) * SIDE) / JUDO_GRID, 210);
    }
}

static picture picture_of(const judo_synth_scene *scene)
{
    judo_synth_random pose = judo_synth_random_of(scene->seed, scene->id, USE_POSE);
    judo_synth_random fault = judo_synth_random_of(scene->seed, scene->id, USE_FAULT);
    float angle = judo_synth_between(&pose, -0.10f, 0.10f);
    float brightness = judo_synth_between(&pose, 0.85f, 1.10f);
    picture p = {.scene = scene,
                 .x = 117.0f + judo_synth_between(&pose, -5, 5),
                 .y = 117.0f + judo_synth_between(&pose, -5, 5),
                 .cosine = cosf(angle),
                 .sine = sinf(angle),
                 .scale = judo_synth_between(&pose, 0.95f, 1.03f),
                 .stage = judo_synth_between(&pose, 0.30f, 0.36f)};
    for (int c = 0; c < 3; c++) {
        p.light[c] = brightness * judo_synth_between(&pose, 0.97f, 1.03f);
    }
    p.slope[0] = judo_synth_between(&pose, 0.55f, 0.65f);
    p.slope[1] = judo_synth_between(&pose, 0.55f, 0.65f);
    p.fault = judo_synth_fault_place(&fault, scene->object, scene->kind);
    if (scene->object == JUDO_SYNTH_PLATE) {
        judo_synth_random plate = judo_synth_random_of(scene->seed, scene->id, USE_PLATE);
        p.cosine = 1;
        p.sine = 0;
        place_marks(&p, &plate);
    }
    return p;
}

/* The scales along the left and upper edge: a Gray code strip, one code for each cell. */
static bool scale_strip(float x, float y, float rgb[3])
{
    float along = x < y ? y : x;
    float across = x < y ? x : y;
    if (across >= 12.0f) {
        return false;
    }
    int cell = (int)(along * JUDO_GRID / SIDE);
    int code = cell ^ (cell >> 1);
    bool lit = ((code >> (int)(across * BITS / 12.0f)) & 1) != 0;
    judo_synth_mix(rgb, 1, lit ? 0.85f : 0.10f, lit ? 0.85f : 0.10f, lit ? 0.85f : 0.10f);
    return true;
}

static float plate_mark(const picture *p, float x, float y, float rgb[3])
{
    for (int i = 0; i < p->marks; i++) {
        const float *m = p->mark[i];
        if (x >= m[0] && x < m[2] && y >= m[1] && y < m[3]) {
            bool dark = (i & 1) != 0;
            judo_synth_mix(rgb, 1, dark ? 0.06f : 0.90f, dark ? 0.06f : 0.15f, 0.08f);
            return 1;
        }
    }
    return 0;
}

/* The station's projector casts a coded dot pattern, as structured-light stations do: eight
 * dots in each cell spell its row and column in Gray code, lighter for 1 and darker for 0. */
static float projected(float x, float y)
{
    const float cell = (float)SIDE / 16.0f;
    int column = (int)(x / cell);
    int row = (int)(y / cell);
    int u = (int)((x - (float)column * cell) / 2.0f);
    int v = (int)((y - (float)row * cell) / 2.0f);
    if (u < 1 || u > 4 || (v != 1 && v != 3)) {
        return 0;
    }
    int number = v == 1 ? row : column;
    int code = number ^ (number >> 1);
    return (code >> (u - 1) & 1) != 0 ? 0.16f : -0.16f;
}

/* The pixel's colour; returns the defect's share of it. */
static float pixel(const picture *p, float x, float y, float grain, float rgb[3])
{
    int object = p->scene->object;
    rgb[0] = rgb[1] = rgb[2] = p->stage * (1.0f + 0.5f * grain);
    float share = 0;
    if (!scale_strip(x, y, rgb)) {
        float behind[3] = {rgb[0], rgb[1], rgb[2]};
        float dx = (x - p->x) / p->scale;
        float dy = (y - p->y) / p->scale;
        float bx = dx * p->cosine + dy * p->sine;
        float by = dy * p->cosine - dx * p->sine;
        float distance = judo_synth_body_distance(object, &p->fault, bx, by);
        float inside = judo_synth_clamp(0.5f - distance, 0, 1);
        float body[3] = {behind[0], behind[1], behind[2]};
        if (inside > 0) {
            judo_synth_body_colour(object, &p->fault, bx, by, grain, body);
        }
        share = judo_synth_fault_paint(&p->fault, object, bx, by, grain, behind, inside, body);
        judo_synth_mix(rgb, inside, body[0], body[1], body[2]);
        if (object == JUDO_SYNTH_PLATE) {
            share = plate_mark(p, x, y, rgb);
        }
    }
    /* A red bar light stands at the right, a blue one below, as stations use to show slopes; so
     * the colour of the light also tells where in the picture a point lies. */
    rgb[0] *= p->light[0] * (0.70f + p->slope[0] * x / SIDE);
    rgb[1] *= p->light[1];
    rgb[2] *= p->light[2] * (0.70f + p->slope[1] * y / SIDE);
    float dots = projected(x, y);
    for (int c = 0; c < 3; c++) {
        /* Kept off the ends of the range, where a camera would clip them. */
        rgb[c] = judo_synth_clamp(rgb[c], 0.12f, 0.88f) + dots;
    }
    return share;
}

static uint8_t to_byte(float value)
{
    return (uint8_t)(judo_synth_clamp(value, 0, 1) * 255.0f + 0.5f);
}

static void paint_row(const picture *p, int32_t row, uint8_t *rgb_row, uint8_t *mask_row)
{
    int32_t size = p->scene->size;
    uint32_t words[4] = {0};
    float unit = (float)SIDE / (float)size;
    for (int32_t column = 0; column < size; column++) {
        if (column % 4 == 0) {
            judo_random_words(p->scene->seed, JUDO_STREAM_SYNTH, p->scene->id, USE_NOISE,
                              (uint32_t)(row * size + column), words);
        }
        uint32_t word = words[column % 4];
        float grain = 0.10f * ((float)(word & 0xFFFF) / 65536.0f - 0.5f);
        float camera = 0.04f * ((float)(word >> 16) / 65536.0f - 0.5f);
        float rgb[3];
        float share =
            pixel(p, ((float)column + 0.5f) * unit, ((float)row + 0.5f) * unit, grain, rgb);
        for (int c = 0; rgb_row && c < 3; c++) {
            rgb_row[column * 3 + c] = to_byte(rgb[c] + camera);
        }
        if (mask_row) {
            mask_row[column] = share > 0.5f ? 255 : 0;
        }
    }
}

judo_status judo_synth_draw(const judo_synth_scene *scene, judo_image *image, judo_image *mask)
{
    if (scene->size < 112 || scene->size > 1024 || scene->object < 0 ||
        scene->object > JUDO_SYNTH_PLATE || (int)scene->kind < 0 ||
        scene->kind >= JUDO_SYNTH_KINDS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "synth: object %d with defect %d at %d pixels cannot be drawn; sizes "
                         "are 112 to 1024",
                         scene->object, (int)scene->kind, scene->size);
    }
    judo_image picture_out = {0};
    judo_image mask_out = {0};
    if (image) {
        JUDO_TRY(judo_image_create(scene->size, scene->size, 3, &picture_out));
    }
    if (mask) {
        judo_status status = judo_image_create(scene->size, scene->size, 1, &mask_out);
        if (status != JUDO_OK) {
            judo_image_free(&picture_out);
            return status;
        }
    }
    picture p = picture_of(scene);
    for (int32_t row = 0; row < scene->size; row++) {
        size_t offset = (size_t)row * (size_t)scene->size;
        paint_row(&p, row, image ? picture_out.pixels + offset * 3 : NULL,
                  mask ? mask_out.pixels + offset : NULL);
    }
    if (image) {
        *image = picture_out;
    }
    if (mask) {
        *mask = mask_out;
    }
    return JUDO_OK;
}
