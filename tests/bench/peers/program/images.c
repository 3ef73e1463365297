/* tests/bench/peers/program/images.c: decoded pictures to patches: resized on the loader's
 * threads, cut by the op. */
#include <stdlib.h>

#include "data/loader.h"
#include "runtime/log.h"
#include "tests/bench/peers/program/commands.h"
#include "tests/data/natural_patches.h"

typedef struct pictures {
    judo_image_processor processor;
    judo_image *images;
    int32_t count;
    int64_t threads;
} pictures;

static judo_status add_picture(void *context, const judo_json *row, int64_t line)
{
    pictures *self = context;
    const char *path;
    (void)line;
    JUDO_TRY(judo_json_get_string(row, "image", "pictures", &path));
    judo_image *grown = realloc(self->images, ((size_t)self->count + 1) * sizeof *self->images);
    if (!grown) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d pictures", self->count + 1);
    }
    self->images = grown;
    JUDO_TRY(judo_image_read(path, 3, &self->images[self->count]));
    self->count++;
    return JUDO_OK;
}

/* One picture between its two marks, as a sequence without targets. */
static judo_status add_sequence(const pictures *self, const judo_image *image,
                                judo_batch_builder *builder)
{
    int32_t grid_h, grid_w, start = 1;
    judo_ids ids = {0};
    int32_t merged = self->processor.merge_size * self->processor.merge_size;
    JUDO_TRY(judo_image_processor_grid(&self->processor, image, &grid_h, &grid_w));
    JUDO_TRY(judo_ids_append_run(&ids, 0, grid_h * grid_w / merged + 2));
    judo_sequence sequence = {.tokens = ids.ids,
                              .num_tokens = (int32_t)ids.count,
                              .first_target = (int32_t)ids.count,
                              .num_images = 1,
                              .images = image,
                              .image_starts = &start};
    judo_status status = judo_batch_builder_add(builder, &sequence);
    judo_ids_free(&ids);
    return status;
}

static judo_status build(void *context, int64_t ticket, judo_batch_builder *builder)
{
    const pictures *self = context;
    judo_image resized = {0};
    JUDO_TRY(judo_image_processor_resize(&self->processor, &self->images[ticket], &resized));
    judo_status status = add_sequence(self, &resized, builder);
    judo_image_free(&resized);
    return status;
}

static judo_status make_patches(const judo_batch *batch, float **patches)
{
    size_t bytes = (size_t)natural_patch_values(batch) * sizeof **patches;
    float *grown = realloc(*patches, bytes);
    if (grown == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %zu bytes of patches", bytes);
    }
    *patches = grown;
    return natural_patches(batch, grown);
}

/* `sum`: the number of patches and each picture's first value; that all values are equal is for
 * tests/parity to show. */
static judo_status load_all(judo_loader *loader, int32_t count, float **patches,
                            double *seconds, double *sum)
{
    double begin = judo_clock();
    for (int32_t i = 0; i < count; i++) {
        judo_batch_builder *builder;
        judo_batch batch;
        JUDO_TRY(judo_loader_next(loader, &builder));
        JUDO_TRY(judo_batch_builder_batch(builder, &batch));
        JUDO_TRY(make_patches(&batch, patches));
        *seconds = judo_clock() - begin;
        *sum += (double)(*patches)[0] + (double)batch.num_patches;
    }
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    pictures *self = context;
    judo_loader *loader = NULL;
    float *patches = NULL;
    double seconds = 0, sum = 0;
    (void)request;
    (void)source;
    judo_loader_options options = {.processor = &self->processor,
                                   .build = build,
                                   .context = self,
                                   .num_threads = (int)self->threads,
                                   .num_slots = 2 * (int)self->threads,
                                   .end_ticket = self->count};
    double begin = judo_clock();
    JUDO_TRY(judo_loader_open(&options, &loader));
    double opened = judo_clock() - begin;
    judo_status status = load_all(loader, self->count, &patches, &seconds, &sum);
    free(patches);
    judo_loader_close(&loader);
    JUDO_TRY(status);
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "process", opened + seconds);
    judo_json_put_double(answer, "outcome", sum);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *places[2];
    int count;
    pictures self = {.threads = 2};
    const judo_option options[] = {{"threads", JUDO_OPTION_INT, &self.threads}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 1, 2, 2, places, &count));
    JUDO_TRY(judo_peer_processor_load(places[0], &self.processor));
    judo_status status = judo_json_each_line(places[1], add_picture, &self);
    if (status == JUDO_OK) {
        status = judo_filter_run(NULL, answer_request, &self);
    }
    for (int32_t i = 0; i < self.count; i++) {
        judo_image_free(&self.images[i]);
    }
    free(self.images);
    return status;
}

const judo_tool judo_peer_images = {
    .name = "images",
    .summary = "decoded pictures to patches",
    .help = "judo_bench_peer images MODEL_DIR PICTURES.jsonl [--threads N]\n\n"
            "  {}  ->  {\"process\": seconds for all pictures, \"outcome\": a check sum}\n",
    .run = run,
};
