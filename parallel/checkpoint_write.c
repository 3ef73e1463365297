/* parallel/checkpoint_write.c: all ranks write, agree, and only then the name appears. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel/agree.h"
#include "parallel/checkpoint.h"
#include "parallel/checkpoint_files.h"
#include "runtime/file.h"
#include "runtime/log.h"

/* The paths of one save. */
typedef struct save_places {
    char name[JUDO_CHECKPOINT_NAME_BYTES];
    char *final_path, *temporary, *previous, *latest;
} save_places;

static judo_status make_places(const char *folder, int64_t step, save_places *out)
{
    judo_checkpoint_name(step, out->name);
    JUDO_TRY(judo_checkpoint_join(folder, out->name, &out->final_path));
    JUDO_TRY(judo_checkpoint_join(folder, "latest", &out->latest));
    if (asprintf(&out->temporary, "%s.tmp", out->final_path) < 0) {
        out->temporary = NULL;
    }
    if (asprintf(&out->previous, "%s.old", out->final_path) < 0) {
        out->previous = NULL;
    }
    if (out->temporary == NULL || out->previous == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    return JUDO_OK;
}

static void free_places(save_places *places)
{
    free(places->final_path);
    free(places->temporary);
    free(places->previous);
    free(places->latest);
}

static judo_status make_temporary(const save_places *places)
{
    JUDO_TRY(judo_checkpoint_remove(places->temporary));
    JUDO_TRY(judo_checkpoint_remove(places->previous));
    return judo_file_make_folder(places->temporary);
}

/* Replaces an earlier checkpoint of the same step, if any, and points `latest` to the new one.
 */
static judo_status publish(const save_places *places)
{
    char line[JUDO_CHECKPOINT_NAME_BYTES + 2];
    if (rename(places->final_path, places->previous) != 0 && errno != ENOENT) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot rename: %s", places->final_path,
                         strerror(errno));
    }
    JUDO_TRY(judo_file_publish(places->temporary, places->final_path));
    int length = snprintf(line, sizeof line, "%s\n", places->name);
    return judo_file_replace(places->latest, line, (size_t)length);
}

/* Rank 0, when all shard files are on disk. */
static judo_status complete(const save_places *places, judo_zero3 *zero3,
                            judo_manifest *manifest)
{
    JUDO_TRY(judo_manifest_write(places->temporary, manifest, judo_zero3_layout(zero3)));
    return publish(places);
}

static judo_status save_in(judo_comm *comm, judo_zero3 *zero3, const save_places *places,
                           judo_manifest *manifest)
{
    judo_status status = comm->rank == 0 ? make_temporary(places) : JUDO_OK;
    JUDO_TRY(judo_agree(comm, status));
    judo_shard_seal seal = {0};
    status = judo_shard_file_write(places->temporary, zero3, comm->rank, comm->size,
                                   manifest->step, &seal);
    JUDO_TRY(judo_agree(comm, status));
    JUDO_TRY(judo_comm_all_gather(comm, &seal, (int64_t)sizeof seal, manifest->seals));
    status = comm->rank == 0 ? complete(places, zero3, manifest) : JUDO_OK;
    return judo_agree(comm, status);
}

/* A failed removal costs disk space, not the run. */
static void clean_up(const char *folder, const save_places *places, int64_t step, int keep_last,
                     bool saved)
{
    judo_status status = saved ? judo_checkpoint_prune(folder, step, keep_last)
                               : judo_checkpoint_remove(places->temporary);
    if (status != JUDO_OK) {
        JUDO_WARNING("could not clean up checkpoints: %s", judo_error_message());
    }
}

judo_status judo_checkpoint_save(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                 int64_t step, const char *state, int keep_last)
{
    save_places places = {0};
    judo_manifest manifest = {.step = step, .world_size = comm->size, .state = strdup(state)};
    manifest.seals = calloc((size_t)comm->size, sizeof *manifest.seals);
    judo_comm_set_phase(comm, "checkpoint save");
    judo_status status = make_places(folder, step, &places);
    if (status == JUDO_OK && (manifest.seals == NULL || manifest.state == NULL)) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the manifest", folder);
    }
    status = judo_agree(comm, status);
    if (status == JUDO_OK) {
        status = save_in(comm, zero3, &places, &manifest);
        if (comm->rank == 0) {
            char *cause = status != JUDO_OK ? strdup(judo_error_message()) : NULL;
            clean_up(folder, &places, step, keep_last, status == JUDO_OK);
            if (cause != NULL) {
                (void)judo_error_set(status, cause);
                free(cause);
            }
        }
    }
    judo_manifest_free(&manifest);
    free_places(&places);
    return status;
}
