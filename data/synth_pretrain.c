/* data/synth_pretrain.c: rows that teach a small model what JUDO's base model knows before its
 * first stage: reading a picture, naming and comparing, coarse grounding (inside the same tags,
 * but rows and columns in another notation than stage 1's), choosing letters, reading a note.
 * The true domain knowledge is kept out: notes here state made-up facts. Rows with one picture,
 * for half the cost, stand in a file of their own: where to look is learned first. */
#include "data/synth_files.h"

enum { USE_PRETRAIN = 32, SCENES_AT = 1 << 30 };

typedef struct row_text {
    const char *image, *normal; /* normal may be NULL */
    char problem[2 * JUDO_SYNTH_TEXT + 128];
    char solution[3 * JUDO_SYNTH_TEXT];
} row_text;

static judo_status put(judo_synth_run *run, judo_synth_file file, const row_text *text)
{
    judo_json_writer *line = &run->line;
    judo_json_begin_object(line, NULL);
    judo_json_put_int(line, "id", run->rows[file]);
    judo_json_put_string(line, "image", text->image);
    if (text->normal) {
        judo_json_put_string(line, "normal_image", text->normal);
    } else {
        judo_json_put_null(line, "normal_image");
    }
    judo_json_put_string(line, "problem", text->problem);
    judo_json_put_string(line, "solution", text->solution);
    judo_json_end_object(line);
    return judo_synth_line(run, file);
}

/* One image: where is it; and, in words, what is it. */
static judo_status put_single(judo_synth_run *run, judo_synth_random *random,
                              const judo_synth_view *view, const char *image)
{
    row_text text = {.image = image};
    char rows[JUDO_SYNTH_TEXT];
    judo_synth_rows(&view->cells, rows);
    if (view->object == JUDO_SYNTH_PLATE) {
        judo_synth_say(text.problem, sizeof text.problem, "List the mark rows.");
        judo_synth_say(text.solution, sizeof text.solution, "<seg> %s </seg>", rows);
        return put(run, JUDO_SYNTH_LOOK, &text);
    }
    const char *object = judo_synth_object_table[view->object].name;
    const char *kind = judo_synth_kind_table[view->kind].name;
    const char *joint = view->kind == JUDO_SYNTH_GOOD ? "" : " at the ";
    const char *zone = view->kind == JUDO_SYNTH_GOOD ? "" : judo_synth_zone_name(view->zone);
    if (judo_synth_below(random, 2)) {
        judo_synth_say(text.problem, sizeof text.problem, "Name the object and list the rows.");
        judo_synth_say(text.solution, sizeof text.solution,
                       "The %s with %s%s%s. <seg> %s </seg>", object, kind, joint, zone, rows);
    } else {
        judo_synth_say(text.problem, sizeof text.problem, "List the defect rows.");
        judo_synth_say(text.solution, sizeof text.solution, "<seg> %s </seg>", rows);
    }
    return put(run, JUDO_SYNTH_LOOK, &text);
}

/* Two images: rows, comparison, or both. */
static judo_status put_comparison(judo_synth_run *run, judo_synth_random *random,
                                  const judo_synth_view *view, const char *image,
                                  const char *normal)
{
    row_text text = {.image = image, .normal = normal};
    char rows[JUDO_SYNTH_TEXT];
    char think[JUDO_SYNTH_TEXT];
    judo_synth_rows(&view->cells, rows);
    judo_synth_compare(random, view, think);
    if (judo_synth_below(random, 3) == 0) {
        judo_synth_say(text.problem, sizeof text.problem,
                       "Compare the query with the normal image.");
        judo_synth_say(text.solution, sizeof text.solution, "<think> %s </think>", think);
    } else {
        judo_synth_say(text.problem, sizeof text.problem,
                       "List the defect rows, then compare the query with the normal image.");
        judo_synth_say(text.solution, sizeof text.solution,
                       "<seg> %s </seg>\n<think> %s </think>", rows, think);
    }
    return put(run, JUDO_SYNTH_PRETRAIN, &text);
}

/* A question with choices; knowledge comes from a note with a made-up fact. */
static judo_status put_question(judo_synth_run *run, judo_synth_random *random,
                                const judo_synth_view *view, const char *image,
                                const char *normal)
{
    row_text text = {.image = image, .normal = normal};
    char note[JUDO_SYNTH_TEXT] = "";
    char unused[JUDO_SYNTH_TEXT];
    judo_synth_subtask subtask;
    do {
        subtask = (judo_synth_subtask)judo_synth_below(random, JUDO_SYNTH_SUBTASKS);
    } while (!judo_synth_can_ask(subtask, view->kind));
    int fact = 0;
    bool of_defect = false;
    const char *said = NULL;
    if (judo_synth_needs_knowledge(subtask, &fact, &of_defect)) {
        said = judo_synth_any_choice(random, subtask);
        judo_synth_qa(view->object, of_defect ? view->kind : JUDO_SYNTH_GOOD, fact, 0, said,
                      unused, note);
    }
    judo_synth_question question = judo_synth_ask(random, view, subtask, said);
    char problem[JUDO_SYNTH_TEXT];
    char rows[JUDO_SYNTH_TEXT];
    char think[JUDO_SYNTH_TEXT];
    judo_synth_problem(&question, problem);
    judo_synth_rows(&view->cells, rows);
    judo_synth_rationale(view, &question, think);
    char letter = (char)('A' + question.answer);
    bool direct = judo_synth_below(random, 4) == 0;
    judo_synth_say(text.problem, sizeof text.problem, "%s%s%sQuestion: %s\n%s",
                   said ? "Note: " : "", note, said ? "\n" : "", problem,
                   direct ? "Answer with the letter." : "Mark the anomaly, think, answer.");
    if (direct) {
        judo_synth_say(text.solution, sizeof text.solution, "<answer>%c</answer>", letter);
    } else {
        judo_synth_say(text.solution, sizeof text.solution,
                       "<seg> %s </seg>\n<think> %s </think>\n<answer>%c</answer>", rows, think,
                       letter);
    }
    return put(run, JUDO_SYNTH_PRETRAIN, &text);
}

/* Reading a note with a made-up fact. */
static judo_status put_reading(judo_synth_run *run, judo_synth_random *random,
                               const char *image)
{
    row_text text = {.image = image};
    char question[JUDO_SYNTH_TEXT];
    char answer[JUDO_SYNTH_TEXT];
    int object = judo_synth_below(random, JUDO_SYNTH_OBJECTS);
    int kind = 1 + judo_synth_below(random, JUDO_SYNTH_KINDS - 1);
    int fact = judo_synth_below(random, JUDO_SYNTH_FACTS);
    int count = 0;
    const char *const *phrases = judo_synth_fact_phrases((judo_synth_fact)fact, &count);
    judo_synth_qa(object, (judo_synth_kind)kind, fact, judo_synth_below(random, 2),
                  phrases[judo_synth_below(random, count)], question, answer);
    judo_synth_say(text.problem, sizeof text.problem, "Note: %s\nQuestion: %s", answer,
                   question);
    judo_synth_say(text.solution, sizeof text.solution, "%s", answer);
    return put(run, JUDO_SYNTH_PRETRAIN, &text);
}

judo_status judo_synth_write_pretrain(judo_synth_run *run)
{
    for (int32_t scene = 0; scene < run->options->pretrain_scenes; scene++) {
        uint64_t id = SCENES_AT + (uint64_t)scene;
        judo_synth_random random = judo_synth_random_of(run->options->seed, id, USE_PRETRAIN);
        int object = judo_synth_below(&random, JUDO_SYNTH_OBJECTS);
        judo_synth_kind kind =
            judo_synth_below(&random, 6) == 0
                ? JUDO_SYNTH_GOOD
                : judo_synth_object_table[object]
                      .kinds[judo_synth_below(&random, JUDO_SYNTH_KINDS_PER_OBJECT)];
        if (scene % 4 == 3) {
            object = JUDO_SYNTH_PLATE;
            kind = JUDO_SYNTH_GOOD;
        }
        char image[JUDO_SYNTH_PATH];
        char normal[JUDO_SYNTH_PATH];
        judo_synth_view view;
        judo_synth_say(image, sizeof image, "pretrain/%05d.png", scene);
        JUDO_TRY(judo_synth_picture(run, id, object, kind, image, NULL, &view));
        JUDO_TRY(put_single(run, &random, &view, image));
        if (object == JUDO_SYNTH_PLATE) {
            continue;
        }
        judo_synth_normal_path(object, judo_synth_below(&random, run->options->normals),
                               normal);
        JUDO_TRY(put_comparison(run, &random, &view, image, normal));
        JUDO_TRY(put_question(run, &random, &view, image, normal));
        if (scene % 4 == 0) {
            JUDO_TRY(put_reading(run, &random, normal));
        }
    }
    return JUDO_OK;
}
