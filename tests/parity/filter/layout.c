/* tests/parity/filter/layout.c: the weights that a configuration asks for. */
#include "models/layout.h"
#include "tests/parity/filter/filters.h"

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    const char *folder;
    judo_qwen_config config;
    judo_param_layout *layout = NULL;
    const judo_freeze none = {0};
    JUDO_TRY(judo_json_get_string(request, "model", source, &folder));
    JUDO_TRY(judo_qwen_config_load(folder, &config));
    JUDO_TRY(judo_qwen_layout_create(&config, &none, &layout));
    judo_json_begin_object(answer, NULL);
    judo_json_begin_object(answer, "shapes");
    for (int p = 0; p < layout->num_params; p++) {
        const judo_param *param = &layout->params[p];
        judo_json_begin_array(answer, param->name);
        for (int d = 0; d < param->num_dims; d++) {
            judo_json_put_int(answer, NULL, param->dims[d]);
        }
        judo_json_end_array(answer);
    }
    judo_json_end_object(answer);
    judo_json_end_object(answer);
    judo_qwen_layout_destroy(&layout);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_layout = {
    .name = "layout",
    .summary = "names and shapes of a configuration's weights",
    .help = "judo_parity layout: reads FOLDER/config.json only\n\n"
            "  {\"model\": FOLDER}  ->  {\"shapes\": {NAME: [dims], ..}}\n",
    .run = run,
};
