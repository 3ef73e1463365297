/* data/pack_mmad.c: mmad.json, one entry per picture with its questions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack_source.h"
#include "runtime/json.h"
#include "runtime/random.h"

/* Distinguishes the choice of templates from the order of samples under one seed. */
enum { TEMPLATE_DRAW = 1 };

/* The snippets of one object, joined by newlines; NULL when there are none. Free it. */
static judo_status join_snippets(const judo_json *knowledge, const char *dataset,
                                 const char *category, const char *place, char **out)
{
    const char *name = strcmp(dataset, "DS-MVTec") == 0 ? "MVTec" : dataset;
    const judo_json *object = judo_json_get(judo_json_get(knowledge, name), category);
    size_t bytes = 1;
    for (const judo_json *s = judo_json_first(object); s != NULL; s = judo_json_next(s)) {
        const char *text = NULL;
        JUDO_TRY(judo_json_as_string(s, place, &text));
        bytes += strlen(text) + 1;
    }
    char *joined = malloc(bytes);
    if (joined == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for domain knowledge", place);
    }
    char *to = joined;
    for (const judo_json *s = judo_json_first(object); s != NULL; s = judo_json_next(s)) {
        const char *text = NULL;
        judo_status status = judo_json_as_string(s, place, &text);
        if (status != JUDO_OK) {
            free(joined);
            return status;
        }
        if (to != joined) {
            *to++ = '\n';
        }
        size_t length = strlen(text);
        memcpy(to, text, length);
        to += length;
    }
    *to = '\0';
    *out = joined;
    return JUDO_OK;
}

static judo_status choose_template(const judo_pack_options *options, const judo_json *entry,
                                   int64_t number, judo_pack_item *item)
{
    const char *key = options->similar_templates ? "similar_templates" : "random_templates";
    const judo_json *list = judo_json_get(entry, key);
    int count = judo_json_size(list);
    if (!judo_json_is_array(list) || count < 1) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s must be a list of paths", item->place, key);
    }
    uint32_t index = 0;
    if (options->template_choice == JUDO_PACK_TEMPLATE_RANDOM) {
        index = judo_random_below(options->seed, JUDO_STREAM_ORDER, (uint64_t)number, 0,
                                  TEMPLATE_DRAW, (uint32_t)count);
    }
    return judo_json_as_string(judo_json_at(list, (int)index), item->place,
                               &item->template_path);
}

/* Options are lettered anew by position, and the answer with them, as MMAD's own reader does.
 */
static judo_status read_question(const judo_json *question, judo_pack_item *item)
{
    judo_sample *sample = &item->sample;
    const char *answer = NULL;
    JUDO_TRY(judo_json_get_string(question, "Question", item->place, &sample->question));
    JUDO_TRY(judo_json_get_string(question, "Answer", item->place, &answer));
    JUDO_TRY(judo_json_get_string(question, "type", item->place, &sample->subtask));
    const judo_json *options = judo_json_get(question, "Options");
    int count = judo_json_size(options);
    if (!judo_json_is_object(options) || count < 2 || count > JUDO_MAX_OPTIONS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: Options must be an object of 2 to %d texts",
                         item->place, JUDO_MAX_OPTIONS);
    }
    sample->answer = '\0';
    sample->num_options = 0;
    for (const judo_json *o = judo_json_first(options); o != NULL; o = judo_json_next(o)) {
        int i = sample->num_options++;
        JUDO_TRY(judo_json_as_string(o, item->place, &sample->options[i]));
        sample->letters[i] = (char)('A' + i);
        if (strcmp(judo_json_key(o), answer) == 0) {
            sample->answer = sample->letters[i];
        }
    }
    if (sample->answer == '\0') {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: the answer \"%.20s\" is none of the options",
                         item->place, answer);
    }
    return JUDO_OK;
}

static const judo_json *find_conversation(const judo_json *entry)
{
    for (const judo_json *member = judo_json_first(entry); member != NULL;
         member = judo_json_next(member)) {
        if (strncmp(judo_json_key(member), "conversation", 12) == 0) {
            return member;
        }
    }
    return NULL;
}

/* What the questions of one picture share. */
typedef struct picture {
    char dataset[256], category[256], defect[256];
    char mask[1024];
    char *domain;
} picture;

/* The folder that holds the picture names its defect. */
static void read_defect(const char *path, char *out, size_t bytes)
{
    const char *end = strrchr(path, '/');
    if (end == NULL) {
        end = path;
    }
    const char *begin = end;
    while (begin > path && begin[-1] != '/') {
        begin--;
    }
    (void)snprintf(out, bytes, "%.*s", (int)(end - begin), begin);
}

static judo_status read_picture(judo_packer *packer, const judo_json *entry,
                                const judo_json *knowledge, int64_t number, picture *p,
                                judo_pack_item *item)
{
    judo_pack_path_parts(item->query, p->dataset, p->category, sizeof p->dataset);
    read_defect(item->query, p->defect, sizeof p->defect);
    const char *mask = NULL;
    JUDO_TRY(judo_json_get_string_or(entry, "mask_path", item->place, NULL, &mask));
    if (mask != NULL) {
        int length =
            snprintf(p->mask, sizeof p->mask, "%s/%s/%s", p->dataset, p->category, mask);
        if (length < 0 || (size_t)length >= sizeof p->mask) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: mask_path is too long", item->place);
        }
        item->mask = p->mask;
    }
    JUDO_TRY(choose_template(packer->options, entry, number, item));
    JUDO_TRY(join_snippets(knowledge, p->dataset, p->category, item->place, &p->domain));
    item->sample.dataset = p->dataset;
    item->sample.category = p->category;
    item->sample.defect = p->defect;
    item->sample.domain = p->domain;
    item->sample.is_normal = strcmp(p->defect, "good") == 0;
    return JUDO_OK;
}

static bool is_full(const judo_packer *packer)
{
    int64_t limit = packer->options->limit;
    return limit > 0 && judo_dataset_writer_num_samples(packer->writer) >= limit;
}

static judo_status add_questions(judo_packer *packer, const judo_json *conversation,
                                 judo_pack_item *item)
{
    for (const judo_json *q = judo_json_first(conversation); q != NULL && !is_full(packer);
         q = judo_json_next(q)) {
        judo_status status = read_question(q, item);
        if (status == JUDO_OK) {
            JUDO_TRY(judo_pack_item_add(packer, item));
        } else {
            JUDO_TRY(judo_pack_row_failed(packer, status));
        }
    }
    return JUDO_OK;
}

static judo_status pack_entry(judo_packer *packer, const judo_json *entry,
                              const judo_json *knowledge, int64_t number)
{
    const judo_pack_options *options = packer->options;
    char place[2200];
    (void)snprintf(place, sizeof place, "%.1000s:%.1000s", options->mmad_json,
                   judo_json_key(entry));
    picture p = {0};
    judo_pack_item item = {
        .sample.kind = JUDO_SAMPLE_CHOICE,
        .root = options->mmad_root != NULL ? options->mmad_root : options->image_root,
        .query = judo_json_key(entry),
        .place = place,
    };
    const judo_json *conversation = find_conversation(entry);
    judo_status status = JUDO_OK;
    if (!judo_json_is_array(conversation)) {
        status =
            JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: no list of questions (conversation..)", place);
    } else {
        status = read_picture(packer, entry, knowledge, number, &p, &item);
    }
    status = status == JUDO_OK ? add_questions(packer, conversation, &item)
                               : judo_pack_row_failed(packer, status);
    free(p.domain);
    return status;
}

static judo_status pack_entries(judo_packer *packer, const judo_json *root,
                                const judo_json *knowledge)
{
    if (!judo_json_is_object(root)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: must be an object of pictures",
                         packer->options->mmad_json);
    }
    judo_progress_begin(&packer->progress, "packing MMAD", "images", judo_json_size(root));
    judo_status status = JUDO_OK;
    int64_t number = 0;
    for (const judo_json *entry = judo_json_first(root);
         entry != NULL && status == JUDO_OK && !is_full(packer);
         entry = judo_json_next(entry)) {
        status = pack_entry(packer, entry, knowledge, number++);
        judo_progress_update(&packer->progress, number, NULL);
    }
    judo_progress_end(&packer->progress);
    return status;
}

judo_status judo_pack_mmad(judo_packer *packer)
{
    const judo_pack_options *options = packer->options;
    judo_json *knowledge = NULL;
    judo_json *root = NULL;
    judo_status status = JUDO_OK;
    if (options->domain_knowledge != NULL) {
        status = judo_json_load(options->domain_knowledge, &knowledge);
    }
    if (status == JUDO_OK) {
        status = judo_json_load(options->mmad_json, &root);
    }
    if (status == JUDO_OK) {
        status = pack_entries(packer, root, knowledge);
    }
    judo_json_free(&root);
    judo_json_free(&knowledge);
    return status;
}
