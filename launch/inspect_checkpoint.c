/* launch/inspect_checkpoint.c: reads a training checkpoint whole, in little memory. */
#include <inttypes.h>
#include <stdio.h>

#include "launch/inspect.h"
#include "models/layout.h"
#include "parallel/checkpoint.h"

static judo_status verify(const judo_inspection *what, const judo_param_layout *layout)
{
    judo_checkpoint_info info = {0};
    judo_checkpoint_contents contents = {0};
    JUDO_TRY(judo_checkpoint_verify(what->path, layout, &info, &contents));
    printf("checkpoint    %s\n", what->path);
    printf("step          %" PRId64 "\n", info.step);
    printf("written by    %d rank%s\n", info.world_size, info.world_size == 1 ? "" : "s");
    printf("parameters    %" PRId64 " in %d tensors, %d of them with moments\n",
           contents.num_elements, contents.num_tensors, contents.num_with_moments);
    printf("files         %.6g MB in %d shard%s\n", 1e-6 * (double)contents.num_bytes,
           info.world_size, info.world_size == 1 ? "" : "s");
    printf("state         %s\n", info.state);
    printf("check         every tensor is whole and has its checksums%s\n",
           layout != NULL ? "; the tensors are the model's" : "");
    judo_checkpoint_info_free(&info);
    return JUDO_OK;
}

judo_status judo_inspect_checkpoint(const judo_inspection *what)
{
    judo_qwen_config config;
    judo_param_layout *layout = NULL;
    judo_freeze freeze = {0};
    if (!what->model) {
        return verify(what, NULL);
    }
    JUDO_TRY(judo_qwen_config_load(what->model, &config));
    JUDO_TRY(judo_qwen_layout_create(&config, &freeze, &layout));
    judo_status status = verify(what, layout);
    judo_qwen_layout_destroy(&layout);
    return status;
}
