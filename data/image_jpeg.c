/* data/image_jpeg.c: JPEG from memory, through libjpeg-turbo with its default settings (exact
 * integer DCT, smooth chroma upsampling), which give Pillow's pixels. */
#include "data/image_codec.h"

#include <setjmp.h>
#include <stdio.h>
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
    if (decoder->jpeg_color_space == JCS_CMYK || decoder->jpeg_color_space == JCS_YCCK ||
        decoder->num_components == 2 || decoder->num_components > 3) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: JPEG with %d colour components (CMYK?); convert it to RGB",
                         job->source, decoder->num_components);
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
    decoder->out_color_space = decoder->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    (void)jpeg_start_decompress(decoder);
    JUDO_TRY(judo_image_create((int32_t)decoder->output_width, (int32_t)decoder->output_height,
                               decoder->output_components, &job->image));
    size_t stride = (size_t)job->image.width * (size_t)job->image.channels;
    while (decoder->output_scanline < decoder->output_height) {
        JSAMPROW row = job->image.pixels + (size_t)decoder->output_scanline * stride;
        (void)jpeg_read_scanlines(decoder, &row, 1);
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
    if (status != JUDO_OK) {
        judo_image_free(&job.image);
        return status;
    }
    *out = job.image;
    return JUDO_OK;
}
