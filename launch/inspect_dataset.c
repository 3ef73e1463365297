/* launch/inspect_dataset.c: counts of a packed dataset. */
#include <inttypes.h>
#include <stdio.h>

#include "data/dataset.h"
#include "launch/inspect.h"
#include "runtime/log.h"

typedef struct kind_counts {
    int64_t samples, with_mask, with_template, with_embedding;
} kind_counts;

static const char *const kind_titles[JUDO_NUM_SAMPLE_KINDS] = {
    [JUDO_SAMPLE_SEGMENTATION] = "segmentation (stage 1)",
    [JUDO_SAMPLE_DOMAIN_QA] = "domain QA (stage 2)",
    [JUDO_SAMPLE_CHOICE] = "choice (stage 3, evaluation)",
};

static judo_status count_samples(const judo_dataset *dataset, kind_counts *counts)
{
    for (int64_t i = 0; i < judo_dataset_count(dataset); i++) {
        judo_sample sample;
        JUDO_TRY(judo_dataset_sample(dataset, i, &sample));
        kind_counts *of = &counts[sample.kind];
        of->samples++;
        of->with_mask += sample.has_mask;
        of->with_template += sample.template_image >= 0;
        of->with_embedding += sample.rationale_embedding != NULL;
    }
    return JUDO_OK;
}

static judo_status print_sizes(const judo_dataset *dataset)
{
    int64_t pixels = 0;
    int32_t most_width = 0, most_height = 0;
    for (int64_t i = 0; i < judo_dataset_num_images(dataset); i++) {
        int32_t width, height;
        JUDO_TRY(judo_dataset_image_size(dataset, i, &width, &height));
        pixels += (int64_t)width * height;
        most_width = width > most_width ? width : most_width;
        most_height = height > most_height ? height : most_height;
    }
    printf("pictures      %" PRId64 ", %.1f megapixels, at most %d x %d\n",
           judo_dataset_num_images(dataset), 1e-6 * (double)pixels, most_width, most_height);
    return JUDO_OK;
}

static judo_status read_pictures(const judo_dataset *dataset)
{
    int64_t masks = 0;
    int64_t count = judo_dataset_num_images(dataset);
    judo_progress progress;
    judo_progress_begin(&progress, judo_dataset_path(dataset), "pictures", count);
    for (int64_t i = 0; i < count; i++) {
        judo_image image = {0}, mask = {0};
        judo_progress_update(&progress, i, NULL);
        JUDO_TRY(judo_dataset_image(dataset, i, &image));
        judo_image_free(&image);
        JUDO_TRY(judo_dataset_mask(dataset, i, &mask));
        masks += mask.pixels != NULL;
        judo_image_free(&mask);
    }
    judo_progress_end(&progress);
    printf("check         all pictures and %" PRId64 " masks can be read\n", masks);
    return JUDO_OK;
}

static judo_status describe(const judo_dataset *dataset, bool headers)
{
    kind_counts counts[JUDO_NUM_SAMPLE_KINDS] = {{0}};
    printf("dataset       %s\n", judo_dataset_path(dataset));
    printf("made by       %s\n", judo_dataset_made_by(dataset));
    printf("fingerprint   %s (of the image processor)\n", judo_dataset_fingerprint(dataset));
    JUDO_TRY(print_sizes(dataset));
    JUDO_TRY(count_samples(dataset, counts));
    printf("samples       %" PRId64 "\n", judo_dataset_count(dataset));
    for (int k = 0; k < JUDO_NUM_SAMPLE_KINDS; k++) {
        printf("  %-28s %" PRId64, kind_titles[k], counts[k].samples);
        if (counts[k].samples > 0) {
            printf(" (%" PRId64 " with a mask, %" PRId64 " with a template, %" PRId64
                   " with an embedding)",
                   counts[k].with_mask, counts[k].with_template, counts[k].with_embedding);
        }
        printf("\n");
    }
    return headers ? JUDO_OK : read_pictures(dataset);
}

judo_status judo_inspect_dataset(const judo_inspection *what)
{
    judo_dataset *dataset = NULL;
    JUDO_TRY(judo_dataset_open(what->path, NULL, &dataset));
    judo_status status = describe(dataset, what->headers);
    judo_dataset_close(&dataset);
    return status;
}
