/* data/prompts.h: what the model is asked and should answer in the three stages and in
 * evaluation. */
#ifndef JUDO_DATA_PROMPTS_H
#define JUDO_DATA_PROMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/buffers.h"
#include "data/chat_template.h"
#include "runtime/status.h"

typedef enum judo_prompt_style {
    JUDO_PROMPTS_JUDO,    /* the paper's structure in full sentences */
    JUDO_PROMPTS_COMPACT, /* a few words, for models too small to profit from sentences */
} judo_prompt_style;

typedef enum judo_option_layout {
    JUDO_OPTIONS_DICT,  /* "QUESTION \n Choice: \n {'A': 'Yes.', 'B': 'No.'}" (stage 3) */
    JUDO_OPTIONS_LINES, /* "QUESTION\nA. Yes.\nB. No." (evaluation) */
} judo_option_layout;

typedef enum judo_target_style {
    JUDO_TARGETS_REFERENCE, /* "<seg> S </seg>\n<think> T </think>" */
    JUDO_TARGETS_PAPER,     /* "<seg>S</seg><think>T</think>" */
} judo_target_style;

typedef struct judo_prompt_spec {
    judo_prompt_style style;
    judo_option_layout options;
    const char *domain; /* domain knowledge put before the question, or NULL */
} judo_prompt_spec;

enum { JUDO_PROMPT_MAX_OPTIONS = 26, JUDO_PROMPT_MESSAGES = 3 };

/* A conversation that owns its texts: [system, user], with the assistant's reply once added.
 * Free with judo_prompt_free. May be moved, not copied. */
typedef struct judo_prompt {
    judo_chat_message messages[JUDO_PROMPT_MESSAGES];
    int32_t num_messages;
    judo_chat_part *parts; /* of all messages */
} judo_prompt;

/* Stage 1: images query, normal. Asks for the anomalous cells and their description. */
judo_status judo_prompt_segmentation(const judo_prompt_spec *spec,
                                     judo_prompt *out) JUDO_MUST_CHECK;
/* Stage 2: a question about the object's domain beside one normal image; also beside none, or
 * beside a query and a normal one (num_images 0 to 2). */
judo_status judo_prompt_domain_qa(const judo_prompt_spec *spec, int32_t num_images,
                                  const char *question, judo_prompt *out) JUDO_MUST_CHECK;
/* Stage 3 and evaluation: images query, normal; a question with options, lettered from A.
 * num_options in [1, 26]; with 0 the question is taken as it is (options already inside). */
judo_status judo_prompt_choice(const judo_prompt_spec *spec, const char *question,
                               const char *const *options, int32_t num_options,
                               judo_prompt *out) JUDO_MUST_CHECK;
/* Appends the assistant's turn to a prompt that has none. */
judo_status judo_prompt_reply(judo_prompt *prompt, const char *text) JUDO_MUST_CHECK;
void judo_prompt_free(judo_prompt *prompt);

/* Appends question and options in a layout. */
judo_status judo_question_format(const char *question, const char *const *options,
                                 int32_t num_options, judo_option_layout layout,
                                 judo_text *out) JUDO_MUST_CHECK;
/* Appends Python's repr() of a UTF-8 string. */
judo_status judo_python_repr(const char *text, judo_text *out) JUDO_MUST_CHECK;

/* Append the text that a model should answer with. `cells` as judo_cells_format writes it. */
judo_status judo_target_segmentation(judo_target_style style, const char *cells,
                                     const char *think, judo_text *out) JUDO_MUST_CHECK;
judo_status judo_target_full(judo_target_style style, const char *cells, const char *think,
                             char letter, judo_text *out) JUDO_MUST_CHECK;

#endif
