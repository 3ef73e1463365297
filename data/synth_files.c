/* data/synth_files.c: folders, pictures and lines that synth writes. */
#include "data/synth_files.h"

#include <errno.h>
#include <string.h>

#include "runtime/file.h"

static const char *const names[JUDO_SYNTH_FILES] = {
    [JUDO_SYNTH_STAGE1] = "stage1.jsonl",
    [JUDO_SYNTH_STAGE2] = "stage2.jsonl",
    [JUDO_SYNTH_STAGE3] = "stage3.jsonl",
    [JUDO_SYNTH_HELDOUT1] = "heldout_stage1.jsonl",
    [JUDO_SYNTH_HELDOUT2] = "heldout_stage2.jsonl",
    [JUDO_SYNTH_HELDOUT3] = "heldout_stage3.jsonl",
    [JUDO_SYNTH_LOOK] = "pretrain_look.jsonl",
    [JUDO_SYNTH_PRETRAIN] = "pretrain.jsonl",
};

void judo_synth_normal_path(int object, int number, char out[JUDO_SYNTH_PATH])
{
    const judo_synth_object_words *words = &judo_synth_object_table[object];
    judo_synth_say(out, JUDO_SYNTH_PATH, "%s/%s/train/good/%03d.png", words->dataset,
                   words->name, number);
}

judo_status judo_synth_full_path(const judo_synth_run *run, const char *relative, char *out,
                                 size_t bytes)
{
    size_t folder = strlen(run->options->folder);
    if (folder == 0 || folder + strlen(relative) + 2 > bytes) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "synth: the folder's name has %zu characters; give one of 1 to %zu",
                         folder, bytes - JUDO_SYNTH_PATH - 2);
    }
    judo_synth_say(out, bytes, "%s/%s", run->options->folder, relative);
    char *slash = strrchr(out, '/');
    *slash = '\0';
    judo_status status = judo_file_make_folder(out);
    *slash = '/';
    return status;
}

static judo_status write_pair(const judo_synth_run *run, const judo_image *image,
                              const judo_image *mask, const char *image_path,
                              const char *mask_path)
{
    char path[4096];
    JUDO_TRY(judo_synth_full_path(run, image_path, path, sizeof path));
    JUDO_TRY(judo_image_write_png(path, image));
    if (mask_path) {
        JUDO_TRY(judo_synth_full_path(run, mask_path, path, sizeof path));
        JUDO_TRY(judo_image_write_png(path, mask));
    }
    return JUDO_OK;
}

judo_status judo_synth_picture(judo_synth_run *run, uint64_t id, int object,
                               judo_synth_kind kind, const char *image_path,
                               const char *mask_path, judo_synth_view *view)
{
    judo_synth_scene scene = {.seed = run->options->seed,
                              .id = id,
                              .object = object,
                              .kind = kind,
                              .size = run->options->size};
    const judo_cells_rule rule = {.coverage = 0.02, .any_if_none = true};
    judo_image image = {0};
    judo_image mask = {0};
    judo_cells cells = {{0}};
    JUDO_TRY(judo_synth_draw(&scene, &image, &mask));
    judo_status status =
        judo_cells_from_mask(mask.pixels, mask.width, mask.height, &rule, &cells);
    if (status == JUDO_OK) {
        status = write_pair(run, &image, &mask, image_path, mask_path);
    }
    judo_image_free(&image);
    judo_image_free(&mask);
    JUDO_TRY(status);
    *view = (judo_synth_view){
        .object = object, .kind = kind, .cells = cells, .zone = judo_synth_zone(&cells)};
    judo_progress_update(&run->progress, ++run->drawn, NULL);
    return JUDO_OK;
}

judo_status judo_synth_line(judo_synth_run *run, judo_synth_file file)
{
    JUDO_TRY(judo_json_writer_check(&run->line));
    if (!run->files[file]) {
        char path[4096];
        JUDO_TRY(judo_synth_full_path(run, names[file], path, sizeof path));
        run->files[file] = fopen(path, "wb");
        if (!run->files[file]) {
            return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot be written: %s", path, strerror(errno));
        }
    }
    if (fwrite(run->line.text, 1, run->line.length, run->files[file]) != run->line.length ||
        fputc('\n', run->files[file]) == EOF) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s/%s: writing failed: %s", run->options->folder,
                         names[file], strerror(errno));
    }
    run->rows[file]++;
    judo_json_writer_clear(&run->line);
    return JUDO_OK;
}
