/* data/dataset_write.c: rows in memory, pixels in spool files, one HDF5 file at the end. */
#include "data/dataset_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/dataset_schema.h"
#include "data/resize.h"
#include "data/text_pool.h"
#include "runtime/file.h"

/* Bytes whose number is known only at the end wait in a nameless file. */
typedef struct spool {
    int descriptor;
    int64_t bytes;
} spool;

typedef struct row_list {
    void *rows;
    size_t row_bytes;
    int64_t count, capacity;
} row_list;

struct judo_dataset_writer {
    char *path, *made_by;
    const judo_image_processor *processor;
    judo_text_pool texts, sources;
    row_list images, samples, embeddings;
    spool pixels, masks;
};

static judo_status spool_open(const char *path, const char *kind, spool *out)
{
    size_t room = strlen(path) + 64;
    char *name = malloc(room);
    if (name == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", path);
    }
    (void)snprintf(name, room, "%s.%s.partial.%ld", path, kind, (long)getpid());
    int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    judo_status status = JUDO_OK;
    if (descriptor < 0) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot create: %s", name, strerror(errno));
    } else {
        (void)unlink(name);
        *out = (spool){descriptor, 0};
    }
    free(name);
    return status;
}

static judo_status spool_write(spool *to, const char *path, const void *bytes, size_t length)
{
    JUDO_TRY(judo_file_pwrite(to->descriptor, path, bytes, length, to->bytes));
    to->bytes += (int64_t)length;
    return JUDO_OK;
}

static judo_status add_row(row_list *list, const void *row)
{
    if (list->count == list->capacity) {
        int64_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        void *grown = realloc(list->rows, (size_t)capacity * list->row_bytes);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld dataset rows",
                             (long long)capacity);
        }
        list->rows = grown;
        list->capacity = capacity;
    }
    memcpy((char *)list->rows + (size_t)list->count++ * list->row_bytes, row, list->row_bytes);
    return JUDO_OK;
}

judo_status judo_dataset_writer_create(const char *path, const judo_image_processor *processor,
                                       const char *made_by, judo_dataset_writer **out)
{
    judo_dataset_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a dataset writer", path);
    }
    writer->processor = processor;
    writer->images.row_bytes = sizeof(judo_image_row);
    writer->samples.row_bytes = sizeof(judo_sample_row);
    writer->embeddings.row_bytes = JUDO_RATIONALE_VALUES * sizeof(float);
    writer->pixels.descriptor = writer->masks.descriptor = -1;
    writer->path = strdup(path);
    writer->made_by = strdup(made_by);
    judo_status status = JUDO_OK;
    if (writer->path == NULL || writer->made_by == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a dataset writer", path);
    }
    if (status == JUDO_OK) {
        status = spool_open(path, "pixels", &writer->pixels);
    }
    if (status == JUDO_OK) {
        status = spool_open(path, "masks", &writer->masks);
    }
    if (status != JUDO_OK) {
        judo_dataset_writer_discard(&writer);
        return status;
    }
    *out = writer;
    return JUDO_OK;
}

int64_t judo_dataset_writer_find_image(const judo_dataset_writer *writer, const char *source)
{
    return judo_text_pool_find(&writer->sources, source);
}

static judo_status number_text(judo_dataset_writer *writer, const char *text, int32_t *out)
{
    int64_t index = 0;
    JUDO_TRY(judo_text_pool_add(&writer->texts, text != NULL ? text : "", &index));
    if (index > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: more than %d texts", writer->path,
                         INT32_MAX);
    }
    *out = (int32_t)index;
    return JUDO_OK;
}

/* The row first, the name last: a failure between leaves a row that nothing refers to, so it is
 * taken back. */
static judo_status store_image(judo_dataset_writer *writer, const judo_image *original,
                               const judo_image *processed, const char *source, int64_t *index)
{
    judo_image_row row = {
        .offset = writer->pixels.bytes,
        .mask_offset = -1,
        .width = processed->width,
        .height = processed->height,
        .original_width = original->width,
        .original_height = original->height,
    };
    JUDO_TRY(number_text(writer, source, &row.source));
    JUDO_TRY(spool_write(&writer->pixels, writer->path, processed->pixels,
                         (size_t)row.width * (size_t)row.height * 3));
    JUDO_TRY(add_row(&writer->images, &row));
    judo_status status = judo_text_pool_add(&writer->sources, source, index);
    if (status != JUDO_OK) {
        writer->images.count--;
    }
    return status;
}

judo_status judo_dataset_writer_add_image(judo_dataset_writer *writer, const judo_image *image,
                                          const char *source, int64_t *index)
{
    if (judo_text_pool_find(&writer->sources, source) >= 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: image %s is there already", writer->path,
                         source);
    }
    judo_image processed = {0};
    JUDO_TRY(judo_image_processor_resize(writer->processor, image, &processed));
    judo_status status = store_image(writer, image, &processed, source, index);
    judo_image_free(&processed);
    return status;
}

/* A mask may be scaled against its picture, but by the same factor in both directions. */
static bool same_aspect(const judo_image_row *row, const judo_image *mask)
{
    int64_t difference = (int64_t)mask->width * row->original_height -
                         (int64_t)mask->height * row->original_width;
    int64_t slack =
        row->original_width > row->original_height ? row->original_width : row->original_height;
    return llabs(difference) <= slack;
}

judo_status judo_dataset_writer_add_mask(judo_dataset_writer *writer, int64_t image,
                                         const judo_image *mask)
{
    if (image < 0 || image >= writer->images.count || mask->channels != 1) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no image %lld, or a mask of %d channels",
                         writer->path, (long long)image, mask->channels);
    }
    judo_image_row *row = (judo_image_row *)writer->images.rows + image;
    if (!same_aspect(row, mask)) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "mask of %s: %d x %d pixels do not fit the image's %d x %d",
                         writer->sources.texts[image], mask->width, mask->height,
                         row->original_width, row->original_height);
    }
    if (row->mask_offset >= 0) {
        return JUDO_OK;
    }
    judo_image resized = {0};
    JUDO_TRY(judo_image_resize(mask, row->width, row->height, JUDO_RESIZE_NEAREST, &resized));
    size_t count = (size_t)row->width * (size_t)row->height;
    for (size_t i = 0; i < count; i++) {
        resized.pixels[i] = resized.pixels[i] != 0 ? 255 : 0;
    }
    int64_t offset = writer->masks.bytes;
    judo_status status = spool_write(&writer->masks, writer->path, resized.pixels, count);
    judo_image_free(&resized);
    if (status == JUDO_OK) {
        row->mask_offset = offset;
    }
    return status;
}

static judo_status check_sample(const judo_dataset_writer *writer, const judo_sample *sample)
{
    bool sound = (unsigned)sample->kind < JUDO_NUM_SAMPLE_KINDS && sample->num_options >= 0 &&
                 sample->num_options <= JUDO_MAX_OPTIONS && sample->query_image >= -1 &&
                 sample->query_image < writer->images.count && sample->template_image >= -1 &&
                 sample->template_image < writer->images.count;
    bool answered = sample->answer == '\0';
    for (int i = 0; sound && i < sample->num_options; i++) {
        char letter = sample->letters[i];
        sound = letter >= 'A' && letter <= 'Z' && sample->options[i] != NULL &&
                memchr(sample->letters, letter, (size_t)i) == NULL;
        answered = answered || letter == sample->answer;
    }
    if (!sound || !answered) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: sample %lld (%s) has an unknown kind, image, option letter or "
                         "answer",
                         writer->path, (long long)writer->samples.count,
                         sample->source != NULL ? sample->source : "no source");
    }
    return JUDO_OK;
}

judo_status judo_dataset_writer_add_sample(judo_dataset_writer *writer,
                                           const judo_sample *sample)
{
    JUDO_TRY(check_sample(writer, sample));
    judo_sample_row row = {
        .query_image = sample->query_image,
        .template_image = sample->template_image,
        .embedding = -1,
        .kind = (int32_t)sample->kind,
        .answer = (uint8_t)sample->answer,
        .has_mask = sample->has_mask,
        .is_normal = sample->is_normal,
    };
    memcpy(row.cells, sample->cells.bits, sizeof row.cells);
    for (int i = 0; i < JUDO_NUM_SAMPLE_TEXTS; i++) {
        const char *text = NULL;
        memcpy(&text, (const char *)sample + judo_sample_text_offsets[i], sizeof text);
        JUDO_TRY(number_text(writer, text, &row.texts[i]));
    }
    for (int i = 0; i < JUDO_MAX_OPTIONS; i++) {
        row.options[i] = -1;
        if (i < sample->num_options) {
            row.letters[i] = (uint8_t)sample->letters[i];
            JUDO_TRY(number_text(writer, sample->options[i], &row.options[i]));
        }
    }
    if (sample->rationale_embedding != NULL) {
        row.embedding = writer->embeddings.count;
        JUDO_TRY(add_row(&writer->embeddings, sample->rationale_embedding));
    }
    return add_row(&writer->samples, &row);
}

int64_t judo_dataset_writer_num_samples(const judo_dataset_writer *writer)
{
    return writer->samples.count;
}

int64_t judo_dataset_writer_num_images(const judo_dataset_writer *writer)
{
    return writer->images.count;
}

int64_t judo_dataset_writer_pixel_bytes(const judo_dataset_writer *writer)
{
    return writer->pixels.bytes;
}

static judo_status copy_spool(const judo_dataset_writer *writer, judo_hdf5_file *file,
                              const char *name, const spool *from)
{
    enum { PIECE = 1 << 22 };

    if (from->bytes == 0) {
        return JUDO_OK;
    }
    char *piece = malloc(PIECE);
    if (piece == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory to copy pixels", writer->path);
    }
    judo_status status = judo_hdf5_write_begin(file, name, from->bytes);
    for (int64_t at = 0; status == JUDO_OK && at < from->bytes; at += PIECE) {
        int64_t length = from->bytes - at < PIECE ? from->bytes - at : PIECE;
        status = judo_file_pread(from->descriptor, writer->path, piece, (size_t)length, at);
        if (status == JUDO_OK) {
            status = judo_hdf5_write_append(file, piece, length);
        }
    }
    if (status == JUDO_OK) {
        status = judo_hdf5_write_end(file);
    }
    free(piece);
    return status;
}

static judo_status write_all(const judo_dataset_writer *writer, judo_hdf5_file *file)
{
    JUDO_TRY(judo_hdf5_set_attribute_string(file, "format", JUDO_DATASET_FORMAT));
    JUDO_TRY(judo_hdf5_set_attribute_int(file, "schema_version", JUDO_DATASET_SCHEMA));
    JUDO_TRY(judo_hdf5_set_attribute_string(file, "processor_fingerprint",
                                            writer->processor->fingerprint));
    JUDO_TRY(judo_hdf5_set_attribute_string(file, "made_by", writer->made_by));
    JUDO_TRY(judo_hdf5_write_strings(file, JUDO_DATASET_TEXTS,
                                     (const char *const *)writer->texts.texts, NULL,
                                     writer->texts.count));
    JUDO_TRY(judo_dataset_write_columns(file, judo_image_columns, writer->images.rows,
                                        sizeof(judo_image_row), writer->images.count));
    JUDO_TRY(judo_dataset_write_columns(file, judo_sample_columns, writer->samples.rows,
                                        sizeof(judo_sample_row), writer->samples.count));
    const int64_t dims[2] = {writer->embeddings.count, JUDO_RATIONALE_VALUES};
    JUDO_TRY(judo_hdf5_write(file, JUDO_DATASET_EMBEDDINGS, JUDO_HDF5_F32, dims, 2,
                             writer->embeddings.rows));
    JUDO_TRY(copy_spool(writer, file, JUDO_DATASET_PIXELS, &writer->pixels));
    return copy_spool(writer, file, JUDO_DATASET_MASKS, &writer->masks);
}

judo_status judo_dataset_writer_commit(judo_dataset_writer **writer)
{
    judo_hdf5_file *file = NULL;
    judo_status status = judo_hdf5_create((*writer)->path, &file);
    if (status == JUDO_OK) {
        status = write_all(*writer, file);
        if (status == JUDO_OK) {
            status = judo_hdf5_commit(&file);
        } else {
            judo_hdf5_close(&file);
        }
    }
    judo_dataset_writer_discard(writer);
    return status;
}

void judo_dataset_writer_discard(judo_dataset_writer **writer)
{
    judo_dataset_writer *w = *writer;
    if (w == NULL) {
        return;
    }
    if (w->pixels.descriptor >= 0) {
        (void)close(w->pixels.descriptor);
    }
    if (w->masks.descriptor >= 0) {
        (void)close(w->masks.descriptor);
    }
    judo_text_pool_free(&w->texts);
    judo_text_pool_free(&w->sources);
    free(w->images.rows);
    free(w->samples.rows);
    free(w->embeddings.rows);
    free(w->path);
    free(w->made_by);
    free(w);
    *writer = NULL;
}
