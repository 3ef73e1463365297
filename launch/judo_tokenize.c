/* launch/judo_tokenize.c: text to token ids and back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/buffers.h"
#include "data/tokenizer.h"
#include "data/wordpiece.h"
#include "launch/chat_request.h"
#include "launch/tool.h"

static const char help[] =
    "judo tokenize: text to token ids and back\n\n"
    "usage: judo tokenize MODEL_DIR [--input FILE] [options]\n\n"
    "Reads JSON lines and answers each with one:\n"
    "  {\"text\": \"...\"}         ->  {\"tokens\": [ids]}\n"
    "  {\"tokens\": [ids]}        ->  {\"text\": \"...\"}; \"skip_special\": true leaves "
    "special\n"
    "                               tokens out\n"
    "  {\"messages\": [...]}      ->  {\"tokens\": [ids]}, as `judo generate` reads them, an\n"
    "                               image as often as it has visual tokens; takes\n"
    "                               \"add_vision_id\" and \"add_generation_prompt\", too\n\n"
    "A folder with vocab.txt and without vocab.json (BERT, all-MiniLM-L6-v2) is read as\n"
    "uncased WordPiece, which knows only \"text\".\n\n"
    "  --input FILE     instead of standard input\n"
    "  --plain          special tokens in the text are ordinary characters\n"
    "  --max-tokens N   WordPiece: longest answer, [CLS] and [SEP] included, cut on the "
    "right;\n"
    "                   default 256, as `judo embed` reads texts\n"
    "  --root FOLDER    what image paths are relative to; default: the current folder\n\n"
    "example: echo '{\"text\": \"Is there any defect?\"}' | judo tokenize model\n";

typedef struct tokenize {
    const char *folder, *root;
    judo_tokenizer *tokenizer; /* one of these two */
    judo_wordpiece *wordpiece;
    judo_chat_model *chat; /* NULL until a request has messages */
    judo_chat_model chat_room;
    judo_ids ids;
    judo_text text;
    int64_t max_tokens;
    bool plain;
} tokenize;

static void put_tokens(judo_json_writer *answer, const judo_ids *ids)
{
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, "tokens");
    for (int64_t i = 0; i < ids->count; i++) {
        judo_json_put_int(answer, NULL, ids->ids[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
}

static judo_status answer_messages(tokenize *self, const judo_json *request, const char *source,
                                   judo_json_writer *answer)
{
    judo_chat_prompt prompt;
    if (self->chat == NULL) {
        const judo_chat_model_options options = {
            .root = self->root, .max_tokens = 10000000, .max_patches = 10000000};
        JUDO_TRY(judo_chat_model_open_prompts(self->folder, &options, &self->chat_room));
        self->chat = &self->chat_room;
    }
    JUDO_TRY(judo_chat_prompt_read(self->chat, request, source, &prompt));
    put_tokens(answer, &prompt.ids);
    judo_chat_prompt_free(&prompt);
    return JUDO_OK;
}

static judo_status decode(tokenize *self, const judo_json *request, const char *source,
                          judo_json_writer *answer)
{
    const judo_json *tokens = judo_json_get(request, "tokens");
    bool skip_special;
    if (!judo_json_is_array(tokens)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'tokens' must be an array of ids", source);
    }
    JUDO_TRY(judo_json_get_bool_or(request, "skip_special", source, false, &skip_special));
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
    JUDO_TRY(judo_tokenizer_decode(self->tokenizer, self->ids.ids, self->ids.count,
                                   skip_special, &self->text));
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
    if (self->tokenizer != NULL && judo_json_get(request, "tokens")) {
        return decode(self, request, source, answer);
    }
    if (self->tokenizer != NULL && judo_json_get(request, "messages")) {
        return answer_messages(self, request, source, answer);
    }
    const char *text;
    JUDO_TRY(judo_json_get_string(request, "text", source, &text));
    judo_ids_clear(&self->ids);
    if (self->wordpiece != NULL) {
        JUDO_TRY(judo_wordpiece_encode(self->wordpiece, text, strlen(text),
                                       (int32_t)self->max_tokens, &self->ids));
    } else {
        JUDO_TRY(judo_tokenizer_encode(self->tokenizer, text, strlen(text), !self->plain,
                                       &self->ids));
    }
    put_tokens(answer, &self->ids);
    return JUDO_OK;
}

static bool has_file(const char *folder, const char *name)
{
    char path[1200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static judo_status open_folder(tokenize *self)
{
    if (!has_file(self->folder, "vocab.txt") || has_file(self->folder, "vocab.json")) {
        return judo_tokenizer_open(self->folder, &self->tokenizer);
    }
    if (self->plain || self->max_tokens < 2 || self->max_tokens > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s is read as WordPiece, which has no --plain, and --max-tokens %lld "
                         "must be 2 or more",
                         self->folder, (long long)self->max_tokens);
    }
    return judo_wordpiece_open(self->folder, &self->wordpiece);
}

static judo_status run(int argc, char **argv)
{
    const char *input = NULL;
    int count;
    tokenize self = {.max_tokens = 256};
    const judo_option options[] = {{"input", JUDO_OPTION_STRING, &input},
                                   {"plain", JUDO_OPTION_FLAG, &self.plain},
                                   {"max-tokens", JUDO_OPTION_INT, &self.max_tokens},
                                   {"root", JUDO_OPTION_STRING, &self.root}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 4, 1, 1, &self.folder, &count));
    JUDO_TRY(open_folder(&self));
    judo_status status = judo_filter_run(input, answer_request, &self);
    judo_tokenizer_close(&self.tokenizer);
    judo_wordpiece_close(&self.wordpiece);
    if (self.chat != NULL) {
        judo_chat_model_close(self.chat);
    }
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
