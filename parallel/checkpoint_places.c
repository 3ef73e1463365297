/* parallel/checkpoint_places.c: where a checkpoint is written and how its name appears. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/checkpoint_files.h"
#include "runtime/file.h"

static judo_status join_ending(const char *path, const char *ending, char **out)
{
    if (asprintf(out, "%s%s", path, ending) < 0) {
        *out = NULL;
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", path);
    }
    return JUDO_OK;
}

judo_status judo_checkpoint_places_make(const char *folder, int64_t step,
                                        judo_checkpoint_places *out)
{
    judo_checkpoint_places places = {0};
    judo_status status = JUDO_OK;
    judo_checkpoint_name(step, places.name);
    JUDO_TRY_GOTO(status, failed, join_ending(folder, "", &places.folder));
    JUDO_TRY_GOTO(status, failed,
                  judo_checkpoint_join(folder, places.name, &places.final_path));
    JUDO_TRY_GOTO(status, failed, judo_checkpoint_join(folder, "latest", &places.latest));
    JUDO_TRY_GOTO(status, failed,
                  join_ending(places.final_path, JUDO_CHECKPOINT_TEMPORARY, &places.temporary));
    JUDO_TRY_GOTO(status, failed,
                  join_ending(places.final_path, JUDO_CHECKPOINT_REPLACED, &places.replaced));
    *out = places;
    return JUDO_OK;
failed:
    judo_checkpoint_places_free(&places);
    return status;
}

void judo_checkpoint_places_free(judo_checkpoint_places *places)
{
    free(places->folder);
    free(places->final_path);
    free(places->temporary);
    free(places->replaced);
    free(places->latest);
    *places = (judo_checkpoint_places){0};
}

judo_status judo_checkpoint_places_prepare(const judo_checkpoint_places *places, int64_t needed)
{
    int64_t available;
    JUDO_TRY(judo_file_make_folder(places->folder));
    JUDO_TRY(judo_checkpoint_recover(places->folder));
    JUDO_TRY(judo_checkpoint_remove_leftovers(places->folder));
    JUDO_TRY(judo_file_free_bytes(places->folder, &available));
    if (available < needed) {
        return JUDO_FAIL(JUDO_ERROR_IO,
                         "%s: %s needs %lld bytes, but the file system has only %lld free; "
                         "make room, keep fewer checkpoints or use another folder",
                         places->folder, places->name, (long long)needed, (long long)available);
    }
    return judo_file_make_folder(places->temporary);
}

/* Between the two renames an earlier checkpoint of this step has no name: see recover. */
static judo_status give_name(const judo_checkpoint_places *places)
{
    if (rename(places->final_path, places->replaced) != 0 && errno != ENOENT) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot rename: %s", places->final_path,
                         strerror(errno));
    }
    judo_status status = judo_file_publish(places->temporary, places->final_path);
    if (status != JUDO_OK && access(places->final_path, F_OK) != 0) {
        (void)rename(places->replaced, places->final_path);
    }
    return status;
}

judo_status judo_checkpoint_places_publish(const judo_checkpoint_places *places,
                                           const judo_manifest *manifest,
                                           const judo_param_layout *layout)
{
    char line[JUDO_CHECKPOINT_NAME_BYTES + 2];
    JUDO_TRY(judo_manifest_write(places->temporary, manifest, layout));
    JUDO_TRY(give_name(places));
    int length = snprintf(line, sizeof line, "%s\n", places->name);
    return judo_file_replace(places->latest, line, (size_t)length);
}
