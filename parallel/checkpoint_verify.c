/* parallel/checkpoint_verify.c: reads a checkpoint whole without taking it anywhere. */
#include <stdlib.h>

#include "parallel/checkpoint.h"
#include "parallel/checkpoint_files.h"

static judo_status verify(const char *path, const judo_manifest *manifest,
                          const judo_param_layout *layout, judo_checkpoint_contents *out)
{
    const judo_param_layout own = {.num_params = manifest->num_tensors,
                                   .params = manifest->tensors};
    const judo_param_layout *used = layout != NULL ? layout : &own;
    judo_checkpoint_contents contents = {.num_tensors = used->num_params};
    JUDO_TRY(judo_shard_files_verify(path, used, manifest, &contents.num_with_moments));
    for (int p = 0; p < used->num_params; p++) {
        contents.num_elements += used->params[p].count;
    }
    for (int r = 0; r < manifest->world_size; r++) {
        contents.num_bytes += manifest->seals[r].bytes;
    }
    *out = contents;
    return JUDO_OK;
}

judo_status judo_checkpoint_verify(const char *path, const judo_param_layout *layout,
                                   judo_checkpoint_info *info, judo_checkpoint_contents *out)
{
    judo_manifest manifest = {0};
    JUDO_TRY(judo_manifest_read(path, layout, &manifest));
    judo_status status = verify(path, &manifest, layout, out);
    if (status == JUDO_OK) {
        *info = (judo_checkpoint_info){
            .step = manifest.step, .world_size = manifest.world_size, .state = manifest.state};
        manifest.state = NULL;
    }
    judo_manifest_free(&manifest);
    return status;
}
