/* data/synth_write.c: writes the whole synthetic data set. */
#include "data/synth_files.h"

#include <errno.h>
#include <string.h>

enum {
    USE_QUESTIONS = 16,
    USE_KNOWLEDGE = 17,
    TEMPLATES = 8,
    SPLIT_TRAIN = 0,
    SPLIT_HELDOUT = 1,
    SPLIT_NORMAL = 2
};

judo_synth_options judo_synth_defaults(void)
{
    return (judo_synth_options){.seed = 1,
                                .size = 224,
                                .train_per_kind = 40,
                                .heldout_per_kind = 5,
                                .normals = 32,
                                .pretrain_scenes = 0};
}

/* A query with its places in the data set. */
typedef struct query {
    judo_synth_view view;
    int split;
    char image[JUDO_SYNTH_PATH], mask[JUDO_SYNTH_PATH], normal[JUDO_SYNTH_PATH];
} query;

static uint64_t scene_id(int object, judo_synth_kind kind, int split, int number)
{
    return (((uint64_t)object * JUDO_SYNTH_KINDS + (uint64_t)kind) * 3 + (uint64_t)split)
               << 16 |
           (uint64_t)number;
}

static judo_status put_stage1(judo_synth_run *run, judo_synth_random *random, const query *q)
{
    judo_json_writer *line = &run->line;
    const judo_synth_object_words *object = &judo_synth_object_table[q->view.object];
    bool anomalous = q->view.kind != JUDO_SYNTH_GOOD;
    char text[JUDO_SYNTH_TEXT];
    judo_synth_compare(random, &q->view, text);
    judo_json_begin_object(line, NULL);
    judo_json_put_string(line, "item_type", object->name);
    judo_json_put_string(line, "image_path", q->image);
    if (anomalous) {
        judo_json_put_string(line, "mask_path", q->mask);
    } else {
        judo_json_put_null(line, "mask_path");
    }
    judo_json_put_string(line, "normal_image_path", q->normal);
    judo_json_put_string(line, "gt", text);
    if (anomalous) {
        judo_json_put_string(line, "defect_type", judo_synth_kind_table[q->view.kind].name);
    } else {
        judo_json_put_null(line, "defect_type");
    }
    judo_json_end_object(line);
    return judo_synth_line(run,
                           q->split == SPLIT_TRAIN ? JUDO_SYNTH_STAGE1 : JUDO_SYNTH_HELDOUT1);
}

static judo_status put_stage3(judo_synth_run *run, const query *q,
                              const judo_synth_question *question)
{
    judo_json_writer *line = &run->line;
    judo_synth_file file = q->split == SPLIT_TRAIN ? JUDO_SYNTH_STAGE3 : JUDO_SYNTH_HELDOUT3;
    char text[JUDO_SYNTH_TEXT];
    judo_json_begin_object(line, NULL);
    judo_json_put_int(line, "id", run->rows[file]);
    judo_json_put_string(line, "image", q->image);
    judo_synth_problem(question, text);
    judo_json_put_string(line, "problem", text);
    judo_json_put_string(line, "solution", (const char[2]){(char)('A' + question->answer)});
    judo_json_put_string(line, "type", question->type);
    if (q->view.kind != JUDO_SYNTH_GOOD) {
        judo_json_put_string(line, "mask_path", q->mask);
    } else {
        judo_json_put_null(line, "mask_path");
    }
    judo_json_put_string(line, "template_image", q->normal);
    judo_synth_snippet(q->view.object, q->view.kind, text);
    judo_json_put_string(line, "gt", text);
    judo_synth_rationale(&q->view, question, text);
    judo_json_put_string(line, "domain_gt", text);
    judo_json_end_object(line);
    return judo_synth_line(run, file);
}

static void put_conversation(judo_json_writer *w, const judo_synth_question *question)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_string(w, "Question", question->text);
    judo_json_put_string(w, "Answer", (const char[2]){(char)('A' + question->answer)});
    judo_json_begin_object(w, "Options");
    for (int i = 0; i < question->count; i++) {
        judo_json_put_string(w, (const char[2]){(char)('A' + i)}, question->options[i]);
    }
    judo_json_end_object(w);
    judo_json_put_string(w, "type", question->type);
    judo_json_put_bool(w, "annotation", true);
    judo_json_end_object(w);
}

/* The paths in an MMAD entry are relative to DATASET/OBJECT. */
static const char *behind_object(const char *path)
{
    return strchr(strchr(path, '/') + 1, '/') + 1;
}

static void put_templates(judo_json_writer *w, const judo_synth_run *run, const char *key,
                          int object, int first)
{
    judo_json_begin_array(w, key);
    for (int i = 0; i < TEMPLATES && i < run->options->normals; i++) {
        char path[JUDO_SYNTH_PATH];
        judo_synth_normal_path(object, (first + i) % run->options->normals, path);
        judo_json_put_string(w, NULL, path);
    }
    judo_json_end_array(w);
}

/* Asks what can be asked about the query; of the four about the object, one in turn. */
static judo_status put_questions(judo_synth_run *run, const query *q, int number, int normal)
{
    judo_synth_random random = judo_synth_random_of(
        run->options->seed, scene_id(q->view.object, q->view.kind, q->split, number),
        USE_QUESTIONS);
    judo_json_writer *w = &run->questions[q->split];
    judo_json_begin_object(w, q->image);
    judo_json_put_string(w, "image_path", behind_object(q->image));
    if (q->view.kind != JUDO_SYNTH_GOOD) {
        judo_json_put_string(w, "mask_path", behind_object(q->mask));
    }
    put_templates(w, run, "similar_templates", q->view.object, normal);
    put_templates(w, run, "random_templates", q->view.object, normal);
    judo_json_begin_array(w, "conversation");
    for (int subtask = 0; subtask < JUDO_SYNTH_SUBTASKS; subtask++) {
        if (!judo_synth_can_ask((judo_synth_subtask)subtask, q->view.kind) ||
            (subtask >= JUDO_SYNTH_OBJECT_CLASSIFICATION &&
             subtask != JUDO_SYNTH_OBJECT_CLASSIFICATION + number % 4)) {
            continue;
        }
        judo_synth_question question =
            judo_synth_ask(&random, &q->view, (judo_synth_subtask)subtask, NULL);
        put_conversation(w, &question);
        JUDO_TRY(put_stage3(run, q, &question));
    }
    judo_json_end_array(w);
    judo_json_end_object(w);
    return judo_json_writer_check(w);
}

static judo_status write_query(judo_synth_run *run, int object, judo_synth_kind kind, int split,
                               int number)
{
    const judo_synth_object_words *words = &judo_synth_object_table[object];
    const char *folder = judo_synth_kind_table[kind].folder;
    uint64_t id = scene_id(object, kind, split, number);
    judo_synth_random random = judo_synth_random_of(run->options->seed, id, USE_KNOWLEDGE);
    int shown = split == SPLIT_TRAIN ? number : run->options->train_per_kind + number;
    int normal = judo_synth_below(&random, run->options->normals);
    query q = {.split = split};
    judo_synth_say(q.image, sizeof q.image, "%s/%s/image/%s/%03d.png", words->dataset,
                   words->name, folder, shown);
    judo_synth_say(q.mask, sizeof q.mask, "%s/%s/mask/%s/%03d_mask.png", words->dataset,
                   words->name, folder, shown);
    judo_synth_normal_path(object, normal, q.normal);
    JUDO_TRY(judo_synth_picture(run, id, object, kind, q.image,
                                kind == JUDO_SYNTH_GOOD ? NULL : q.mask, &q.view));
    JUDO_TRY(put_stage1(run, &random, &q));
    return put_questions(run, &q, number, normal);
}

static judo_status write_queries(judo_synth_run *run, int split, int count)
{
    for (int number = 0; number < count; number++) {
        for (int object = 0; object < JUDO_SYNTH_OBJECTS; object++) {
            JUDO_TRY(write_query(run, object, JUDO_SYNTH_GOOD, split, number));
            for (int i = 0; i < JUDO_SYNTH_KINDS_PER_OBJECT; i++) {
                JUDO_TRY(write_query(run, object, judo_synth_object_table[object].kinds[i],
                                     split, number));
            }
        }
    }
    return JUDO_OK;
}

static judo_status write_normals(judo_synth_run *run)
{
    for (int object = 0; object < JUDO_SYNTH_OBJECTS; object++) {
        for (int number = 0; number < run->options->normals; number++) {
            char path[JUDO_SYNTH_PATH];
            judo_synth_view view;
            judo_synth_normal_path(object, number, path);
            JUDO_TRY(judo_synth_picture(run,
                                        scene_id(object, JUDO_SYNTH_GOOD, SPLIT_NORMAL, number),
                                        object, JUDO_SYNTH_GOOD, path, NULL, &view));
        }
    }
    return JUDO_OK;
}

static judo_status put_stage2(judo_synth_run *run, judo_synth_random *random, int object,
                              judo_synth_kind kind, int fact, int phrasing)
{
    judo_synth_file file =
        phrasing + 1 < JUDO_SYNTH_PHRASINGS ? JUDO_SYNTH_STAGE2 : JUDO_SYNTH_HELDOUT2;
    char question[JUDO_SYNTH_TEXT];
    char answer[JUDO_SYNTH_TEXT];
    char path[JUDO_SYNTH_PATH];
    judo_synth_qa(object, kind, fact, phrasing, NULL, question, answer);
    judo_synth_normal_path(object, judo_synth_below(random, run->options->normals), path);
    judo_json_begin_object(&run->line, NULL);
    judo_json_put_string(&run->line, "image", path);
    judo_json_put_string(&run->line, "problem", question);
    judo_json_put_string(&run->line, "solution", answer);
    judo_json_put_int(&run->line, "id", run->rows[file]);
    judo_json_end_object(&run->line);
    return judo_synth_line(run, file);
}

/* Questions and answers; the last phrasing of each is held out. */
static judo_status write_stage2(judo_synth_run *run)
{
    judo_synth_random random = judo_synth_random_of(run->options->seed, 0, USE_KNOWLEDGE);
    for (int object = 0; object < JUDO_SYNTH_OBJECTS; object++) {
        for (int i = -1; i < JUDO_SYNTH_KINDS_PER_OBJECT; i++) {
            judo_synth_kind kind =
                i < 0 ? JUDO_SYNTH_GOOD : judo_synth_object_table[object].kinds[i];
            int facts = i < 0 ? (int)JUDO_SYNTH_OBJECT_FACTS : (int)JUDO_SYNTH_FACTS;
            for (int fact = 0; fact < facts; fact++) {
                for (int phrasing = 0; phrasing < JUDO_SYNTH_PHRASINGS; phrasing++) {
                    JUDO_TRY(put_stage2(run, &random, object, kind, fact, phrasing));
                }
            }
        }
    }
    return JUDO_OK;
}

static judo_status write_document(const judo_synth_run *run, const char *name,
                                  const judo_json_writer *document)
{
    char path[4096];
    JUDO_TRY(judo_json_writer_check(document));
    JUDO_TRY(judo_synth_full_path(run, name, path, sizeof path));
    FILE *file = fopen(path, "wb");
    bool bad = !file || fwrite(document->text, 1, document->length, file) != document->length;
    bad = (file && fclose(file) != 0) || bad;
    return bad ? JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot be written: %s", path, strerror(errno))
               : JUDO_OK;
}

static void put_knowledge_of(judo_json_writer *w, int object)
{
    char text[JUDO_SYNTH_TEXT];
    judo_json_begin_object(w, judo_synth_object_table[object].name);
    judo_synth_snippet(object, JUDO_SYNTH_GOOD, text);
    judo_json_put_string(w, "good", text);
    for (int i = 0; i < JUDO_SYNTH_KINDS_PER_OBJECT; i++) {
        judo_synth_kind kind = judo_synth_object_table[object].kinds[i];
        judo_synth_snippet(object, kind, text);
        judo_json_put_string(w, judo_synth_kind_table[kind].folder, text);
    }
    judo_json_end_object(w);
}

static judo_status write_knowledge(judo_synth_run *run)
{
    judo_json_writer *w = &run->line;
    judo_json_begin_object(w, NULL);
    const char *open = NULL; /* objects of one data set stand together in the table */
    for (int object = 0; object < JUDO_SYNTH_OBJECTS; object++) {
        const char *dataset = judo_synth_object_table[object].dataset;
        if (!open || strcmp(open, dataset) != 0) {
            if (open) {
                judo_json_end_object(w);
            }
            judo_json_begin_object(w, dataset);
            open = dataset;
        }
        put_knowledge_of(w, object);
    }
    judo_json_end_object(w);
    judo_json_end_object(w);
    judo_status status = write_document(run, "domain_knowledge.json", w);
    judo_json_writer_clear(w);
    return status;
}

static judo_status write_all(judo_synth_run *run)
{
    const judo_synth_options *options = run->options;
    judo_json_begin_object(&run->questions[SPLIT_TRAIN], NULL);
    judo_json_begin_object(&run->questions[SPLIT_HELDOUT], NULL);
    JUDO_TRY(write_knowledge(run));
    JUDO_TRY(write_normals(run));
    JUDO_TRY(write_queries(run, SPLIT_TRAIN, options->train_per_kind));
    JUDO_TRY(write_queries(run, SPLIT_HELDOUT, options->heldout_per_kind));
    JUDO_TRY(write_stage2(run));
    JUDO_TRY(judo_synth_write_pretrain(run));
    judo_json_end_object(&run->questions[SPLIT_TRAIN]);
    judo_json_end_object(&run->questions[SPLIT_HELDOUT]);
    JUDO_TRY(write_document(run, "mmad_train.json", &run->questions[SPLIT_TRAIN]));
    return write_document(run, "mmad.json", &run->questions[SPLIT_HELDOUT]);
}

static judo_status check(const judo_synth_options *options)
{
    if (!options->folder || options->size < 112 || options->size > 1024 ||
        options->train_per_kind < 1 || options->train_per_kind > 10000 ||
        options->heldout_per_kind < 1 || options->heldout_per_kind > 10000 ||
        options->normals < 1 || options->normals > 10000 || options->pretrain_scenes < 0 ||
        options->pretrain_scenes > 99999) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "synth: size %d must be in 112..1024, train %d, held-out %d and normals "
            "%d in 1..10000, pre-training scenes %d in 0..99999",
            options->size, options->train_per_kind, options->heldout_per_kind, options->normals,
            options->pretrain_scenes);
    }
    return JUDO_OK;
}

judo_status judo_synth_write(const judo_synth_options *options)
{
    JUDO_TRY(check(options));
    judo_synth_run run = {.options = options};
    int64_t queries = (int64_t)(options->train_per_kind + options->heldout_per_kind) *
                      (1 + JUDO_SYNTH_KINDS_PER_OBJECT);
    judo_progress_begin(&run.progress, "synth", "pictures",
                        (queries + options->normals) * JUDO_SYNTH_OBJECTS +
                            options->pretrain_scenes);
    judo_status status = write_all(&run);
    judo_progress_end(&run.progress);
    for (int i = 0; i < JUDO_SYNTH_FILES; i++) {
        if (run.files[i] && fclose(run.files[i]) != 0 && status == JUDO_OK) {
            status = JUDO_FAIL(JUDO_ERROR_IO, "%s: closing a file failed: %s", options->folder,
                               strerror(errno));
        }
    }
    judo_json_writer_free(&run.line);
    judo_json_writer_free(&run.questions[SPLIT_TRAIN]);
    judo_json_writer_free(&run.questions[SPLIT_HELDOUT]);
    return status;
}
