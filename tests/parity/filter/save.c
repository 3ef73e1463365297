/* tests/parity/filter/save.c: a model directory written again, in shards of any size. */
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint_directory.h"
#include "models/layout.h"
#include "tests/parity/filter/filters.h"

static judo_status write_weights(const judo_param_layout *layout,
                                 const judo_weight_source *source, judo_model_writer *writer)
{
    for (int p = 0; p < layout->num_params; p++) {
        const judo_param *param = &layout->params[p];
        float *values = malloc((size_t)param->count * sizeof *values);
        judo_status status =
            values ? source->read(source->context, param, 0, param->count, values)
                   : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s", param->name);
        if (status == JUDO_OK) {
            status = judo_model_writer_write(writer, p, 0, param->count, values);
        }
        free(values);
        JUDO_TRY(status);
    }
    return JUDO_OK;
}

static judo_status save(const char *folder, const char *output, judo_dtype dtype,
                        int64_t shard_bytes)
{
    judo_qwen_config config;
    judo_param_layout *layout = NULL;
    judo_weight_source source = {0};
    judo_model_writer *writer = NULL;
    const judo_freeze none = {0};
    judo_status status;
    JUDO_TRY(judo_qwen_config_load(folder, &config));
    JUDO_TRY(judo_qwen_layout_create(&config, &none, &layout));
    JUDO_TRY_GOTO(status, no_source, judo_model_source_open(folder, layout, &source));
    JUDO_TRY_GOTO(status, done,
                  judo_model_writer_create(output, layout, dtype, shard_bytes, &writer));
    JUDO_TRY_GOTO(status, done, judo_model_writer_begin(writer));
    JUDO_TRY_GOTO(status, done, write_weights(layout, &source, writer));
    JUDO_TRY_GOTO(status, done, judo_model_writer_sync(writer));
    JUDO_TRY_GOTO(status, done, judo_model_copy_files(folder, output));
    status = judo_model_writer_end(writer);
done:
    judo_model_writer_destroy(&writer);
    judo_model_source_close(&source);
no_source:
    judo_qwen_layout_destroy(&layout);
    return status;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    const char *folder, *output, *dtype;
    int64_t shard_bytes;
    JUDO_TRY(judo_json_get_string(request, "model", source, &folder));
    JUDO_TRY(judo_json_get_string(request, "output", source, &output));
    JUDO_TRY(judo_json_get_string_or(request, "dtype", source, "F32", &dtype));
    JUDO_TRY(judo_json_get_int_or(request, "shard_bytes", source, 0, &shard_bytes));
    JUDO_TRY(
        save(folder, output, strcmp(dtype, "BF16") == 0 ? JUDO_BF16 : JUDO_F32, shard_bytes));
    judo_json_begin_object(answer, NULL);
    judo_json_put_string(answer, "output", output);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_save = {
    .name = "save",
    .summary = "a model directory written again",
    .help = "judo_parity save: reads a model directory and writes it anew\n\n"
            "  {\"model\": FOLDER, \"output\": FOLDER, \"dtype\": \"F32\"|\"BF16\",\n"
            "   \"shard_bytes\": N (0: 5 GB)}  ->  {\"output\": FOLDER}\n",
    .run = run,
};
