/* parallel/checkpoint_read.c: which checkpoint to take, and taking it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/agree.h"
#include "parallel/checkpoint.h"
#include "parallel/checkpoint_files.h"
#include "runtime/log.h"

void judo_checkpoint_info_free(judo_checkpoint_info *info)
{
    free(info->state);
    *info = (judo_checkpoint_info){0};
}

judo_status judo_checkpoint_load_from(judo_comm *comm, judo_zero3 *zero3, const char *path,
                                      judo_checkpoint_info *out)
{
    judo_manifest manifest = {0};
    judo_comm_set_phase(comm, "checkpoint load");
    JUDO_TRY(judo_zero3_weights_changed(zero3));
    judo_status status = judo_manifest_read(path, judo_zero3_layout(zero3), &manifest);
    if (status == JUDO_OK) {
        status = judo_shard_files_read(path, zero3, &manifest);
    }
    status = judo_agree(comm, status);
    if (status == JUDO_OK) {
        *out = (judo_checkpoint_info){
            .step = manifest.step, .world_size = manifest.world_size, .state = manifest.state};
        manifest.state = NULL;
    }
    judo_manifest_free(&manifest);
    return status;
}

/* The candidates, best first: what `latest` names, then what is older. */
static judo_status list_candidates(const char *folder, int64_t **steps, int *num_steps)
{
    int64_t *found = NULL;
    int count = 0;
    int64_t latest = -1;
    if (access(folder, F_OK) != 0 && errno == ENOENT) {
        *steps = NULL;
        *num_steps = 0;
        return JUDO_OK;
    }
    JUDO_TRY(judo_checkpoint_recover(folder));
    JUDO_TRY(judo_checkpoint_latest(folder, &latest));
    JUDO_TRY(judo_checkpoint_list(folder, &found, &count));
    int first = 0;
    while (latest >= 0 && first < count && found[first] > latest) {
        first++;
    }
    if (latest >= 0 && (first == count || found[first] != latest)) {
        free(found);
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s/latest: names step %lld, which is not there; remove the file to "
                         "take the newest checkpoint",
                         folder, (long long)latest);
    }
    if (first > 0 && first < count) {
        memmove(found, found + first, (size_t)(count - first) * sizeof *found);
    }
    *steps = found;
    *num_steps = count - first;
    return JUDO_OK;
}

/* Rank 0 looks, all ranks get the list; free() it. Collective. */
static judo_status share_candidates(judo_comm *comm, const char *folder, int64_t **steps,
                                    int *num_steps)
{
    int64_t *found = NULL;
    int count = 0;
    judo_status status = comm->rank == 0 ? list_candidates(folder, &found, &count) : JUDO_OK;
    JUDO_TRY(judo_agree(comm, status));
    int64_t shared = count;
    JUDO_TRY_GOTO(status, failed, judo_comm_broadcast(comm, &shared, sizeof shared, 0));
    if (comm->rank != 0) {
        found = calloc((size_t)shared + 1, sizeof *found);
        if (found == NULL) {
            status =
                JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld steps", (long long)shared);
        }
    }
    JUDO_TRY_GOTO(status, failed, judo_agree(comm, status));
    JUDO_TRY_GOTO(status, failed,
                  judo_comm_broadcast(comm, found, shared * (int64_t)sizeof *found, 0));
    *steps = found;
    *num_steps = (int)shared;
    return JUDO_OK;
failed:
    free(found);
    return status;
}

judo_status judo_checkpoint_exists(judo_comm *comm, const char *folder, bool *exists)
{
    int64_t *steps = NULL;
    int num_steps = 0;
    JUDO_TRY(share_candidates(comm, folder, &steps, &num_steps));
    free(steps);
    *exists = num_steps > 0;
    return JUDO_OK;
}

static judo_status load_step(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                             int64_t step, judo_checkpoint_info *out)
{
    char name[JUDO_CHECKPOINT_NAME_BYTES];
    char *path = NULL;
    judo_checkpoint_name(step, name);
    JUDO_TRY(judo_agree(comm, judo_checkpoint_join(folder, name, &path)));
    judo_status status = judo_checkpoint_load_from(comm, zero3, path, out);
    free(path);
    return status;
}

judo_status judo_checkpoint_load(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                 bool fall_back, judo_checkpoint_info *out)
{
    int64_t *steps = NULL;
    int num_steps = 0;
    JUDO_TRY(share_candidates(comm, folder, &steps, &num_steps));
    judo_status status = JUDO_FAIL(JUDO_ERROR_IO, "%s: no checkpoint to load", folder);
    for (int i = 0; steps != NULL && i < num_steps; i++) {
        status = load_step(comm, zero3, folder, steps[i], out);
        if (status == JUDO_OK || comm->broken || !fall_back) {
            break;
        }
        if (comm->rank == 0) {
            JUDO_WARNING("%s; trying an older checkpoint", judo_error_message());
        }
    }
    free(steps);
    return status;
}
