/* launch/judo_embed.c: sentence embeddings. */
#include <string.h>

#include "launch/tool.h"
#include "rewards/text_embedder.h"
#include "runtime/device_choice.h"
#include "runtime/dtype_choice.h"

static const char help[] =
    "judo embed: sentence embeddings by all-MiniLM-L6-v2\n\n"
    "usage: judo embed MINILM_DIR [--input FILE] [--dtype NAME] [--device NAME]\n\n"
    "Reads JSON lines {\"text\": \"...\"} and answers each with "
    "{\"embedding\": [384 numbers]}, of length 1.\n"
    "launch/get-minilm brings the model.\n\n"
    "  --input FILE   instead of standard input\n"
    "  --dtype NAME   what the model computes in: f32 (default) or bf16\n"
    "  --device NAME  what computes: cpu, cuda, or auto (default): cuda where it works\n";

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    const char *text;
    float embedding[JUDO_MINILM_WIDTH];
    JUDO_TRY(judo_json_get_string(request, "text", source, &text));
    size_t length = strlen(text);
    JUDO_TRY(judo_text_embedder_embed(context, &text, &length, 1, embedding));
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, "embedding");
    for (int i = 0; i < JUDO_MINILM_WIDTH; i++) {
        judo_json_put_float(answer, NULL, embedding[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *folder, *input = NULL, *dtype_name = "f32", *device_name = "auto";
    int count;
    judo_dtype dtype;
    const judo_device *device;
    judo_text_embedder *embedder = NULL;
    const judo_option options[] = {
        {"input", JUDO_OPTION_STRING, &input},
        {"dtype", JUDO_OPTION_STRING, &dtype_name},
        {"device", JUDO_OPTION_STRING, &device_name},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 3, 1, 1, &folder, &count));
    JUDO_TRY(judo_dtype_parse(dtype_name, "--dtype", &dtype));
    JUDO_TRY(judo_device_choose_named(device_name, "--device", &device));
    JUDO_TRY(judo_text_embedder_open(folder, dtype, device, &embedder));
    judo_status status = judo_filter_run(input, answer_request, embedder);
    judo_text_embedder_close(&embedder);
    return status;
}

const judo_tool judo_tool_embed = {
    .name = "embed",
    .summary = "sentence embeddings by all-MiniLM-L6-v2",
    .help = help,
    .run = run,
};
