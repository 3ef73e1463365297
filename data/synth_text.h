/* data/synth_text.h: what synth says about a scene: teacher texts, questions, knowledge. Shared
 * by the synth files only. */
#ifndef JUDO_DATA_SYNTH_TEXT_H
#define JUDO_DATA_SYNTH_TEXT_H

#include "data/synth_random.h"
#include "data/synth_scene.h"

enum { JUDO_SYNTH_TEXT = 512, JUDO_SYNTH_OPTION = 64, JUDO_SYNTH_PHRASINGS = 4 };

/* A drawn scene as the teacher sees it. */
typedef struct judo_synth_view {
    int object;
    judo_synth_kind kind;
    judo_cells cells;
    int zone;
} judo_synth_view;

typedef enum judo_synth_subtask {
    JUDO_SYNTH_DETECTION,
    JUDO_SYNTH_CLASSIFICATION,
    JUDO_SYNTH_LOCALIZATION,
    JUDO_SYNTH_DESCRIPTION,
    JUDO_SYNTH_ANALYSIS,
    JUDO_SYNTH_OBJECT_CLASSIFICATION,
    JUDO_SYNTH_OBJECT_ANALYSIS,
    JUDO_SYNTH_OBJECT_STRUCTURE,
    JUDO_SYNTH_OBJECT_DETAILS,
    JUDO_SYNTH_SUBTASKS,
} judo_synth_subtask;

typedef struct judo_synth_question {
    judo_synth_subtask subtask;
    const char *type; /* as MMAD names it */
    const char *text;
    char options[4][JUDO_SYNTH_OPTION];
    int count, answer;
} judo_synth_question;

/* snprintf that cuts silently: the texts are known to fit. */
void judo_synth_say(char *out, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether the subtask can be asked about a scene with or without a defect. */
bool judo_synth_can_ask(judo_synth_subtask subtask, judo_synth_kind kind);
/* `said` (NULL: the truth) is taken for the right answer of a question about knowledge. */
judo_synth_question judo_synth_ask(judo_synth_random *random, const judo_synth_view *view,
                                   judo_synth_subtask subtask, const char *said);
/* Whether the answer is knowledge that no picture shows; then `*fact` is its place in
 * judo_synth_qa and `*of_defect` says whether it belongs to the defect or to the object. */
bool judo_synth_needs_knowledge(judo_synth_subtask subtask, int *fact, bool *of_defect);
/* Any answer to the subtask, right or wrong. */
const char *judo_synth_any_choice(judo_synth_random *random, judo_synth_subtask subtask);

/* The comparative explanation of stage 1. */
void judo_synth_compare(judo_synth_random *random, const judo_synth_view *view,
                        char out[JUDO_SYNTH_TEXT]);
/* The rationale of stage 3, ending in "the answer is X." */
void judo_synth_rationale(const judo_synth_view *view, const judo_synth_question *question,
                          char out[JUDO_SYNTH_TEXT]);
/* "QUESTION \n Choice: \n {'A': '..', ..}", as the reference project writes it. */
void judo_synth_problem(const judo_synth_question *question, char out[JUDO_SYNTH_TEXT]);

/* The domain snippet about (object, kind). */
void judo_synth_snippet(int object, judo_synth_kind kind, char out[JUDO_SYNTH_TEXT]);
/* One question and answer of stage 2: fact 0 .. JUDO_SYNTH_FACTS - 1 (of the object's own facts
 * when kind is good: fewer than JUDO_SYNTH_OBJECT_FACTS), in one of JUDO_SYNTH_PHRASINGS.
 * `value` replaces the true fact where not NULL. */
void judo_synth_qa(int object, judo_synth_kind kind, int fact, int phrasing, const char *value,
                   char question[JUDO_SYNTH_TEXT], char answer[JUDO_SYNTH_TEXT]);

/* "4: 5-6; 5: 5" (rows and columns from 1), or "none": the notation of pre-training. */
void judo_synth_rows(const judo_cells *cells, char out[JUDO_SYNTH_TEXT]);

#endif
