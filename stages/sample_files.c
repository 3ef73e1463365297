/* stages/sample_files.c: one JSON-lines file per rollout. */
#include "stages/sample_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "parallel/agree.h"
#include "runtime/file.h"

static judo_status write_file(const char *run, int64_t step, const char *bytes, size_t count)
{
    char path[JUDO_CONFIG_STRING_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/samples", run);
    JUDO_TRY(judo_file_make_folder(path));
    (void)snprintf(path, sizeof path, "%s/samples/step-%06lld.jsonl", run, (long long)step);
    return judo_file_replace(path, bytes, count);
}

judo_status judo_sample_files_write(judo_job *job, const judo_rollout *rollout, int64_t step)
{
    judo_text lines = {0};
    char *all = NULL;
    int64_t *offsets = NULL;
    judo_status status = judo_agree(job->comm, judo_rollout_describe(rollout, step, &lines));
    if (status == JUDO_OK) {
        status = judo_comm_gather_bytes(job->comm, lines.bytes, (int64_t)lines.length, &all,
                                        &offsets);
    }
    judo_text_free(&lines);
    JUDO_TRY(status);
    if (job->comm->rank == 0) {
        status =
            write_file(job->config->run.folder, step, all, (size_t)offsets[job->comm->size]);
    }
    free(all);
    free(offsets);
    return judo_agree(job->comm, status);
}
