/* data/resize.c: Pillow's separable resampling, step by step in its arithmetic. */
#include "data/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* 8 bits of pixel, 2 bits of overshoot, the rest for the weights. */
enum { WEIGHT_BITS = 32 - 8 - 2 };

typedef struct filter_shape {
    double (*weight)(double);
    double support;
} filter_shape;

/* For each output place: the run of input places that it draws from, and their weights. */
typedef struct weight_table {
    int32_t count;    /* output places */
    int32_t stride;   /* weights kept per output place */
    int32_t *first;   /* [count] */
    int32_t *length;  /* [count] */
    int32_t *weights; /* [count, stride] */
} weight_table;

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    }
    if (x < 2.0) {
        return (((x - 5) * x + 8) * x - 4) * a;
    }
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) {
        return 1.0;
    }
    x *= M_PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

static void free_weights(weight_table *table)
{
    free(table->first);
    free(table->length);
    free(table->weights);
    *table = (weight_table){0};
}

static void fill_place(weight_table *table, int32_t place, int32_t in_size, double scale,
                       const filter_shape *shape, double *scratch)
{
    double stretch = scale < 1.0 ? 1.0 : scale;
    double support = shape->support * stretch;
    double center = (place + 0.5) * scale;
    int32_t first = (int32_t)(center - support + 0.5);
    int32_t end = (int32_t)(center + support + 0.5);
    first = first < 0 ? 0 : first;
    end = end > in_size ? in_size : end;
    double inverse = 1.0 / stretch;
    double sum = 0.0;
    for (int32_t x = 0; x < end - first; x++) {
        scratch[x] = shape->weight((x + first - center + 0.5) * inverse);
        sum += scratch[x];
    }
    int32_t *weights = table->weights + (size_t)place * (size_t)table->stride;
    for (int32_t x = 0; x < end - first; x++) {
        double weight = sum != 0.0 ? scratch[x] / sum : scratch[x];
        double scaled = weight * (1 << WEIGHT_BITS);
        weights[x] = (int32_t)(weight < 0 ? -0.5 + scaled : 0.5 + scaled);
    }
    table->first[place] = first;
    table->length[place] = end - first;
}

static judo_status make_weights(int32_t in_size, int32_t out_size, const filter_shape *shape,
                                weight_table *out)
{
    double scale = (double)in_size / out_size;
    double stretch = scale < 1.0 ? 1.0 : scale;
    weight_table table = {.count = out_size,
                          .stride = (int32_t)ceil(shape->support * stretch) * 2 + 1};
    table.first = malloc((size_t)out_size * sizeof *table.first);
    table.length = malloc((size_t)out_size * sizeof *table.length);
    table.weights = calloc((size_t)out_size * (size_t)table.stride, sizeof *table.weights);
    double *scratch = malloc((size_t)table.stride * sizeof *scratch);
    if (table.first == NULL || table.length == NULL || table.weights == NULL ||
        scratch == NULL) {
        free(scratch);
        free_weights(&table);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the weights of a resize %d -> %d",
                         in_size, out_size);
    }
    for (int32_t place = 0; place < out_size; place++) {
        fill_place(&table, place, in_size, scale, shape, scratch);
    }
    free(scratch);
    *out = table;
    return JUDO_OK;
}

static uint8_t clip8(int32_t sum)
{
    int32_t value = sum >> WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static int32_t weigh(const uint8_t *from, const int32_t *weights, int32_t length)
{
    int32_t sum = 1 << (WEIGHT_BITS - 1);
    for (int32_t i = 0; i < length; i++) {
        sum += from[i] * weights[i];
    }
    return sum;
}

/* The three channels in one sweep over the weights. */
static void weigh_rgb(const uint8_t *from, const int32_t *weights, int32_t length, uint8_t *out)
{
    int32_t red = 1 << (WEIGHT_BITS - 1);
    int32_t green = red;
    int32_t blue = red;
    for (int32_t i = 0; i < length; i++) {
        red += from[3 * i] * weights[i];
        green += from[3 * i + 1] * weights[i];
        blue += from[3 * i + 2] * weights[i];
    }
    out[0] = clip8(red);
    out[1] = clip8(green);
    out[2] = clip8(blue);
}

static void resample_row(const weight_table *table, const uint8_t *in, int32_t channels,
                         uint8_t *out)
{
    for (int32_t x = 0; x < table->count; x++) {
        const int32_t *weights = table->weights + (size_t)x * (size_t)table->stride;
        const uint8_t *from = in + (size_t)table->first[x] * (size_t)channels;
        if (channels == 3) {
            weigh_rgb(from, weights, table->length[x], out + 3 * (size_t)x);
        } else {
            out[x] = clip8(weigh(from, weights, table->length[x]));
        }
    }
}

static judo_status resample_columns(const judo_image *in, int32_t width,
                                    const filter_shape *shape, judo_image *out)
{
    weight_table table = {0};
    judo_image result = {0};
    JUDO_TRY(judo_image_create(width, in->height, in->channels, &result));
    judo_status status = make_weights(in->width, width, shape, &table);
    if (status != JUDO_OK) {
        judo_image_free(&result);
        return status;
    }
    size_t in_stride = (size_t)in->width * (size_t)in->channels;
    size_t out_stride = (size_t)width * (size_t)in->channels;
    for (int32_t y = 0; y < in->height; y++) {
        resample_row(&table, in->pixels + (size_t)y * in_stride, in->channels,
                     result.pixels + (size_t)y * out_stride);
    }
    free_weights(&table);
    *out = result;
    return JUDO_OK;
}

/* Row by row with an accumulator row, so that the inner loop runs along memory. */
static void resample_vertically(const weight_table *table, const judo_image *in, int32_t *sums,
                                judo_image *out)
{
    size_t stride = (size_t)in->width * (size_t)in->channels;
    for (int32_t y = 0; y < table->count; y++) {
        const int32_t *weights = table->weights + (size_t)y * (size_t)table->stride;
        for (size_t x = 0; x < stride; x++) {
            sums[x] = 1 << (WEIGHT_BITS - 1);
        }
        for (int32_t i = 0; i < table->length[y]; i++) {
            const uint8_t *row = in->pixels + (size_t)(table->first[y] + i) * stride;
            int32_t weight = weights[i];
            for (size_t x = 0; x < stride; x++) {
                sums[x] += row[x] * weight;
            }
        }
        uint8_t *to = out->pixels + (size_t)y * stride;
        for (size_t x = 0; x < stride; x++) {
            to[x] = clip8(sums[x]);
        }
    }
}

static judo_status resample_rows(const judo_image *in, int32_t height,
                                 const filter_shape *shape, judo_image *out)
{
    weight_table table = {0};
    judo_image result = {0};
    JUDO_TRY(judo_image_create(in->width, height, in->channels, &result));
    int32_t *sums = malloc((size_t)in->width * (size_t)in->channels * sizeof *sums);
    judo_status status = sums != NULL ? make_weights(in->height, height, shape, &table)
                                      : JUDO_FAIL(JUDO_ERROR_MEMORY,
                                                  "no memory for a resize to %d rows", height);
    if (status != JUDO_OK) {
        free(sums);
        judo_image_free(&result);
        return status;
    }
    resample_vertically(&table, in, sums, &result);
    free_weights(&table);
    free(sums);
    *out = result;
    return JUDO_OK;
}

static judo_status copy_image(const judo_image *image, judo_image *out)
{
    JUDO_TRY(judo_image_create(image->width, image->height, image->channels, out));
    memcpy(out->pixels, image->pixels,
           (size_t)image->width * (size_t)image->height * (size_t)image->channels);
    return JUDO_OK;
}

/* A pass that changes nothing is skipped, as in Pillow. */
static judo_status resample(const judo_image *image, int32_t width, int32_t height,
                            const filter_shape *shape, judo_image *out)
{
    judo_image narrow = {0};
    const judo_image *between = image;
    if (width != image->width) {
        JUDO_TRY(resample_columns(image, width, shape, &narrow));
        between = &narrow;
    }
    if (height == image->height) {
        *out = narrow;
        return JUDO_OK;
    }
    judo_status status = resample_rows(between, height, shape, out);
    judo_image_free(&narrow);
    return status;
}

/* Pillow walks with a running sum; a product would round differently now and then. */
static int32_t *nearest_places(int32_t in_size, int32_t out_size)
{
    int32_t *places = malloc((size_t)out_size * sizeof *places);
    if (places == NULL) {
        return NULL;
    }
    double step = (double)in_size / out_size;
    double place = step * 0.5;
    for (int32_t i = 0; i < out_size; i++) {
        places[i] = place < in_size ? (int32_t)place : in_size - 1;
        place += step;
    }
    return places;
}

static void pick(const judo_image *image, const int32_t *columns, const int32_t *rows,
                 judo_image *out)
{
    size_t channels = (size_t)image->channels;
    uint8_t *to = out->pixels;
    for (int32_t y = 0; y < out->height; y++) {
        const uint8_t *row = image->pixels + (size_t)rows[y] * (size_t)image->width * channels;
        for (int32_t x = 0; x < out->width; x++) {
            memcpy(to, row + (size_t)columns[x] * channels, channels);
            to += channels;
        }
    }
}

static judo_status resize_nearest(const judo_image *image, int32_t width, int32_t height,
                                  judo_image *out)
{
    judo_image result = {0};
    JUDO_TRY(judo_image_create(width, height, image->channels, &result));
    int32_t *columns = nearest_places(image->width, result.width);
    int32_t *rows = nearest_places(image->height, result.height);
    if (columns == NULL || rows == NULL) {
        free(columns);
        free(rows);
        judo_image_free(&result);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a resize to %d x %d", width, height);
    }
    pick(image, columns, rows, &result);
    free(columns);
    free(rows);
    *out = result;
    return JUDO_OK;
}

judo_status judo_image_resize(const judo_image *image, int32_t width, int32_t height,
                              judo_resize_filter filter, judo_image *out)
{
    if (image->pixels == NULL || width <= 0 || height <= 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "cannot resize an image of %d x %d to %d x %d",
                         image->width, image->height, width, height);
    }
    if (width == image->width && height == image->height) {
        return copy_image(image, out);
    }
    switch (filter) {
    case JUDO_RESIZE_NEAREST:
        return resize_nearest(image, width, height, out);
    case JUDO_RESIZE_BICUBIC:
        return resample(image, width, height, &(filter_shape){bicubic, 2.0}, out);
    case JUDO_RESIZE_LANCZOS:
        return resample(image, width, height, &(filter_shape){lanczos, 3.0}, out);
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "there is no resize filter %d", (int)filter);
}
