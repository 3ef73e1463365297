/* data/image_jpeg.c: JPEG from memory, through libjpeg-turbo with its default settings (exact
 * integer DCT, smooth chroma upsampling), which give Pillow's pixels. */
#include "data/image_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>
#include <jerror.h>

/* Each 8x8 luma block of a Huffman-coded file costs at least one bit. More scans than this are
 * an attack on time, not a picture. */
enum { MAX_PIXELS_PER_BYTE = 64 * 8, MAX_SCANS = 200 };

typedef struct jpeg_job {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    judo_image image;
    uint8_t *inks; /* one row of CMYK */
    const char *source;
    size_t length;
    char message[JMSG_LENGTH_MAX];
} jpeg_job;

static void on_error(j_common_ptr common)
{
    jpeg_job *job = common->client_data;
    common->err->format_message(common, job->message);
    longjmp(job->jump, 1);
}

/* libjpeg goes on after data errors with invented pixels; for us they end the decoding. What
 * only concerns headers that judo does not read stays harmless. */
static void on_message(j_common_ptr common, int level)
{
    if (level >= 0) {
        return;
    }
    switch (common->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM:
        return;
    default:
        on_error(common);
    }
}

static void on_progress(j_common_ptr common)
{
    jpeg_job *job = common->client_data;
    if (job->decoder.input_scan_number > MAX_SCANS) {
        (void)snprintf(job->message, sizeof job->message, "more than %d scans", MAX_SCANS);
        longjmp(job->jump, 1);
    }
}

static judo_status check_header(jpeg_job *job)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    uint64_t width = decoder->image_width;
    uint64_t height = decoder->image_height;
    JUDO_TRY(judo_image_check_size(job->source, width, height));
    if (!decoder->arith_code && width * height / MAX_PIXELS_PER_BYTE > job->length) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: JPEG header claims %llu x %llu pixels, which %zu bytes cannot "
                         "hold; replace the file",
                         job->source, (unsigned long long)width, (unsigned long long)height,
                         job->length);
    }
    if (decoder->num_components == 2 || decoder->num_components > 4) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: JPEG with %d colour components; convert it to RGB", job->source,
                         decoder->num_components);
    }
    return JUDO_OK;
}

/* value * weight / 255, rounded as Pillow rounds it. */
static int weighted(int value, int weight)
{
    int product = value * weight + 128;
    return ((product >> 8) + product) >> 8;
}

/* Four-colour files hold the complements of their inks (Adobe's convention, which Pillow takes
 * for granted): light passes an ink of amount a to (255 - a) / 255. */
static void inks_to_rgb(const uint8_t *inks, int32_t width, uint8_t *rgb)
{
    for (int32_t x = 0; x < width; x++) {
        int light = inks[4 * x + 3];
        for (int c = 0; c < 3; c++) {
            int shown = light - weighted(255 - inks[4 * x + c], light);
            rgb[3 * x + c] = (uint8_t)(shown < 0 ? 0 : shown);
        }
    }
}

static judo_status create_image(jpeg_job *job)
{
    const struct jpeg_decompress_struct *decoder = &job->decoder;
    int32_t width = (int32_t)decoder->output_width;
    JUDO_TRY(judo_image_create(width, (int32_t)decoder->output_height,
                               decoder->output_components == 1 ? 1 : 3, &job->image));
    if (decoder->output_components == 4) {
        job->inks = malloc((size_t)width * 4);
        if (job->inks == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a row of %d pixels",
                             job->source, width);
        }
    }
    return JUDO_OK;
}

static judo_status decode(jpeg_job *job, const uint8_t *bytes)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    if (setjmp(job->jump)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: damaged JPEG: %s; replace the file",
                         job->source, job->message);
    }
    jpeg_create_decompress(decoder);
    decoder->client_data = job;
    decoder->progress = &job->progress;
    job->progress.progress_monitor = on_progress;
    jpeg_mem_src(decoder, bytes, (unsigned long)job->length);
    (void)jpeg_read_header(decoder, TRUE);
    JUDO_TRY(check_header(job));
    decoder->out_color_space = decoder->num_components == 1   ? JCS_GRAYSCALE
                               : decoder->num_components == 4 ? JCS_CMYK
                                                              : JCS_RGB;
    (void)jpeg_start_decompress(decoder);
    JUDO_TRY(create_image(job));
    size_t stride = (size_t)job->image.width * (size_t)job->image.channels;
    while (decoder->output_scanline < decoder->output_height) {
        uint8_t *pixels = job->image.pixels + (size_t)decoder->output_scanline * stride;
        JSAMPROW row = job->inks != NULL ? job->inks : pixels;
        (void)jpeg_read_scanlines(decoder, &row, 1);
        if (job->inks != NULL) {
            inks_to_rgb(job->inks, job->image.width, pixels);
        }
    }
    (void)jpeg_finish_decompress(decoder);
    return JUDO_OK;
}

judo_status judo_jpeg_decode(const uint8_t *bytes, size_t length, const char *source,
                             judo_image *out)
{
    jpeg_job job = {.source = source, .length = length};
    job.decoder.err = jpeg_std_error(&job.errors);
    job.decoder.client_data = &job; /* also before creation: an error may come from there */
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    judo_status status = decode(&job, bytes);
    jpeg_destroy_decompress(&job.decoder);
    free(job.inks);
    if (status != JUDO_OK) {
        judo_image_free(&job.image);
        return status;
    }
    *out = job.image;
    return JUDO_OK;
}
