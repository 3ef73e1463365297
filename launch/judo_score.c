/* launch/judo_score.c: log-probabilities of given completions. */
#include <stdlib.h>
#include <string.h>

#include "launch/chat_request.h"
#include "launch/tool.h"

static const char help[] =
    "judo score: log-probabilities of given completions\n\n"
    "usage: judo score MODEL_DIR [--input FILE] [options]\n\n"
    "Reads JSON lines and answers each with one:\n"
    "  {\"messages\": [{\"role\": \"user\", \"content\": [\n"
    "       {\"type\": \"image\", \"image\": \"a.png\"},\n"
    "       {\"type\": \"text\", \"text\": \"Any defect?\"}]}],\n"
    "   \"completion\": \"No.<|im_end|>\"}\n"
    "  -> {\"tokens\": [ids of the completion], \"logprobs\": [natural logarithms]}\n\n"
    "The messages are rendered by Qwen2.5-VL's chat template with the assistant's header\n"
    "behind (content may also be one string); the completion's ids follow directly. Special\n"
    "tokens written in the completion are recognised: its end counts if you write\n"
    "<|im_end|>. Instead of \"completion\", \"completion_tokens\": [ids] gives the ids\n"
    "themselves, as `judo generate` returns them. An \"id\" is copied; \"add_vision_id\":\n"
    "true puts \"Picture 1: \" and so on before the images; other members are ignored.\n\n"
    "  --input FILE      instead of standard input\n"
    "  --root FOLDER     what image paths are relative to; default: the current folder\n"
    "  --max-tokens N    longest prompt and completion together, default 8192; memory is\n"
    "                    planned for it\n"
    "  --max-patches N   most image patches (14 x 14 pixels) of a request, default 16384\n"
    "  --dtype NAME      what the model computes in: f32 (default) or bf16\n"
    "  --device NAME     what computes: cpu, cuda, or auto (default): cuda where it works\n"
    "  --ban-controls    as in training and judo_eval: vision and control tokens, and\n"
    "                    vocabulary rows without a token, have no probability (null)\n\n"
    "example: judo score model --input requests.jsonl > scores.jsonl\n";

typedef struct score {
    judo_chat_model model;
    judo_ids completion;
    float *logprobs;
    int64_t capacity;
} score;

static judo_status read_ids(score *self, const judo_json *tokens, const char *source)
{
    int64_t vocab = judo_model_config(self->model.local.model)->text.vocab_size;
    if (!judo_json_is_array(tokens)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'completion_tokens' must be a list of ids",
                         source);
    }
    for (const judo_json *item = judo_json_first(tokens); item; item = judo_json_next(item)) {
        int64_t id;
        JUDO_TRY(judo_json_as_int(item, source, &id));
        if (id < 0 || id >= vocab) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: token id %lld is not one of the model's %lld", source,
                             (long long)id, (long long)vocab);
        }
        JUDO_TRY(judo_ids_append(&self->completion, (int32_t)id));
    }
    return JUDO_OK;
}

static judo_status read_completion(score *self, const judo_json *request, const char *source)
{
    const judo_json *tokens = judo_json_get(request, "completion_tokens");
    const char *text;
    judo_ids_clear(&self->completion);
    if (tokens) {
        return read_ids(self, tokens, source);
    }
    JUDO_TRY(judo_json_get_string(request, "completion", source, &text));
    return judo_tokenizer_encode(self->model.tokenizer, text, strlen(text), true,
                                 &self->completion);
}

static judo_status reserve(score *self)
{
    if (self->completion.count > self->capacity || !self->logprobs) {
        int64_t capacity = 2 * self->completion.count + 64;
        float *grown = realloc(self->logprobs, (size_t)capacity * sizeof *grown);
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld log-probabilities",
                             (long long)capacity);
        }
        self->logprobs = grown;
        self->capacity = capacity;
    }
    return JUDO_OK;
}

static judo_status run_model(score *self, const judo_chat_prompt *prompt)
{
    judo_chat_model *m = &self->model;
    judo_completion completion = {.tokens = self->completion.ids,
                                  .num_tokens = (int32_t)self->completion.count,
                                  .weight = 1.0f};
    judo_token_loss loss = {.kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = 1.0f};
    judo_token_result result = {0};
    judo_batch batch;
    JUDO_TRY(judo_chat_model_check_size(m, prompt->ids.count + self->completion.count,
                                        prompt->num_patches));
    JUDO_TRY(reserve(self));
    result.logprobs = self->logprobs;
    judo_batch_builder_reset(m->builder);
    JUDO_TRY(judo_batch_builder_add_group(m->builder, &prompt->view, &completion, 1));
    JUDO_TRY(judo_batch_builder_batch(m->builder, &batch));
    return judo_model_run(m->local.model, judo_local_params_base(m->local.params), &batch,
                          &loss, false, &result);
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    score *self = context;
    judo_chat_prompt prompt;
    JUDO_TRY(read_completion(self, request, source));
    JUDO_TRY(judo_chat_prompt_read(&self->model, request, source, &prompt));
    judo_status status = run_model(self, &prompt);
    judo_chat_prompt_free(&prompt);
    JUDO_TRY(status);
    judo_json_begin_object(answer, NULL);
    JUDO_TRY(judo_chat_copy_id(request, source, answer));
    judo_json_begin_array(answer, "tokens");
    for (int64_t i = 0; i < self->completion.count; i++) {
        judo_json_put_int(answer, NULL, self->completion.ids[i]);
    }
    judo_json_end_array(answer);
    judo_json_begin_array(answer, "logprobs");
    for (int64_t i = 0; i < self->completion.count; i++) {
        judo_json_put_float(answer, NULL, self->logprobs[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *folder, *input = NULL;
    int count;
    score self = {0};
    judo_chat_model_options model = {.root = ".",
                                     .max_tokens = 8192,
                                     .max_patches = 16384,
                                     .dtype = "f32",
                                     .device = "auto"};
    const judo_option options[] = {
        {"input", JUDO_OPTION_STRING, &input},
        {"root", JUDO_OPTION_STRING, &model.root},
        {"max-tokens", JUDO_OPTION_INT, &model.max_tokens},
        {"max-patches", JUDO_OPTION_INT, &model.max_patches},
        {"dtype", JUDO_OPTION_STRING, &model.dtype},
        {"device", JUDO_OPTION_STRING, &model.device},
        {"ban-controls", JUDO_OPTION_FLAG, &model.ban_controls},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 7, 1, 1, &folder, &count));
    JUDO_TRY(judo_chat_model_open(folder, &model, &self.model));
    judo_status status = judo_filter_run(input, answer_request, &self);
    judo_chat_model_close(&self.model);
    judo_ids_free(&self.completion);
    free(self.logprobs);
    return status;
}

const judo_tool judo_tool_score = {
    .name = "score",
    .summary = "log-probabilities of given completions",
    .help = help,
    .run = run,
};
