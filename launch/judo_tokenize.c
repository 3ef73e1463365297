/* launch/judo_tokenize.c: text to token ids and back. */
#include <string.h>

#include "data/buffers.h"
#include "data/tokenizer.h"
#include "launch/tool.h"

static const char help[] =
    "judo tokenize: text to token ids and back\n\n"
    "usage: judo tokenize MODEL_DIR [--input FILE] [--plain]\n\n"
    "Reads JSON lines and answers each with one:\n"
    "  {\"text\": \"...\"}      ->  {\"tokens\": [ids]}\n"
    "  {\"tokens\": [ids]}     ->  {\"text\": \"...\"}\n\n"
    "  --input FILE   instead of standard input\n"
    "  --plain        special tokens in the text are ordinary characters\n\n"
    "example: echo '{\"text\": \"Is there any defect?\"}' | judo tokenize model\n";

typedef struct tokenize {
    judo_tokenizer *tokenizer;
    judo_ids ids;
    judo_text text;
    bool plain;
} tokenize;

static judo_status decode(tokenize *self, const judo_json *tokens, const char *source,
                          judo_json_writer *answer)
{
    judo_ids_clear(&self->ids);
    judo_text_clear(&self->text);
    for (const judo_json *item = judo_json_first(tokens); item; item = judo_json_next(item)) {
        int64_t id;
        JUDO_TRY(judo_json_as_int(item, source, &id));
        if (id < 0 || id >= judo_tokenizer_size(self->tokenizer)) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: token id %lld is not in the vocabulary",
                             source, (long long)id);
        }
        JUDO_TRY(judo_ids_append(&self->ids, (int32_t)id));
    }
    JUDO_TRY(judo_tokenizer_decode(self->tokenizer, self->ids.ids, self->ids.count, false,
                                   &self->text));
    judo_json_begin_object(answer, NULL);
    judo_json_put_bytes(answer, "text", self->text.bytes ? self->text.bytes : "",
                        self->text.length);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    tokenize *self = context;
    const judo_json *tokens = judo_json_get(request, "tokens");
    if (tokens) {
        if (!judo_json_is_array(tokens)) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'tokens' must be an array of ids", source);
        }
        return decode(self, tokens, source, answer);
    }
    const char *text;
    JUDO_TRY(judo_json_get_string(request, "text", source, &text));
    judo_ids_clear(&self->ids);
    JUDO_TRY(
        judo_tokenizer_encode(self->tokenizer, text, strlen(text), !self->plain, &self->ids));
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, "tokens");
    for (int64_t i = 0; i < self->ids.count; i++) {
        judo_json_put_int(answer, NULL, self->ids.ids[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *folder, *input = NULL;
    int count;
    tokenize self = {0};
    const judo_option options[] = {{"input", JUDO_OPTION_STRING, &input},
                                   {"plain", JUDO_OPTION_FLAG, &self.plain}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 2, 1, 1, &folder, &count));
    JUDO_TRY(judo_tokenizer_open(folder, &self.tokenizer));
    judo_status status = judo_filter_run(input, answer_request, &self);
    judo_tokenizer_close(&self.tokenizer);
    judo_ids_free(&self.ids);
    judo_text_free(&self.text);
    return status;
}

const judo_tool judo_tool_tokenize = {
    .name = "tokenize",
    .summary = "text to token ids and back",
    .help = help,
    .run = run,
};
