/* data/image_png.c: PNG in memory, through libpng. libpng reports errors by longjmp, so all
 * state that must survive a jump lives in a job struct outside the jumping frame. */
#include "data/image_codec.h"

#include <limits.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deflate expands at most 1032-fold; one packed byte holds at most 8 pixels. */
enum { MAX_PIXELS_PER_BYTE = 1032 * 8, MAX_ANCILLARY_BYTES = 8 << 20 };

typedef struct png_job {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t length, offset;
    const char *source;
    judo_image image;
    uint8_t *deep; /* 16-bit grey pixels, high byte first */
    uint8_t *encoded;
    size_t encoded_length, encoded_capacity;
    char message[256];
    judo_status status;
} png_job;

static void on_error(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    (void)snprintf(job->message, sizeof job->message, "%s", message);
    png_longjmp(png, 1);
}

/* Warnings concern ancillary chunks, which judo does not use. */
static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if (count > job->length - job->offset) {
        png_error(png, "the file ends too early (truncated)");
    }
    memcpy(out, job->bytes + job->offset, count);
    job->offset += count;
}

/* Pillow keeps the 16 bits of grey without alpha and only then converts. */
static bool is_deep_grey(png_structp png, png_infop info)
{
    return png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY &&
           png_get_bit_depth(png, info) == 16;
}

/* Asks libpng for plain 8-bit grey or RGB rows; Pillow's convert() drops alpha, so do we. */
static void ask_for_8_bit(png_structp png, png_infop info)
{
    int color = png_get_color_type(png, info);
    if (color == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(png);
    } else if (color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
    if (!is_deep_grey(png, info)) {
        png_set_strip_16(png);
    }
    png_set_strip_alpha(png);
}

static judo_status check_header(const png_job *job)
{
    uint64_t width = png_get_image_width(job->png, job->info);
    uint64_t height = png_get_image_height(job->png, job->info);
    JUDO_TRY(judo_image_check_size(job->source, width, height));
    if (width * height / MAX_PIXELS_PER_BYTE > job->length) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: PNG header claims %llu x %llu pixels, which %zu bytes cannot "
                         "hold; replace the file",
                         job->source, (unsigned long long)width, (unsigned long long)height,
                         job->length);
    }
    return JUDO_OK;
}

static void read_rows(png_structp png, int passes, uint8_t *pixels, size_t stride,
                      int32_t height)
{
    for (int pass = 0; pass < passes; pass++) {
        for (int32_t y = 0; y < height; y++) {
            png_read_row(png, pixels + (size_t)y * stride, NULL);
        }
    }
    png_read_end(png, NULL);
}

/* Pillow's conversion of 16-bit grey does not scale: what is above 255 becomes 255. */
static judo_status read_deep_rows(png_job *job, int passes)
{
    size_t width = (size_t)job->image.width;
    size_t count = width * (size_t)job->image.height;
    job->deep = calloc(count, 2);
    if (job->deep == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %zu pixels of 16 bits",
                         job->source, count);
    }
    read_rows(job->png, passes, job->deep, 2 * width, job->image.height);
    for (size_t i = 0; i < count; i++) {
        job->image.pixels[i] = job->deep[2 * i] > 0 ? 255 : job->deep[2 * i + 1];
    }
    return JUDO_OK;
}

static judo_status decode_rows(png_job *job)
{
    png_structp png = job->png;
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, job->info);
    int channels = png_get_channels(png, job->info);
    int depth = png_get_bit_depth(png, job->info);
    if ((channels != 1 && channels != 3) || (depth != 8 && !is_deep_grey(png, job->info))) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: PNG with %d channels of %d bits after conversion; save it as "
                         "8-bit RGB",
                         job->source, channels, depth);
    }
    JUDO_TRY(judo_image_create((int32_t)png_get_image_width(png, job->info),
                               (int32_t)png_get_image_height(png, job->info), channels,
                               &job->image));
    if (depth == 16) {
        return read_deep_rows(job, passes);
    }
    read_rows(png, passes, job->image.pixels, (size_t)job->image.width * (size_t)channels,
              job->image.height);
    return JUDO_OK;
}

static judo_status decode(png_job *job)
{
    if (setjmp(png_jmpbuf(job->png))) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: damaged PNG: %s; replace the file",
                         job->source, job->message);
    }
    png_set_user_limits(job->png, JUDO_IMAGE_MAX_SIDE, JUDO_IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(job->png, MAX_ANCILLARY_BYTES);
    png_set_read_fn(job->png, job, read_bytes);
    png_read_info(job->png, job->info);
    JUDO_TRY(check_header(job));
    ask_for_8_bit(job->png, job->info);
    return decode_rows(job);
}

judo_status judo_png_decode(const uint8_t *bytes, size_t length, const char *source,
                            judo_image *out)
{
    png_job job = {.bytes = bytes, .length = length, .source = source};
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png != NULL ? png_create_info_struct(job.png) : NULL;
    judo_status status;
    if (job.info == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the PNG decoder", source);
    } else {
        status = decode(&job);
    }
    png_destroy_read_struct(&job.png, &job.info, NULL);
    free(job.deep);
    if (status != JUDO_OK) {
        judo_image_free(&job.image);
        return status;
    }
    *out = job.image;
    return JUDO_OK;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if (count > job->encoded_capacity - job->encoded_length) {
        size_t capacity = 2 * job->encoded_capacity + count + 4096;
        uint8_t *grown = realloc(job->encoded, capacity);
        if (grown == NULL) {
            png_error(png, "no memory for the encoded image");
        }
        job->encoded = grown;
        job->encoded_capacity = capacity;
    }
    memcpy(job->encoded + job->encoded_length, bytes, count);
    job->encoded_length += count;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static judo_status encode(png_job *job, const judo_image *image)
{
    if (setjmp(png_jmpbuf(job->png))) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "encoding a %d x %d PNG: %s", image->width,
                         image->height, job->message);
    }
    png_set_write_fn(job->png, job, write_bytes, flush_nothing);
    png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 image->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    size_t stride = (size_t)image->width * (size_t)image->channels;
    for (int32_t y = 0; y < image->height; y++) {
        png_write_row(job->png, image->pixels + (size_t)y * stride);
    }
    png_write_end(job->png, NULL);
    return JUDO_OK;
}

judo_status judo_image_encode_png(const judo_image *image, uint8_t **bytes, size_t *length)
{
    if ((image->channels != 1 && image->channels != 3) || image->pixels == NULL) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a PNG has 1 or 3 channels, not %d",
                         image->channels);
    }
    JUDO_TRY(
        judo_image_check_size("PNG to write", (uint64_t)image->width, (uint64_t)image->height));
    png_job job = {.source = "PNG to write"};
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png != NULL ? png_create_info_struct(job.png) : NULL;
    judo_status status;
    if (job.info == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the PNG encoder");
    } else {
        status = encode(&job, image);
    }
    png_destroy_write_struct(&job.png, &job.info);
    if (status != JUDO_OK) {
        free(job.encoded);
        return status;
    }
    *bytes = job.encoded;
    *length = job.encoded_length;
    return JUDO_OK;
}
