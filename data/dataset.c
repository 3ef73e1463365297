/* data/dataset.c: opening, checking and reading a dataset. Rows and texts are held in memory;
 * pixels are read where they lie. */
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "data/dataset_schema.h"
#include "data/image_codec.h"

static const int64_t max_text_bytes = INT64_C(4) << 30;

struct judo_dataset {
    judo_hdf5_file *file;
    char *fingerprint, *made_by;
    char *text_bytes; /* each text ends with NUL */
    const char **texts;
    int64_t num_texts;
    judo_image_row *images;
    int64_t num_images;
    judo_sample_row *samples;
    int64_t num_samples;
    float *embeddings;
    int64_t num_embeddings;
    judo_hdf5_extent pixels, masks;
};

static judo_status read_attributes(judo_dataset *dataset, const char *expected_fingerprint)
{
    const char *path = judo_hdf5_path(dataset->file);
    char *format = NULL;
    JUDO_TRY(judo_hdf5_get_attribute_string(dataset->file, "format", &format));
    bool known = strcmp(format, JUDO_DATASET_FORMAT) == 0;
    free(format);
    int64_t version = 0;
    JUDO_TRY(judo_hdf5_get_attribute_int(dataset->file, "schema_version", &version));
    if (!known || version != JUDO_DATASET_SCHEMA) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: not a judo dataset of schema %d (its version says %lld); pack it "
                         "again",
                         path, JUDO_DATASET_SCHEMA, (long long)version);
    }
    JUDO_TRY(judo_hdf5_get_attribute_string(dataset->file, "made_by", &dataset->made_by));
    JUDO_TRY(judo_hdf5_get_attribute_string(dataset->file, "processor_fingerprint",
                                            &dataset->fingerprint));
    if (expected_fingerprint != NULL &&
        strcmp(dataset->fingerprint, expected_fingerprint) != 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: packed for image processor %s, the model has %s; pack it again "
                         "with this model's preprocessor_config.json",
                         path, dataset->fingerprint, expected_fingerprint);
    }
    return JUDO_OK;
}

static judo_status copy_texts(judo_dataset *dataset, const judo_hdf5_strings *strings)
{
    size_t total = (size_t)strings->offsets[strings->count] + (size_t)strings->count;
    dataset->text_bytes = malloc(total + 1);
    dataset->texts = malloc(((size_t)strings->count + 1) * sizeof *dataset->texts);
    if (dataset->text_bytes == NULL || dataset->texts == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %zu bytes of text",
                         judo_hdf5_path(dataset->file), total);
    }
    char *to = dataset->text_bytes;
    for (int64_t i = 0; i < strings->count; i++) {
        size_t length = (size_t)(strings->offsets[i + 1] - strings->offsets[i]);
        memcpy(to, strings->bytes + strings->offsets[i], length);
        to[length] = '\0';
        dataset->texts[i] = to;
        to += length + 1;
    }
    dataset->num_texts = strings->count;
    return JUDO_OK;
}

/* A run without bytes is not in the file; then no row may point into it. */
static judo_status find_run(judo_hdf5_file *file, const char *name, judo_hdf5_extent *out)
{
    return judo_hdf5_has(file, name) ? judo_hdf5_dataset_extent(file, name, out) : JUDO_OK;
}

static judo_status read_arrays(judo_dataset *dataset)
{
    judo_hdf5_file *file = dataset->file;
    judo_hdf5_strings strings = {0};
    JUDO_TRY(judo_hdf5_read_strings(file, JUDO_DATASET_TEXTS, max_text_bytes, &strings));
    judo_status status = copy_texts(dataset, &strings);
    judo_hdf5_strings_free(&strings);
    JUDO_TRY(status);
    void *rows = NULL;
    JUDO_TRY(judo_dataset_read_columns(file, judo_image_columns, sizeof(judo_image_row), &rows,
                                       &dataset->num_images));
    dataset->images = rows;
    JUDO_TRY(judo_dataset_read_columns(file, judo_sample_columns, sizeof(judo_sample_row),
                                       &rows, &dataset->num_samples));
    dataset->samples = rows;
    int64_t dims[JUDO_HDF5_MAX_DIMS] = {0};
    int num_dims = 0;
    JUDO_TRY(judo_hdf5_read(file, JUDO_DATASET_EMBEDDINGS, JUDO_HDF5_F32, max_text_bytes, &rows,
                            dims, &num_dims));
    dataset->embeddings = rows;
    dataset->num_embeddings = dims[0];
    if (num_dims != 2 || dims[1] != JUDO_RATIONALE_VALUES) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s:%s: must be rows of %d values",
                         judo_hdf5_path(file), JUDO_DATASET_EMBEDDINGS, JUDO_RATIONALE_VALUES);
    }
    JUDO_TRY(find_run(file, JUDO_DATASET_PIXELS, &dataset->pixels));
    return find_run(file, JUDO_DATASET_MASKS, &dataset->masks);
}

static bool in_range(int64_t value, int64_t lowest, int64_t end)
{
    return value >= lowest && value < end;
}

static bool image_is_sound(const judo_dataset *dataset, const judo_image_row *row)
{
    if (!in_range(row->width, 1, JUDO_IMAGE_MAX_SIDE + 1) ||
        !in_range(row->height, 1, JUDO_IMAGE_MAX_SIDE + 1) ||
        !in_range(row->source, 0, dataset->num_texts)) {
        return false;
    }
    int64_t pixels = (int64_t)row->width * row->height;
    bool mask_fits =
        row->mask_offset == -1 || (row->mask_offset >= 0 && dataset->masks.bytes >= pixels &&
                                   row->mask_offset <= dataset->masks.bytes - pixels);
    return pixels <= JUDO_IMAGE_MAX_PIXELS && row->offset >= 0 &&
           dataset->pixels.bytes >= 3 * pixels &&
           row->offset <= dataset->pixels.bytes - 3 * pixels && mask_fits;
}

static bool sample_is_sound(const judo_dataset *dataset, const judo_sample_row *row)
{
    bool sound = in_range(row->kind, 0, JUDO_NUM_SAMPLE_KINDS) &&
                 in_range(row->query_image, -1, dataset->num_images) &&
                 in_range(row->template_image, -1, dataset->num_images) &&
                 in_range(row->embedding, -1, dataset->num_embeddings) && row->has_mask <= 1 &&
                 row->is_normal <= 1;
    for (int i = 0; i < JUDO_NUM_SAMPLE_TEXTS; i++) {
        sound = sound && in_range(row->texts[i], 0, dataset->num_texts);
    }
    bool ended = false;
    bool answered = row->answer == 0;
    for (int i = 0; i < JUDO_MAX_OPTIONS; i++) {
        ended = ended || row->options[i] == -1;
        sound = sound && (ended ? row->options[i] == -1
                                : in_range(row->options[i], 0, dataset->num_texts) &&
                                      in_range(row->letters[i], 'A', 'Z' + 1));
        answered = answered || (!ended && row->letters[i] == row->answer);
    }
    return sound && answered;
}

static judo_status check_rows(const judo_dataset *dataset)
{
    const char *path = judo_hdf5_path(dataset->file);
    for (int64_t i = 0; i < dataset->num_images; i++) {
        if (!image_is_sound(dataset, &dataset->images[i])) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s:/images: row %lld has a size or an offset outside the file; "
                             "pack the dataset again",
                             path, (long long)i);
        }
    }
    for (int64_t i = 0; i < dataset->num_samples; i++) {
        if (!sample_is_sound(dataset, &dataset->samples[i])) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s:/samples: row %lld refers to what is not there; pack the "
                             "dataset again",
                             path, (long long)i);
        }
    }
    return JUDO_OK;
}

static judo_status open_file(const char *path, const char *expected_fingerprint,
                             judo_dataset *dataset)
{
    JUDO_TRY(judo_hdf5_open(path, &dataset->file));
    JUDO_TRY(read_attributes(dataset, expected_fingerprint));
    JUDO_TRY(read_arrays(dataset));
    return check_rows(dataset);
}

judo_status judo_dataset_open(const char *path, const char *expected_fingerprint,
                              judo_dataset **out)
{
    judo_dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a dataset", path);
    }
    judo_status status = open_file(path, expected_fingerprint, dataset);
    if (status != JUDO_OK) {
        judo_dataset_close(&dataset);
        return status;
    }
    *out = dataset;
    return JUDO_OK;
}

void judo_dataset_close(judo_dataset **dataset)
{
    judo_dataset *d = *dataset;
    if (d == NULL) {
        return;
    }
    judo_hdf5_close(&d->file);
    free(d->fingerprint);
    free(d->made_by);
    free(d->text_bytes);
    free(d->texts);
    free(d->images);
    free(d->samples);
    free(d->embeddings);
    free(d);
    *dataset = NULL;
}

const char *judo_dataset_path(const judo_dataset *dataset)
{
    return judo_hdf5_path(dataset->file);
}

const char *judo_dataset_fingerprint(const judo_dataset *dataset)
{
    return dataset->fingerprint;
}

const char *judo_dataset_made_by(const judo_dataset *dataset)
{
    return dataset->made_by;
}

int64_t judo_dataset_count(const judo_dataset *dataset)
{
    return dataset->num_samples;
}

int64_t judo_dataset_num_images(const judo_dataset *dataset)
{
    return dataset->num_images;
}

judo_status judo_dataset_sample(const judo_dataset *dataset, int64_t index, judo_sample *out)
{
    if (!in_range(index, 0, dataset->num_samples)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no sample %lld among %lld",
                         judo_dataset_path(dataset), (long long)index,
                         (long long)dataset->num_samples);
    }
    const judo_sample_row *row = &dataset->samples[index];
    judo_sample sample = {
        .index = index,
        .kind = (judo_sample_kind)row->kind,
        .query_image = row->query_image,
        .template_image = row->template_image,
        .answer = (char)row->answer,
        .has_mask = row->has_mask,
        .is_normal = row->is_normal,
    };
    memcpy(sample.cells.bits, row->cells, sizeof row->cells);
    for (int i = 0; i < JUDO_NUM_SAMPLE_TEXTS; i++) {
        const char *text = dataset->texts[row->texts[i]];
        memcpy((char *)&sample + judo_sample_text_offsets[i], &text, sizeof text);
    }
    while (sample.num_options < JUDO_MAX_OPTIONS && row->options[sample.num_options] >= 0) {
        int i = sample.num_options++;
        sample.options[i] = dataset->texts[row->options[i]];
        sample.letters[i] = (char)row->letters[i];
    }
    if (row->embedding >= 0) {
        sample.rationale_embedding =
            dataset->embeddings + row->embedding * JUDO_RATIONALE_VALUES;
    }
    *out = sample;
    return JUDO_OK;
}

static judo_status find_image(const judo_dataset *dataset, int64_t image,
                              const judo_image_row **row)
{
    if (!in_range(image, 0, dataset->num_images)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no image %lld among %lld",
                         judo_dataset_path(dataset), (long long)image,
                         (long long)dataset->num_images);
    }
    *row = &dataset->images[image];
    return JUDO_OK;
}

judo_status judo_dataset_image_size(const judo_dataset *dataset, int64_t image, int32_t *width,
                                    int32_t *height)
{
    const judo_image_row *row = NULL;
    JUDO_TRY(find_image(dataset, image, &row));
    *width = row->width;
    *height = row->height;
    return JUDO_OK;
}

static judo_status read_pixels(const judo_dataset *dataset, const judo_image_row *row,
                               int32_t channels, judo_image *out)
{
    judo_image image = {0};
    JUDO_TRY(judo_image_create(row->width, row->height, channels, &image));
    int64_t bytes = (int64_t)row->width * row->height * channels;
    judo_status status =
        judo_hdf5_pread(dataset->file, channels == 3 ? &dataset->pixels : &dataset->masks,
                        channels == 3 ? row->offset : row->mask_offset, bytes, image.pixels);
    if (status != JUDO_OK) {
        judo_image_free(&image);
        return status;
    }
    *out = image;
    return JUDO_OK;
}

judo_status judo_dataset_image(const judo_dataset *dataset, int64_t image, judo_image *out)
{
    const judo_image_row *row = NULL;
    JUDO_TRY(find_image(dataset, image, &row));
    return read_pixels(dataset, row, 3, out);
}

judo_status judo_dataset_mask(const judo_dataset *dataset, int64_t image, judo_image *out)
{
    const judo_image_row *row = NULL;
    JUDO_TRY(find_image(dataset, image, &row));
    if (row->mask_offset < 0) {
        *out = (judo_image){0};
        return JUDO_OK;
    }
    return read_pixels(dataset, row, 1, out);
}

judo_status judo_dataset_select(const judo_dataset *dataset, judo_sample_kind kind,
                                int64_t **indices, int64_t *n)
{
    int64_t *found = malloc(((size_t)dataset->num_samples + 1) * sizeof *found);
    if (found == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory to select samples",
                         judo_dataset_path(dataset));
    }
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->num_samples; i++) {
        if (dataset->samples[i].kind == (int32_t)kind) {
            found[count++] = i;
        }
    }
    *indices = found;
    *n = count;
    return JUDO_OK;
}
