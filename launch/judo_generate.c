/* launch/judo_generate.c: completions of chat messages. */
#include <string.h>

#include "launch/chat_request.h"
#include "launch/tool.h"
#include "models/generate.h"

static const char help[] =
    "judo generate: completions of chat messages\n\n"
    "usage: judo generate MODEL_DIR [--input FILE] [options]\n\n"
    "Reads JSON lines and answers each with one:\n"
    "  {\"messages\": [{\"role\": \"user\", \"content\": [\n"
    "       {\"type\": \"image\", \"image\": \"a.png\"},\n"
    "       {\"type\": \"text\", \"text\": \"Any defect?\"}]}]}\n"
    "  -> {\"text\": \"...\", \"tokens\": [ids], \"logprobs\": [natural logarithms],\n"
    "      \"stopped\": true}\n\n"
    "A completion ends with <|im_end|> or <|endoftext|> (\"stopped\": true; the token is the\n"
    "last of \"tokens\", not part of \"text\") or after max_new_tokens. The log-probabilities\n"
    "are the model's own, before temperature and filters. With n > 1 the answer is\n"
    "{\"completions\": [{\"text\", ..}, ..]}. An \"id\" is copied; \"add_vision_id\": true\n"
    "puts \"Picture 1: \" and so on before the images; other members are ignored.\n\n"
    "Each of these is an option for all requests, and a member of a request (with _ for -)\n"
    "that overrides it:\n"
    "  --max-new-tokens N       default 256\n"
    "  --temperature X          default 0: the likeliest token each time (greedy)\n"
    "  --top-k N                only the N likeliest; default 0: all\n"
    "  --top-p X                only the likeliest that reach this share together; default 1\n"
    "  --min-p X                only tokens with this share of the likeliest one's\n"
    "                           probability; default 0: all\n"
    "  --repetition-penalty X   for tokens that prompt or completion have; default 1: none\n"
    "  --seed N                 default 0; the same request and seed give the same text\n"
    "  --n N                    completions of each request, default 1\n\n"
    "  --input FILE             instead of standard input\n"
    "  --root FOLDER            what image paths are relative to; default: the current folder\n"
    "  --max-tokens N           longest prompt, default 8192; memory is planned for it\n"
    "  --max-patches N          most image patches (14 x 14 pixels) of a request,\n"
    "                           default 16384\n"
    "  --dtype NAME             what the model computes in: f32 (default) or bf16\n"
    "  --device NAME            what computes: cpu, cuda, or auto (default): cuda where it "
    "works\n"
    "  --ban-controls           as in training and judo_eval: vision and control tokens, and\n"
    "                           vocabulary rows without a token, are never drawn\n\n"
    "example: judo generate model --temperature 0.7 --top-p 0.9 --input requests.jsonl\n";

enum { MOST_TOKENS = 1 << 24 }; /* of one answer */

typedef struct draw_settings {
    int64_t max_new_tokens, top_k, seed, n;
    double temperature, top_p, min_p, repetition_penalty;
} draw_settings;

typedef struct generate {
    judo_chat_model model;
    draw_settings defaults;
    judo_text text;
} generate;

static judo_status check_settings(const draw_settings *s, const char *source)
{
    const struct {
        const char *name;
        double value, lowest, highest;
    } ranges[] = {
        {"max_new_tokens", (double)s->max_new_tokens, 1, 1e6},
        {"temperature", s->temperature, 0, 1e3},
        {"top_k", (double)s->top_k, 0, 1e9},
        {"top_p", s->top_p, 1e-9, 1},
        {"min_p", s->min_p, 0, 1},
        {"repetition_penalty", s->repetition_penalty, 1e-3, 1e3},
        {"seed", (double)s->seed, 0, 0x1p53},
        {"n", (double)s->n, 1, 4096},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (!(ranges[i].value >= ranges[i].lowest && ranges[i].value <= ranges[i].highest)) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: %s is %g; it must be %g to %g", source,
                             ranges[i].name, ranges[i].value, ranges[i].lowest,
                             ranges[i].highest);
        }
    }
    if (s->n * s->max_new_tokens > MOST_TOKENS) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "%s: n %lld times max_new_tokens %lld is more than %d; ask for less at once",
            source, (long long)s->n, (long long)s->max_new_tokens, MOST_TOKENS);
    }
    return JUDO_OK;
}

static judo_status read_settings(const draw_settings *defaults, const judo_json *request,
                                 const char *source, draw_settings *out)
{
    const struct {
        const char *key;
        int64_t fallback, *target;
    } integers[] = {{"max_new_tokens", defaults->max_new_tokens, &out->max_new_tokens},
                    {"top_k", defaults->top_k, &out->top_k},
                    {"seed", defaults->seed, &out->seed},
                    {"n", defaults->n, &out->n}};

    const struct {
        const char *key;
        double fallback, *target;
    } numbers[] = {
        {"temperature", defaults->temperature, &out->temperature},
        {"top_p", defaults->top_p, &out->top_p},
        {"min_p", defaults->min_p, &out->min_p},
        {"repetition_penalty", defaults->repetition_penalty, &out->repetition_penalty}};

    for (int i = 0; i < 4; i++) {
        JUDO_TRY(judo_json_get_int_or(request, integers[i].key, source, integers[i].fallback,
                                      integers[i].target));
        JUDO_TRY(judo_json_get_double_or(request, numbers[i].key, source, numbers[i].fallback,
                                         numbers[i].target));
    }
    return check_settings(out, source);
}

static judo_status draw(generate *self, const judo_chat_prompt *prompt, const draw_settings *s,
                        judo_generation *generation)
{
    judo_chat_model *m = &self->model;
    const uint64_t key =
        0; /* the text depends on request and seed, not on the place in the file */
    int32_t stops[] = {m->specials.im_end, m->specials.endoftext};
    judo_batch batch;
    judo_generate_options options = {
        .sampling = {.temperature = (float)s->temperature,
                     .top_k = (int32_t)s->top_k,
                     .top_p = (float)s->top_p,
                     .min_p = (float)s->min_p,
                     .repetition_penalty = (float)s->repetition_penalty},
        .max_new_tokens = (int32_t)s->max_new_tokens,
        .stop_tokens = stops,
        .num_stop_tokens = 2,
        .banned = m->banned,
        .seed = (uint64_t)s->seed,
        .logprob_temperature = 1.0f,
    };
    judo_batch_builder_reset(m->builder);
    JUDO_TRY(judo_batch_builder_add(m->builder, &prompt->view));
    JUDO_TRY(judo_batch_builder_batch(m->builder, &batch));
    return judo_generate(m->local.model, judo_local_params_base(m->local.params), &batch, &key,
                         (int32_t)s->n, &options, generation);
}

static judo_status put_completion(generate *self, const judo_generation *generation,
                                  int32_t row, judo_json_writer *answer)
{
    const int32_t *tokens = generation->tokens + (int64_t)row * generation->max_new_tokens;
    const float *logprobs = generation->logprobs + (int64_t)row * generation->max_new_tokens;
    int32_t length = generation->lengths[row];
    judo_text_clear(&self->text);
    JUDO_TRY(judo_tokenizer_decode(self->model.tokenizer, tokens, length, true, &self->text));
    judo_json_put_bytes(answer, "text", self->text.bytes ? self->text.bytes : "",
                        self->text.length);
    judo_json_begin_array(answer, "tokens");
    for (int32_t i = 0; i < length; i++) {
        judo_json_put_int(answer, NULL, tokens[i]);
    }
    judo_json_end_array(answer);
    judo_json_begin_array(answer, "logprobs");
    for (int32_t i = 0; i < length; i++) {
        judo_json_put_float(answer, NULL, logprobs[i]);
    }
    judo_json_end_array(answer);
    judo_json_put_bool(answer, "stopped", generation->stopped[row]);
    return JUDO_OK;
}

static judo_status put_answer(generate *self, const judo_generation *generation,
                              judo_json_writer *answer)
{
    if (generation->num_rows == 1) {
        return put_completion(self, generation, 0, answer);
    }
    judo_json_begin_array(answer, "completions");
    for (int32_t row = 0; row < generation->num_rows; row++) {
        judo_json_begin_object(answer, NULL);
        JUDO_TRY(put_completion(self, generation, row, answer));
        judo_json_end_object(answer);
    }
    judo_json_end_array(answer);
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    generate *self = context;
    draw_settings settings;
    judo_chat_prompt prompt;
    judo_generation generation;
    JUDO_TRY(read_settings(&self->defaults, request, source, &settings));
    JUDO_TRY(judo_chat_prompt_read(&self->model, request, source, &prompt));
    judo_status status = judo_generation_create((int32_t)settings.n,
                                                (int32_t)settings.max_new_tokens, &generation);
    if (status == JUDO_OK) {
        judo_json_begin_object(answer, NULL);
        status = judo_chat_copy_id(request, source, answer);
        if (status == JUDO_OK) {
            status = draw(self, &prompt, &settings, &generation);
        }
        if (status == JUDO_OK) {
            status = put_answer(self, &generation, answer);
        }
        judo_json_end_object(answer);
        judo_generation_free(&generation);
    }
    judo_chat_prompt_free(&prompt);
    return status;
}

static judo_status run(int argc, char **argv)
{
    const char *folder, *input = NULL;
    int count;
    generate self = {
        .defaults = {.max_new_tokens = 256, .n = 1, .top_p = 1, .repetition_penalty = 1}};
    draw_settings *s = &self.defaults;
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
        {"max-new-tokens", JUDO_OPTION_INT, &s->max_new_tokens},
        {"temperature", JUDO_OPTION_FLOAT, &s->temperature},
        {"top-k", JUDO_OPTION_INT, &s->top_k},
        {"top-p", JUDO_OPTION_FLOAT, &s->top_p},
        {"min-p", JUDO_OPTION_FLOAT, &s->min_p},
        {"repetition-penalty", JUDO_OPTION_FLOAT, &s->repetition_penalty},
        {"seed", JUDO_OPTION_INT, &s->seed},
        {"n", JUDO_OPTION_INT, &s->n},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, (int)(sizeof options / sizeof options[0]),
                                1, 1, &folder, &count));
    JUDO_TRY(check_settings(s, "options"));
    JUDO_TRY(judo_chat_model_open(folder, &model, &self.model));
    judo_status status = judo_filter_run(input, answer_request, &self);
    judo_chat_model_close(&self.model);
    judo_text_free(&self.text);
    return status;
}

const judo_tool judo_tool_generate = {
    .name = "generate",
    .summary = "completions of chat messages",
    .help = help,
    .run = run,
};
