/* launch/inspect_checkpoint.c: reads a training checkpoint whole, on one rank. */
#include <inttypes.h>
#include <stdio.h>

#include "launch/inspect.h"
#include "models/layout.h"
#include "parallel/checkpoint.h"

static judo_status read_whole(const judo_inspection *what, judo_comm *comm,
                              const judo_param_layout *layout)
{
    judo_zero3 *zero = NULL;
    judo_checkpoint_info info = {0};
    judo_zero3_options options = {0};
    JUDO_TRY(judo_zero3_create(comm, layout, judo_device_cpu(), &options, &zero));
    judo_status status = judo_checkpoint_load_from(comm, zero, what->path, &info);
    if (status == JUDO_OK) {
        printf("checkpoint    %s\n", what->path);
        printf("step          %" PRId64 "\n", info.step);
        printf("written by    %d rank%s\n", info.world_size, info.world_size == 1 ? "" : "s");
        printf("state         %s\n", info.state);
        printf("check         weights and moments of %d tensors are whole\n",
               layout->num_params);
    }
    judo_checkpoint_info_free(&info);
    judo_zero3_destroy(&zero);
    return status;
}

judo_status judo_inspect_checkpoint(const judo_inspection *what)
{
    judo_qwen_config config;
    judo_param_layout *layout = NULL;
    judo_comm *comm = NULL;
    judo_freeze freeze = {0};
    if (!what->model) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s: is a checkpoint; --model MODEL_DIR says of which model",
                         what->path);
    }
    JUDO_TRY(judo_qwen_config_load(what->model, &config));
    JUDO_TRY(judo_qwen_layout_create(&config, &freeze, &layout));
    judo_status status = judo_comm_self_create(&comm);
    if (status == JUDO_OK) {
        status = read_whole(what, comm, layout);
    }
    judo_comm_destroy(&comm);
    judo_qwen_layout_destroy(&layout);
    return status;
}
