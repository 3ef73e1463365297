/* tests/equivalence/resave.c MODEL FROM TO: reads the checkpoint FROM (a step's folder) of a
 * model that is laid out like the directory MODEL on as many ranks as it is started on, each
 * its shard, and saves what it read as a checkpoint of its own into the folder TO. */
#include <stdio.h>

#include "models/layout.h"
#include "parallel/agree.h"
#include "parallel/checkpoint.h"
#include "parallel/process.h"

static judo_status copy(judo_comm *comm, const judo_param_layout *layout, char **argv)
{
    judo_zero3 *zero = NULL;
    judo_checkpoint_info info = {0};
    judo_zero3_options options = judo_zero3_stage(3);
    JUDO_TRY(judo_zero3_create(comm, layout, judo_device_cpu(), &options, &zero));
    judo_status status = judo_checkpoint_load_from(comm, zero, argv[2], &info);
    if (status == JUDO_OK) {
        status = judo_checkpoint_save(comm, zero, argv[3], info.step, info.state);
    }
    judo_checkpoint_info_free(&info);
    judo_zero3_destroy(&zero);
    return status;
}

static judo_status run(judo_comm *comm, char **argv)
{
    judo_qwen_config config;
    judo_freeze freeze = {0};
    judo_param_layout *layout = NULL;
    judo_status status = judo_qwen_config_load(argv[1], &config);
    if (status == JUDO_OK) {
        status = judo_qwen_layout_create(&config, &freeze, &layout);
    }
    status = judo_agree(comm, status);
    if (status == JUDO_OK) {
        status = copy(comm, layout, argv);
    }
    judo_qwen_layout_destroy(&layout);
    return status;
}

int main(int argc, char **argv)
{
    judo_process process;
    if (argc != 4) {
        (void)fputs("usage: resave MODEL CHECKPOINT FOLDER\n", stderr);
        return 2;
    }
    judo_status status = judo_process_begin(&process, JUDO_LOG_WARNING);
    if (status == JUDO_OK) {
        status = run(process.comm, argv);
    }
    return judo_process_end(&process, status);
}
