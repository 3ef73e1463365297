/* data/synth_question.c: multiple-choice questions of MMAD's seven subtasks about a scene. */
#include "data/synth_text.h"

#include <string.h>

typedef struct subtask_words {
    const char *type, *text;
    bool about_defect;
} subtask_words;

static const subtask_words table[JUDO_SYNTH_SUBTASKS] = {
    [JUDO_SYNTH_DETECTION] = {"Anomaly Detection", "Is there any defect in the object?", false},
    [JUDO_SYNTH_CLASSIFICATION] = {"Defect Classification",
                                   "There is a defect in the object. What is the type of the "
                                   "defect?",
                                   true},
    [JUDO_SYNTH_LOCALIZATION] = {"Defect Localization",
                                 "There is a defect in the object. Where is the defect?", true},
    [JUDO_SYNTH_DESCRIPTION] =
        {"Defect Description",
         "There is a defect in the object. What is the appearance of the "
         "defect?",
         true},
    [JUDO_SYNTH_ANALYSIS] =
        {"Defect Analysis",
         "There is a defect in the object. What is the effect of the defect?", true},
    [JUDO_SYNTH_OBJECT_CLASSIFICATION] = {"Object Classification",
                                          "What kind of product is in the image?", false},
    [JUDO_SYNTH_OBJECT_ANALYSIS] = {"Object Analysis", "What does the object do?", false},
    [JUDO_SYNTH_OBJECT_STRUCTURE] = {"Object Structure", "What is the structure of the object?",
                                     false},
    [JUDO_SYNTH_OBJECT_DETAILS] = {"Object Details", "What is the object made of?", false},
};

bool judo_synth_can_ask(judo_synth_subtask subtask, judo_synth_kind kind)
{
    return !table[subtask].about_defect || kind != JUDO_SYNTH_GOOD;
}

/* The `index`-th of all possible answers to a subtask, or NULL behind the last. */
static const char *choice_at(judo_synth_subtask subtask, int index)
{
    int count = 0;
    switch (subtask) {
    case JUDO_SYNTH_CLASSIFICATION:
        return index + 1 < JUDO_SYNTH_KINDS ? judo_synth_kind_table[index + 1].name : NULL;
    case JUDO_SYNTH_DESCRIPTION:
        return index + 1 < JUDO_SYNTH_KINDS ? judo_synth_kind_table[index + 1].look : NULL;
    case JUDO_SYNTH_LOCALIZATION:
        return index < 9 ? judo_synth_zone_name(index) : NULL;
    case JUDO_SYNTH_ANALYSIS: {
        const char *const *phrases = judo_synth_fact_phrases(JUDO_SYNTH_EFFECT, &count);
        return index < count ? phrases[index] : NULL;
    }
    default:
        break;
    }
    if (index >= JUDO_SYNTH_OBJECTS) {
        return NULL;
    }
    const judo_synth_object_words *object = &judo_synth_object_table[index];
    switch (subtask) {
    case JUDO_SYNTH_OBJECT_CLASSIFICATION:
        return object->name;
    case JUDO_SYNTH_OBJECT_ANALYSIS:
        return object->facts[2];
    case JUDO_SYNTH_OBJECT_STRUCTURE:
        return object->facts[3];
    default:
        return object->facts[1];
    }
}

static const char *right_choice(judo_synth_subtask subtask, const judo_synth_view *view)
{
    switch (subtask) {
    case JUDO_SYNTH_CLASSIFICATION:
    case JUDO_SYNTH_DESCRIPTION:
        return choice_at(subtask, (int)view->kind - 1);
    case JUDO_SYNTH_LOCALIZATION:
        return choice_at(subtask, view->zone);
    case JUDO_SYNTH_ANALYSIS:
        return judo_synth_fact_of(view->object, view->kind, JUDO_SYNTH_EFFECT);
    default:
        return choice_at(subtask, view->object);
    }
}

bool judo_synth_needs_knowledge(judo_synth_subtask subtask, int *fact, bool *of_defect)
{
    *of_defect = subtask == JUDO_SYNTH_ANALYSIS;
    switch (subtask) {
    case JUDO_SYNTH_ANALYSIS:
        *fact = JUDO_SYNTH_EFFECT;
        return true;
    case JUDO_SYNTH_OBJECT_ANALYSIS:
        *fact = 2;
        return true;
    case JUDO_SYNTH_OBJECT_STRUCTURE:
        *fact = 3;
        return true;
    case JUDO_SYNTH_OBJECT_DETAILS:
        *fact = 1;
        return true;
    default:
        return false;
    }
}

const char *judo_synth_any_choice(judo_synth_random *random, judo_synth_subtask subtask)
{
    int count = 0;
    while (choice_at(subtask, count)) {
        count++;
    }
    return choice_at(subtask, judo_synth_below(random, count));
}

judo_synth_question judo_synth_ask(judo_synth_random *random, const judo_synth_view *view,
                                   judo_synth_subtask subtask, const char *said)
{
    judo_synth_question question = {
        .subtask = subtask, .type = table[subtask].type, .text = table[subtask].text};
    if (subtask == JUDO_SYNTH_DETECTION) {
        int yes = judo_synth_below(random, 2);
        judo_synth_say(question.options[yes], JUDO_SYNTH_OPTION, "Yes.");
        judo_synth_say(question.options[1 - yes], JUDO_SYNTH_OPTION, "No.");
        question.count = 2;
        question.answer = view->kind == JUDO_SYNTH_GOOD ? 1 - yes : yes;
        return question;
    }
    const char *right = said ? said : right_choice(subtask, view);
    int wrong[JUDO_SYNTH_KINDS + 16] = {0};
    int count = 0;
    for (int i = 0; choice_at(subtask, i); i++) {
        if (strcmp(choice_at(subtask, i), right) != 0) {
            wrong[count++] = i;
        }
    }
    judo_synth_shuffle(random, wrong, count);
    question.count = 4;
    question.answer = judo_synth_below(random, 4);
    for (int i = 0, next = 0; i < 4; i++) {
        const char *text = i == question.answer ? right : choice_at(subtask, wrong[next++]);
        judo_synth_say(question.options[i], JUDO_SYNTH_OPTION, "%s.", text);
    }
    return question;
}

void judo_synth_problem(const judo_synth_question *question, char out[JUDO_SYNTH_TEXT])
{
    char list[JUDO_SYNTH_TEXT] = "";
    size_t used = 0;
    for (int i = 0; i < question->count; i++) {
        judo_synth_say(list + used, sizeof list - used, "%s'%c': '%s'", i ? ", " : "", 'A' + i,
                       question->options[i]);
        used = strlen(list);
    }
    judo_synth_say(out, JUDO_SYNTH_TEXT, "%s \n Choice: \n {%s}", question->text, list);
}
