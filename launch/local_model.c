/* launch/local_model.c: configuration, plan and weights of a model directory. */
#include "launch/local_model.h"

#include "models/checkpoint_directory.h"

judo_status judo_local_model_prepare(const char *folder, const judo_device *device,
                                     int64_t max_tokens, int64_t max_patches, judo_dtype dtype,
                                     judo_local_model *out)
{
    judo_qwen_config config;
    judo_model_options options = {.forward_only = true,
                                  .dtype = dtype,
                                  .max_tokens = max_tokens,
                                  .max_patches = max_patches};
    *out = (judo_local_model){0};
    JUDO_TRY(judo_qwen_config_load(folder, &config));
    return judo_model_prepare(&config, device, &options, &out->model);
}

judo_status judo_local_model_load(const char *folder, judo_dtype dtype, judo_local_model *model)
{
    judo_weight_source source = {0};
    const judo_param_layout *layout = judo_model_layout(model->model);
    JUDO_TRY(judo_model_take_memory(model->model));
    JUDO_TRY(judo_local_params_create(layout, judo_model_device(model->model), dtype, false,
                                      &model->params));
    JUDO_TRY(judo_model_source_open(folder, layout, &source));
    judo_status status = judo_local_params_load(model->params, &source);
    judo_model_source_close(&source);
    return status;
}

judo_status judo_local_model_open(const char *folder, const judo_device *device,
                                  int64_t max_tokens, int64_t max_patches, judo_dtype dtype,
                                  judo_local_model *out)
{
    JUDO_TRY(judo_local_model_prepare(folder, device, max_tokens, max_patches, dtype, out));
    return judo_local_model_load(folder, dtype, out);
}

void judo_local_model_close(judo_local_model *model)
{
    judo_local_params_destroy(&model->params);
    judo_model_destroy(&model->model);
}
