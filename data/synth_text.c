/* data/synth_text.c: teacher texts and domain knowledge of synth. */
#include "data/synth_text.h"

#include <stdarg.h>
#include <stdio.h>

void judo_synth_say(char *out, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out, bytes, format, arguments);
    va_end(arguments);
}

void judo_synth_compare(judo_synth_random *random, const judo_synth_view *view,
                        char out[JUDO_SYNTH_TEXT])
{
    const judo_synth_object_words *object = &judo_synth_object_table[view->object];
    const judo_synth_kind_words *kind = &judo_synth_kind_table[view->kind];
    bool brief = judo_synth_below(random, 2) != 0;
    if (view->kind == JUDO_SYNTH_GOOD) {
        judo_synth_say(out, JUDO_SYNTH_TEXT,
                       brief ? "The query matches the normal %s with its %s."
                             : "The query matches the normal %s. Both show the %s.",
                       object->name, object->surface);
        return;
    }
    judo_synth_say(
        out, JUDO_SYNTH_TEXT,
        brief ? "The query shows a %s at the %s of the %s, a %s. The normal %s has the "
                "%s."
              : "The query shows a %s at the %s of the %s, which is a %s, while the "
                "normal %s keeps the %s.",
        kind->look, judo_synth_zone_name(view->zone), object->name, kind->name, object->name,
        object->surface);
}

/* What each question settles, before the letter. */
static void finding(const judo_synth_view *view, const judo_synth_question *question,
                    char out[JUDO_SYNTH_TEXT])
{
    const judo_synth_object_words *object = &judo_synth_object_table[view->object];
    const char *kind = judo_synth_kind_table[view->kind].name;
    const char *option = question->options[question->answer];
    switch (question->subtask) {
    case JUDO_SYNTH_DETECTION:
        judo_synth_say(out, JUDO_SYNTH_TEXT, "Is there a defect? %s So", option);
        break;
    case JUDO_SYNTH_ANALYSIS:
        judo_synth_say(out, JUDO_SYNTH_TEXT, "With the %s on the %s: %s So", kind, object->name,
                       option);
        break;
    case JUDO_SYNTH_OBJECT_CLASSIFICATION:
        judo_synth_say(out, JUDO_SYNTH_TEXT, "The %s belongs to the product: %s So",
                       object->surface, option);
        break;
    case JUDO_SYNTH_OBJECT_ANALYSIS:
    case JUDO_SYNTH_OBJECT_STRUCTURE:
    case JUDO_SYNTH_OBJECT_DETAILS:
        judo_synth_say(out, JUDO_SYNTH_TEXT, "For the %s we know: %s So", object->name, option);
        break;
    default:
        judo_synth_say(out, JUDO_SYNTH_TEXT, "We choose: %s So", option);
        break;
    }
}

void judo_synth_rationale(const judo_synth_view *view, const judo_synth_question *question,
                          char out[JUDO_SYNTH_TEXT])
{
    const judo_synth_object_words *object = &judo_synth_object_table[view->object];
    const judo_synth_kind_words *kind = &judo_synth_kind_table[view->kind];
    char found[JUDO_SYNTH_TEXT];
    char seen[JUDO_SYNTH_TEXT];
    finding(view, question, found);
    if (view->kind == JUDO_SYNTH_GOOD) {
        judo_synth_say(seen, sizeof seen, "The query matches the normal %s.", object->name);
    } else {
        judo_synth_say(seen, sizeof seen, "The query shows a %s at the %s of the %s, a %s.",
                       kind->look, judo_synth_zone_name(view->zone), object->name, kind->name);
    }
    judo_synth_say(out, JUDO_SYNTH_TEXT, "%s %s the answer is %c.", seen, found,
                   'A' + question->answer);
}

void judo_synth_snippet(int object, judo_synth_kind kind, char out[JUDO_SYNTH_TEXT])
{
    const judo_synth_object_words *words = &judo_synth_object_table[object];
    const char *name = judo_synth_kind_table[kind].name;
    if (kind == JUDO_SYNTH_GOOD) {
        judo_synth_say(
            out, JUDO_SYNTH_TEXT,
            " <Normal Characteristics>\n Description: The normal %s shows the %s. It "
            "is %s, made of %s, it %s, and it is %s.",
            words->name, words->surface, words->facts[0], words->facts[1], words->facts[2],
            words->facts[3]);
        return;
    }
    judo_synth_say(
        out, JUDO_SYNTH_TEXT,
        " <%s>\n Description: The %s on the %s is a %s. It comes from %s, and %s. We "
        "find it with %s. The limit is %s. Beyond it, %s.",
        name, name, words->name, judo_synth_kind_table[kind].look,
        judo_synth_fact_of(object, kind, JUDO_SYNTH_CAUSE),
        judo_synth_fact_of(object, kind, JUDO_SYNTH_EFFECT),
        judo_synth_fact_of(object, kind, JUDO_SYNTH_TOOL),
        judo_synth_fact_of(object, kind, JUDO_SYNTH_LIMIT),
        judo_synth_fact_of(object, kind, JUDO_SYNTH_ACTION));
}

/* %1$s: the defect, %2$s: the object, %3$s: the fact. */
typedef struct qa_form {
    const char *questions[JUDO_SYNTH_PHRASINGS];
    const char *answer;
} qa_form;

static const qa_form defect_forms[JUDO_SYNTH_FACTS] = {
    [JUDO_SYNTH_CAUSE] = {{"What causes the %1$s on the %2$s?",
                           "Where does the %1$s on the %2$s come from?",
                           "Why does the %2$s get the %1$s?",
                           "What is the cause of the %1$s of the %2$s?"},
                          "The %1$s on the %2$s comes from %3$s."},
    [JUDO_SYNTH_EFFECT] = {{"What is the effect of the %1$s on the %2$s?",
                            "What happens to the %2$s with the %1$s?",
                            "Why does the %1$s matter on the %2$s?",
                            "What does the %1$s do to the %2$s?"},
                           "With the %1$s on the %2$s: %3$s."},
    [JUDO_SYNTH_ACTION] = {{"What do we do with the %2$s that has the %1$s?",
                            "What is the action for the %1$s on the %2$s?",
                            "How do we handle the %1$s of the %2$s?",
                            "What action follows the %1$s on the %2$s?"},
                           "For the %1$s on the %2$s: %3$s."},
    [JUDO_SYNTH_TOOL] = {{"How do we find the %1$s on the %2$s?",
                          "What tool shows the %1$s of the %2$s?",
                          "What do we use to see the %1$s on the %2$s?",
                          "What finds the %1$s on the %2$s?"},
                         "We find the %1$s on the %2$s with %3$s."},
    [JUDO_SYNTH_LIMIT] = {{"What is the limit for the %1$s on the %2$s?",
                           "How long may the %1$s on the %2$s be?",
                           "What size of the %1$s do we accept on the %2$s?",
                           "How large may the %1$s of the %2$s be?"},
                          "The limit for the %1$s on the %2$s is %3$s."},
};

static const qa_form object_forms[JUDO_SYNTH_OBJECT_FACTS] = {
    {{"What colour is the %2$s?", "Which colour do we see on the %2$s?",
      "What is the colour of the normal %2$s?", "In which colour is the %2$s made?"},
     "The %2$s is %3$s."},
    {{"What is the %2$s made of?", "Which material is the %2$s?", "What makes up the %2$s?",
      "What is the material of the %2$s?"},
     "The %2$s is made of %3$s."},
    {{"What does the %2$s do?", "What do we use the %2$s for?", "What is the use of the %2$s?",
      "Why do we need the %2$s?"},
     "The %2$s %3$s."},
    {{"What is the shape of the %2$s?", "How is the %2$s built?",
      "What is the structure of the %2$s?", "What form has the %2$s?"},
     "The %2$s is %3$s."},
};

void judo_synth_qa(int object, judo_synth_kind kind, int fact, int phrasing, const char *value,
                   char question[JUDO_SYNTH_TEXT], char answer[JUDO_SYNTH_TEXT])
{
    const judo_synth_object_words *words = &judo_synth_object_table[object];
    const qa_form *form = kind == JUDO_SYNTH_GOOD ? &object_forms[fact] : &defect_forms[fact];
    if (!value) {
        value = kind == JUDO_SYNTH_GOOD
                    ? words->facts[fact]
                    : judo_synth_fact_of(object, kind, (judo_synth_fact)fact);
    }
    const char *name = judo_synth_kind_table[kind].name;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    judo_synth_say(question, JUDO_SYNTH_TEXT, form->questions[phrasing], name, words->name);
    judo_synth_say(answer, JUDO_SYNTH_TEXT, form->answer, name, words->name, value);
#pragma GCC diagnostic pop
}

void judo_synth_rows(const judo_cells *cells, char out[JUDO_SYNTH_TEXT])
{
    size_t used = 0;
    judo_synth_say(out, JUDO_SYNTH_TEXT, "clean");
    for (int row = 0; row < JUDO_GRID; row++) {
        const char *before = used ? "; " : "";
        bool open = false;
        for (int column = 0; column < JUDO_GRID && used + 32 < JUDO_SYNTH_TEXT; column++) {
            if (!judo_cells_has(cells, row, column)) {
                continue;
            }
            int last = column;
            while (last + 1 < JUDO_GRID && judo_cells_has(cells, row, last + 1)) {
                last++;
            }
            char head[16];
            char tail[16] = "";
            judo_synth_say(head, sizeof head, open ? "," : "%d: ", row + 1);
            if (last > column) {
                judo_synth_say(tail, sizeof tail, "-%d", last + 1);
            }
            int wrote = snprintf(out + used, JUDO_SYNTH_TEXT - used, "%s%s%d%s",
                                 open ? "" : before, head, column + 1, tail);
            used += (size_t)wrote;
            open = true;
            column = last;
        }
    }
}
