/* tests/parity/filter/samples.c: reading sequences, writing results. */
#include "tests/parity/filter/samples.h"

#include <stdlib.h>

static judo_status read_values(const judo_safetensors *file, const char *path, const char *name,
                               float **out, int64_t *count)
{
    const judo_safetensors_entry *entry = judo_safetensors_find(file, name);
    *out = NULL;
    *count = 0;
    if (entry == NULL) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_dims_count(entry->dims, entry->num_dims, count));
    *out = malloc((size_t)(*count + 1) * sizeof **out);
    if (*out == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s:%s: no memory", path, name);
    }
    return judo_safetensors_read(file, entry, 0, *count, *out);
}

/* Exactly `wanted` whole numbers; -1: any number of them. */
static judo_status read_integers(const judo_safetensors *file, const char *path,
                                 const char *name, int64_t wanted, int32_t **out,
                                 int64_t *count)
{
    float *values = NULL;
    JUDO_TRY(read_values(file, path, name, &values, count));
    *out = malloc((size_t)(*count + 1) * sizeof **out);
    judo_status status = *out ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    if (status == JUDO_OK && wanted >= 0 && *count != wanted) {
        status = JUDO_FAIL(JUDO_ERROR_FORMAT, "%s:%s: %lld values; wanted %lld", path, name,
                           (long long)*count, (long long)wanted);
    }
    for (int64_t i = 0; status == JUDO_OK && i < *count; i++) {
        (*out)[i] = (int32_t)values[i];
    }
    free(values);
    return status;
}

/* The numbers of one file while it is being read. */
typedef struct sample_tables {
    int32_t *lengths, *first_targets, *image_counts, *heights, *widths;
    float *weights, *pixels;
    int64_t num_pixels, num_weights;
} sample_tables;

static judo_status read_tables(const judo_safetensors *file, const char *path, sample_tables *t,
                               judo_parity_samples *out)
{
    int64_t count, images, unused;
    JUDO_TRY(read_integers(file, path, "lengths", -1, &t->lengths, &count));
    JUDO_TRY(read_integers(file, path, "first_targets", count, &t->first_targets, &unused));
    JUDO_TRY(read_integers(file, path, "image_counts", count, &t->image_counts, &unused));
    JUDO_TRY(read_values(file, path, "weights", &t->weights, &t->num_weights));
    JUDO_TRY(read_integers(file, path, "tokens", -1, &out->tokens, &out->num_tokens));
    JUDO_TRY(read_integers(file, path, "starts", -1, &out->starts, &images));
    JUDO_TRY(read_integers(file, path, "heights", images, &t->heights, &unused));
    JUDO_TRY(read_integers(file, path, "widths", images, &t->widths, &unused));
    JUDO_TRY(read_values(file, path, "pixels", &t->pixels, &t->num_pixels));
    if (t->num_weights != count) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: not one weight per sequence", path);
    }
    out->count = (int32_t)count;
    out->num_images = (int32_t)images;
    return JUDO_OK;
}

static judo_status make_images(const char *path, const sample_tables *t,
                               const judo_qwen_config *config, judo_parity_samples *out)
{
    int64_t at = 0;
    int64_t patch = config->vision.patch_size * config->vision.patch_size;
    out->images = calloc((size_t)out->num_images + 1, sizeof *out->images);
    if (out->images == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    }
    for (int32_t i = 0; i < out->num_images; i++) {
        int64_t bytes = 3LL * t->heights[i] * t->widths[i];
        if (at + bytes > t->num_pixels) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: too few pixels", path);
        }
        JUDO_TRY(judo_image_create(t->widths[i], t->heights[i], 3, &out->images[i]));
        for (int64_t j = 0; j < bytes; j++) {
            out->images[i].pixels[j] = (uint8_t)t->pixels[at + j];
        }
        at += bytes;
        out->num_patches += bytes / 3 / patch;
    }
    return JUDO_OK;
}

static judo_status make_sequences(const char *path, const sample_tables *t,
                                  judo_parity_samples *out)
{
    int64_t token = 0;
    int32_t image = 0;
    out->sequences = calloc((size_t)out->count + 1, sizeof *out->sequences);
    if (out->sequences == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", path);
    }
    for (int32_t i = 0; i < out->count; i++) {
        out->sequences[i] = (judo_sequence){
            .tokens = out->tokens + token,
            .num_tokens = t->lengths[i],
            .first_target = t->first_targets[i],
            .weight = t->weights[i],
            .num_images = t->image_counts[i],
            .images = out->images + image,
            .image_starts = out->starts + image,
        };
        token += t->lengths[i];
        image += t->image_counts[i];
    }
    if (token != out->num_tokens || image != out->num_images) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: lengths or image_counts do not add up", path);
    }
    return JUDO_OK;
}

judo_status judo_parity_samples_open(const char *path, const judo_qwen_config *config,
                                     judo_parity_samples *out)
{
    judo_safetensors *file = NULL;
    sample_tables t = {0};
    *out = (judo_parity_samples){0};
    JUDO_TRY(judo_safetensors_open(path, &file));
    judo_status status = read_tables(file, path, &t, out);
    if (status == JUDO_OK) {
        status = make_images(path, &t, config, out);
    }
    if (status == JUDO_OK) {
        status = make_sequences(path, &t, out);
    }
    judo_safetensors_close(&file);
    free(t.lengths);
    free(t.first_targets);
    free(t.image_counts);
    free(t.heights);
    free(t.widths);
    free(t.weights);
    free(t.pixels);
    return status;
}

void judo_parity_samples_close(judo_parity_samples *samples)
{
    for (int32_t i = 0; samples->images && i < samples->num_images; i++) {
        judo_image_free(&samples->images[i]);
    }
    free(samples->images);
    free(samples->sequences);
    free(samples->tokens);
    free(samples->starts);
    *samples = (judo_parity_samples){0};
}

judo_status judo_parity_processor(const judo_qwen_config *config, judo_image_processor *out)
{
    judo_image_processor_defaults(out);
    out->patch_size = (int32_t)config->vision.patch_size;
    out->temporal_patch_size = (int32_t)config->vision.temporal_patch_size;
    out->merge_size = (int32_t)config->vision.spatial_merge_size;
    out->min_pixels = 1;
    return judo_image_processor_prepare(out);
}

static judo_status pack_group(const judo_parity_samples *samples, int32_t first, int32_t end,
                              judo_batch_builder *builder)
{
    int32_t count = end - first - 1;
    judo_completion *completions = calloc((size_t)count + 1, sizeof *completions);
    if (completions == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d completions", count);
    }
    for (int32_t i = 0; i < count; i++) {
        const judo_sequence *s = &samples->sequences[first + 1 + i];
        completions[i] = (judo_completion){
            .tokens = s->tokens, .num_tokens = s->num_tokens, .weight = s->weight};
    }
    judo_status status =
        judo_batch_builder_add_group(builder, &samples->sequences[first], completions, count);
    free(completions);
    return status;
}

judo_status judo_parity_pack(const judo_parity_samples *samples, int32_t first, int32_t end,
                             bool shared, judo_batch_builder *builder, judo_batch *batch)
{
    judo_batch_builder_reset(builder);
    if (shared) {
        JUDO_TRY(pack_group(samples, first, end, builder));
    } else {
        for (int32_t i = first; i < end; i++) {
            JUDO_TRY(judo_batch_builder_add(builder, &samples->sequences[i]));
        }
    }
    return judo_batch_builder_batch(builder, batch);
}

judo_status judo_parity_write(const char *path, const judo_parity_result *results, int count)
{
    judo_safetensors_plan *plan = NULL;
    int index;
    JUDO_TRY(judo_safetensors_plan_create(path, &plan));
    judo_status status = JUDO_OK;
    for (int i = 0; i < count && status == JUDO_OK; i++) {
        status = judo_safetensors_plan_add(plan, results[i].name, JUDO_F32, results[i].dims,
                                           results[i].num_dims, &index);
    }
    if (status == JUDO_OK) {
        status = judo_safetensors_create_file(plan);
    }
    for (int i = 0; i < count && status == JUDO_OK; i++) {
        int64_t values;
        JUDO_TRY_GOTO(status, done,
                      judo_dims_count(results[i].dims, results[i].num_dims, &values));
        status = judo_safetensors_write(plan, i, 0, values, results[i].values);
    }
done:
    judo_safetensors_plan_destroy(&plan);
    return status;
}
