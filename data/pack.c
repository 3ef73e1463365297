/* data/pack.c: the packer's frame: pictures, masks, what to do about broken rows, the summary.
 */
#include "data/pack.h"

#include <stdio.h>
#include <string.h>

#include "data/pack_source.h"

/* Rows whose failure is spelled out; the rest is only counted. */
enum { NAMED_SKIPS = 5, REFERENCE_SQUARE = 512 };

static judo_cells_rule choose_rule(judo_pack_cells preset, judo_sample_kind kind)
{
    if (preset == JUDO_PACK_CELLS_PAPER) {
        return (judo_cells_rule){0};
    }
    if (kind == JUDO_SAMPLE_SEGMENTATION) {
        return (judo_cells_rule){.coverage = 0.02, .any_if_none = true};
    }
    return (judo_cells_rule){.coverage = 0.02, .resize_nearest = REFERENCE_SQUARE};
}

/* Paths come from foreign files: they may not leave the root. */
static judo_status join_path(const judo_pack_item *item, const char *path, char *out,
                             size_t bytes)
{
    bool leaves = path[0] == '/' || path[0] == '\0';
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        leaves = leaves || (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'));
    }
    if (leaves) {
        return JUDO_FAIL(
            JUDO_ERROR_FORMAT,
            "%s: the path \"%s\" is empty or leaves the image folder; paths must be "
            "relative to it",
            item->place, path);
    }
    int length = snprintf(out, bytes, "%s/%s", item->root, path);
    if (length < 0 || (size_t)length >= bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: a path of %d bytes is too long", item->place,
                         length);
    }
    return JUDO_OK;
}

static judo_status read_below(const judo_pack_item *item, const char *path, int32_t channels,
                              judo_image *out)
{
    char full[4096];
    JUDO_TRY(join_path(item, path, full, sizeof full));
    return judo_image_read(full, channels, out);
}

/* Pictures of an item that the file does not hold yet; empty where there is nothing to add. */
typedef struct loaded_item {
    judo_image query, template_image, mask;
} loaded_item;

static void free_loaded(loaded_item *loaded)
{
    judo_image_free(&loaded->query);
    judo_image_free(&loaded->template_image);
    judo_image_free(&loaded->mask);
}

static bool is_wanted(const judo_packer *packer, const char *path)
{
    return path != NULL && judo_dataset_writer_find_image(packer->writer, path) < 0;
}

static judo_status load(judo_packer *packer, const judo_pack_item *item, loaded_item *loaded)
{
    if (is_wanted(packer, item->query)) {
        JUDO_TRY(read_below(item, item->query, 3, &loaded->query));
    }
    if (is_wanted(packer, item->template_path) &&
        (item->query == NULL || strcmp(item->query, item->template_path) != 0)) {
        JUDO_TRY(read_below(item, item->template_path, 3, &loaded->template_image));
    }
    bool known = item->mask != NULL && item->mask[0] != '\0' &&
                 strcmp(item->mask, packer->last_mask) == 0 &&
                 item->sample.kind == packer->last_kind;
    if (item->mask != NULL && !known) {
        JUDO_TRY(read_below(item, item->mask, 1, &loaded->mask));
    }
    return JUDO_OK;
}

static judo_status store_picture(judo_packer *packer, const char *path, const judo_image *image,
                                 int64_t *index)
{
    int64_t found = path != NULL ? judo_dataset_writer_find_image(packer->writer, path) : -1;
    if (path != NULL && found < 0) {
        JUDO_TRY(judo_dataset_writer_add_image(packer->writer, image, path, &found));
    }
    *index = found;
    return JUDO_OK;
}

static judo_status store_mask(judo_packer *packer, const judo_pack_item *item,
                              const judo_image *mask, judo_sample *sample)
{
    if (mask->pixels != NULL) {
        judo_cells_rule rule = choose_rule(packer->options->cells, sample->kind);
        JUDO_TRY(judo_dataset_writer_add_mask(packer->writer, sample->query_image, mask));
        JUDO_TRY(judo_cells_from_mask(mask->pixels, mask->width, mask->height, &rule,
                                      &packer->last_cells));
        (void)snprintf(packer->last_mask, sizeof packer->last_mask, "%s", item->mask);
        packer->last_kind = sample->kind;
    }
    sample->cells = packer->last_cells;
    sample->has_mask = true;
    return JUDO_OK;
}

/* Only the row's own faults may be skipped, never the output's. */
static judo_status store(judo_packer *packer, const judo_pack_item *item,
                         const loaded_item *loaded, bool *row_at_fault)
{
    judo_sample sample = item->sample;
    sample.source = item->query;
    judo_status status =
        store_picture(packer, item->query, &loaded->query, &sample.query_image);
    if (status == JUDO_OK) {
        status = store_picture(packer, item->template_path, &loaded->template_image,
                               &sample.template_image);
    }
    if (status == JUDO_OK && item->mask != NULL) {
        status = store_mask(packer, item, &loaded->mask, &sample);
    }
    *row_at_fault = status == JUDO_ERROR_FORMAT || status == JUDO_ERROR_MISMATCH;
    JUDO_TRY(status);
    float embedding[JUDO_RATIONALE_VALUES];
    const judo_pack_options *options = packer->options;
    if (options->embed != NULL && sample.rationale != NULL && sample.rationale[0] != '\0') {
        JUDO_TRY(options->embed(options->embed_context, sample.rationale, embedding));
        sample.rationale_embedding = embedding;
    }
    JUDO_TRY(judo_dataset_writer_add_sample(packer->writer, &sample));
    packer->counts.samples[sample.kind]++;
    return JUDO_OK;
}

judo_status judo_pack_item_add(judo_packer *packer, const judo_pack_item *item)
{
    loaded_item loaded = {0};
    bool row_at_fault = true;
    judo_status status = load(packer, item, &loaded);
    row_at_fault = status != JUDO_ERROR_MEMORY;
    if (status == JUDO_OK) {
        status = store(packer, item, &loaded, &row_at_fault);
    }
    free_loaded(&loaded);
    return status != JUDO_OK && row_at_fault ? judo_pack_row_failed(packer, status) : status;
}

judo_status judo_pack_row_failed(judo_packer *packer, judo_status status)
{
    if (!packer->options->skip_missing || status == JUDO_ERROR_MEMORY) {
        return status;
    }
    if (packer->counts.skipped < NAMED_SKIPS) {
        JUDO_WARNING("row skipped: %s", judo_error_message());
    }
    packer->counts.skipped++;
    judo_error_clear();
    return JUDO_OK;
}

void judo_pack_path_parts(const char *path, char *first, char *second, size_t bytes)
{
    size_t length = strcspn(path, "/");
    const char *rest = path[length] == '/' ? path + length + 1 : "";
    (void)snprintf(first, bytes, "%.*s", (int)length, path);
    (void)snprintf(second, bytes, "%.*s", (int)strcspn(rest, "/"), rest);
}

static judo_status pack_sources(judo_packer *packer)
{
    const judo_pack_options *options = packer->options;
    if (options->mmad_json != NULL) {
        JUDO_TRY(judo_pack_mmad(packer));
    }
    if (options->stage1 != NULL) {
        JUDO_TRY(judo_pack_jsonl(packer, JUDO_SAMPLE_SEGMENTATION, options->stage1));
    }
    if (options->stage2 != NULL) {
        JUDO_TRY(judo_pack_jsonl(packer, JUDO_SAMPLE_DOMAIN_QA, options->stage2));
    }
    if (options->stage3 != NULL) {
        JUDO_TRY(judo_pack_jsonl(packer, JUDO_SAMPLE_CHOICE, options->stage3));
    }
    return JUDO_OK;
}

static judo_status check_options(const judo_pack_options *options)
{
    bool from_lines =
        options->stage1 != NULL || options->stage2 != NULL || options->stage3 != NULL;
    if (!from_lines && options->mmad_json == NULL) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "nothing to pack; name mmad.json or a JSON lines "
                                              "file of a stage");
    }
    if (options->image_root == NULL && (from_lines || options->mmad_root == NULL)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "no image folder to pack from; name one");
    }
    return JUDO_OK;
}

static void log_summary(const judo_pack_options *options, const judo_pack_counts *counts)
{
    JUDO_INFO("packed %s: %lld segmentation, %lld domain and %lld choice samples, %lld images, "
              "%.1f MB of pixels, %lld rows skipped",
              options->output, (long long)counts->samples[JUDO_SAMPLE_SEGMENTATION],
              (long long)counts->samples[JUDO_SAMPLE_DOMAIN_QA],
              (long long)counts->samples[JUDO_SAMPLE_CHOICE], (long long)counts->images,
              (double)counts->pixel_bytes / 1e6, (long long)counts->skipped);
}

judo_status judo_pack(const judo_pack_options *options, judo_pack_counts *counts)
{
    JUDO_TRY(check_options(options));
    judo_packer packer = {.options = options};
    JUDO_TRY(judo_dataset_writer_create(options->output, options->processor,
                                        options->made_by != NULL ? options->made_by : "",
                                        &packer.writer));
    judo_status status = pack_sources(&packer);
    packer.counts.images = judo_dataset_writer_num_images(packer.writer);
    packer.counts.pixel_bytes = judo_dataset_writer_pixel_bytes(packer.writer);
    if (status == JUDO_OK && judo_dataset_writer_num_samples(packer.writer) == 0) {
        status = JUDO_FAIL(JUDO_ERROR_FORMAT,
                           "%s: no sample left to pack (%lld rows skipped); check the image "
                           "folder",
                           options->output, (long long)packer.counts.skipped);
    }
    if (status == JUDO_OK) {
        status = judo_dataset_writer_commit(&packer.writer);
    }
    judo_dataset_writer_discard(&packer.writer);
    JUDO_TRY(status);
    log_summary(options, &packer.counts);
    if (counts != NULL) {
        *counts = packer.counts;
    }
    return JUDO_OK;
}
