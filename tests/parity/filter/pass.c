/* tests/parity/filter/pass.c: opening a model directory with samples. */
#include "tests/parity/filter/pass.h"

#include <stdlib.h>

#include "runtime/device_choice.h"

judo_status judo_parity_device(const judo_device **out)
{
    static const judo_device *opened;
    const char *name = getenv("JUDO_PARITY_DEVICE");
    if (opened == NULL && (name == NULL || name[0] == '\0')) {
        opened = judo_device_cpu();
    }
    if (opened == NULL) {
        JUDO_TRY(judo_device_choose_named(name, "JUDO_PARITY_DEVICE", &opened));
    }
    *out = opened;
    return JUDO_OK;
}

judo_status judo_parity_pass_open_in(const char *folder, const char *input, bool checkpoint,
                                     judo_dtype dtype, judo_parity_pass *out)
{
    const judo_device *device = NULL;
    *out = (judo_parity_pass){0};
    JUDO_TRY(judo_parity_device(&device));
    JUDO_TRY(judo_qwen_config_load(folder, &out->config));
    JUDO_TRY(judo_parity_samples_open(input, &out->config, &out->samples));
    JUDO_TRY(judo_parity_processor(&out->config, &out->processor));
    JUDO_TRY(judo_batch_builder_create(&out->processor, &out->builder));
    judo_model_options options = {
        .recompute = checkpoint ? JUDO_RECOMPUTE_UNIT : JUDO_RECOMPUTE_NOTHING,
        .dtype = dtype,
        .max_tokens = out->samples.num_tokens,
        .max_patches = out->samples.num_patches,
    };
    return judo_model_create(&out->config, device, &options, &out->model);
}

judo_status judo_parity_pass_open(const char *folder, const char *input, bool checkpoint,
                                  judo_parity_pass *out)
{
    return judo_parity_pass_open_in(folder, input, checkpoint, JUDO_F32, out);
}

void judo_parity_pass_close(judo_parity_pass *pass)
{
    judo_model_destroy(&pass->model);
    judo_batch_builder_destroy(&pass->builder);
    judo_parity_samples_close(&pass->samples);
}
