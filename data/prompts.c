/* data/prompts.c: the wording, and the conversations made of it. */
#include "data/prompts.h"

#include <stdlib.h>
#include <string.h>

static const char identity[] =
    "You are an assistant that helps with quality control of industrial products.";

static const char compact_system[] = "Inspect.";

static const char grid[] =
    "\n\nThe query image is divided into 16×16 patches. A patch is written (row,col), counted "
    "from (1,1) in the top‑left corner.";

static const char order_segmentation[] =
    "\n\nAnswer in this order:\n"
    "1) <seg> ... </seg>: the anomalous patches, single ones as (row,col), neighbours in a row "
    "as (row,col1)-(row,col2), separated by commas; 'None' if there is no anomaly.\n"
    "2) <think> ... </think>: a short comparison of the query with the normal template.";

static const char order_choice[] =
    "\n\nAnswer in this order:\n"
    "1) <seg> ... </seg>: the anomalous patches, 'None' if the query is clean.\n"
    "2) <think> ... </think>: a short comparison that leads to the answer.\n"
    "3) <answer>A|B|C|D</answer>: the letter of the right option.";

/* What a prompt is made of. */
typedef struct outline {
    const char *system;
    int32_t num_images;
    const char *before, *question, *after; /* the user's text: parts in this order */
} outline;

static judo_chat_part text_part(const char *text)
{
    return (judo_chat_part){.kind = JUDO_CHAT_TEXT, .text = text};
}

void judo_prompt_free(judo_prompt *prompt)
{
    for (int32_t m = 0; m < prompt->num_messages; m++) {
        const judo_chat_message *message = &prompt->messages[m];
        for (int32_t i = 0; i < message->num_parts; i++) {
            free((void *)message->parts[i].text);
        }
    }
    free(prompt->parts);
    *prompt = (judo_prompt){0};
}

static char *own(judo_text *text)
{
    char *bytes = text->bytes;
    *text = (judo_text){0};
    return bytes;
}

/* The user's text. */
static judo_status write_user(const judo_prompt_spec *spec, const outline *o, judo_text *out)
{
    JUDO_TRY(judo_text_append_string(out, o->before));
    if (spec->domain != NULL && spec->style == JUDO_PROMPTS_COMPACT) {
        JUDO_TRY(judo_text_append_format(out, " %s", spec->domain));
    } else if (spec->domain != NULL) {
        JUDO_TRY(judo_text_append_format(out, "\nDomain knowledge about the object:\n%s",
                                         spec->domain));
    }
    JUDO_TRY(judo_text_append_string(out, o->question));
    return judo_text_append_string(out, o->after);
}

static judo_status build(const judo_prompt_spec *spec, const outline *o, judo_prompt *out)
{
    enum { MOST_PARTS = 5 }; /* system, two images, the user's text, the reply */

    judo_text user = {0};
    judo_status status = write_user(spec, o, &user);
    char *system = strdup(o->system);
    judo_chat_part *parts = calloc(MOST_PARTS, sizeof *parts);
    if (status == JUDO_OK && (system == NULL || parts == NULL)) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a prompt");
    }
    if (status != JUDO_OK) {
        judo_text_free(&user);
        free(system);
        free(parts);
        return status;
    }
    parts[0] = text_part(system);
    for (int32_t i = 0; i < o->num_images; i++) {
        parts[1 + i].kind = JUDO_CHAT_IMAGE;
    }
    parts[1 + o->num_images] = text_part(own(&user));
    *out = (judo_prompt){
        .messages = {{.role = "system", .parts = parts, .num_parts = 1},
                     {.role = "user", .parts = parts + 1, .num_parts = o->num_images + 1}},
        .num_messages = 2,
        .parts = parts,
    };
    return JUDO_OK;
}

judo_status judo_prompt_reply(judo_prompt *prompt, const char *text)
{
    if (prompt->num_messages != 2) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a prompt with %d messages takes no reply",
                         prompt->num_messages);
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a reply");
    }
    judo_chat_part *part = prompt->parts + 1 + prompt->messages[1].num_parts;
    *part = text_part(copy);
    prompt->messages[prompt->num_messages++] =
        (judo_chat_message){.role = "assistant", .parts = part, .num_parts = 1};
    return JUDO_OK;
}

/* The system message of the full style: the identity and `rest`. */
static judo_status build_full(const judo_prompt_spec *spec, outline *o, const char *rest,
                              judo_prompt *out)
{
    judo_text system = {0};
    judo_status status =
        judo_text_append_format(&system, "%s%s%s", identity, rest[0] == '\0' ? "" : grid, rest);
    if (status == JUDO_OK) {
        o->system = system.bytes;
        status = build(spec, o, out);
    }
    judo_text_free(&system);
    return status;
}

judo_status judo_prompt_segmentation(const judo_prompt_spec *spec, judo_prompt *out)
{
    outline o = {.num_images = 2, .question = "", .after = ""};
    if (spec->style == JUDO_PROMPTS_COMPACT) {
        o.system = compact_system;
        o.before = "Query, normal.";
        o.after = " Mark the anomaly.";
        return build(spec, &o, out);
    }
    o.before = "First image = QUERY; second image = NORMAL template.";
    o.after = "\nMark the anomalous region of the query and describe how it differs from the "
              "template.";
    return build_full(spec, &o, order_segmentation, out);
}

/* A prompt whose question is `lead` and `question` with its options. */
static judo_status build_question(const judo_prompt_spec *spec, outline *o, const char *lead,
                                  const char *question, const char *const *options,
                                  int32_t num_options, const char *rest, judo_prompt *out)
{
    bool compact = spec->style == JUDO_PROMPTS_COMPACT;
    judo_text text = {0};
    judo_status status = judo_text_append_string(&text, compact ? " " : lead);
    if (status == JUDO_OK) {
        status = judo_question_format(question, options, num_options, spec->options, &text);
    }
    if (status == JUDO_OK) {
        o->question = text.bytes;
        status = compact ? build(spec, o, out) : build_full(spec, o, rest, out);
    }
    judo_text_free(&text);
    return status;
}

/* What the words before the question say about the pictures: none, the usual normal one, or
 * query and normal. */
static const char *domain_lead(bool compact, int32_t num_images)
{
    if (num_images == 1) {
        return compact
                   ? "Normal."
                   : "The image shows a typical object without defects. Answer the question "
                     "about its domain; do not describe the image.";
    }
    if (num_images == 2) {
        return compact ? "Query, normal."
                       : "First image = QUERY; Second image = NORMAL template. Answer the "
                         "question.";
    }
    return compact ? "" : "Answer the question about the domain.";
}

judo_status judo_prompt_domain_qa(const judo_prompt_spec *spec, int32_t num_images,
                                  const char *question, judo_prompt *out)
{
    bool compact = spec->style == JUDO_PROMPTS_COMPACT;
    outline o = {.system = compact_system, .num_images = num_images, .after = ""};
    o.before = domain_lead(compact, num_images);
    return build_question(spec, &o, "\n\nQuestion: ", question, NULL, 0, "", out);
}

judo_status judo_prompt_choice(const judo_prompt_spec *spec, const char *question,
                               const char *const *options, int32_t num_options,
                               judo_prompt *out)
{
    bool compact = spec->style == JUDO_PROMPTS_COMPACT;
    outline o = {.system = compact_system, .num_images = 2};
    o.after = compact ? "\nMark the anomaly, think, answer." : "";
    o.before =
        compact ? "Query, normal." : "\nFirst image = QUERY; Second image = NORMAL template.";
    return build_question(spec, &o, "\nQuestion: ", question, options, num_options,
                          order_choice, out);
}

judo_status judo_target_segmentation(judo_target_style style, const char *cells,
                                     const char *think, judo_text *out)
{
    return judo_text_append_format(out,
                                   style == JUDO_TARGETS_PAPER
                                       ? "<seg>%s</seg><think>%s</think>"
                                       : "<seg> %s </seg>\n<think> %s </think>",
                                   cells, think);
}

judo_status judo_target_full(judo_target_style style, const char *cells, const char *think,
                             char letter, judo_text *out)
{
    JUDO_TRY(judo_target_segmentation(style, cells, think, out));
    return judo_text_append_format(
        out, style == JUDO_TARGETS_PAPER ? "<answer>%c</answer>" : "\n<answer>%c</answer>",
        letter);
}
