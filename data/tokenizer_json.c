/* data/tokenizer_json.c: the layout with one tokenizer.json. What it describes must be what
 * judo does; anything else is refused by name rather than tokenised differently. */
#include <string.h>

#include "data/tokenizer_internal.h"

static const char *string_of(const judo_json *item)
{
    const char *text = NULL;
    bool found = judo_json_is_string(item) && judo_json_as_string(item, "", &text) == JUDO_OK;
    return found ? text : NULL;
}

static bool string_is(const judo_json *object, const char *key, const char *wanted)
{
    const char *text = string_of(judo_json_get(object, key));
    return text != NULL && strcmp(text, wanted) == 0;
}

/* True when the member is absent, null or false. */
static judo_status check_unset(const judo_json *object, const char *key, const char *source)
{
    bool set = true;
    JUDO_TRY(judo_json_get_bool_or(object, key, source, false, &set));
    return set ? JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: sets %s, which judo does not do",
                           source, key)
               : JUDO_OK;
}

static judo_status check_model(const judo_json *model, const char *source)
{
    if (!string_is(model, "type", "BPE")) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: model.type is not \"BPE\", the only kind that judo has", source);
    }
    JUDO_TRY(check_unset(model, "byte_fallback", source));
    JUDO_TRY(check_unset(model, "ignore_merges", source));
    static const char *const absent[] = {"dropout", "unk_token", "continuing_subword_prefix",
                                         "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        const judo_json *item = judo_json_get(model, absent[i]);
        const char *text = string_of(item);
        if (!judo_json_is_null(item) && (text == NULL || text[0] != '\0')) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                             "%s: sets model.%s, which judo does not do", source, absent[i]);
        }
    }
    return JUDO_OK;
}

/* Qwen2's: a sequence of one Split by the pattern and one ByteLevel that does not split. */
static judo_status check_split(const judo_json *pre, const char *source)
{
    const judo_json *steps = judo_json_get(pre, "pretokenizers");
    const judo_json *split = judo_json_at(steps, 0);
    const judo_json *bytes = judo_json_at(steps, 1);
    if (judo_json_size(steps) != 2 || !string_is(split, "type", "Split") ||
        !string_is(split, "behavior", "Isolated") || !string_is(bytes, "type", "ByteLevel") ||
        !string_is(judo_json_get(split, "pattern"), "Regex", JUDO_SPLIT_PATTERN)) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: pre_tokenizer is not Qwen2's (a Split by its pattern, then "
                         "ByteLevel)",
                         source);
    }
    JUDO_TRY(check_unset(split, "invert", source));
    JUDO_TRY(check_unset(bytes, "add_prefix_space", source));
    return check_unset(bytes, "use_regex", source);
}

/* A post_processor that adds no tokens: ByteLevel (of offsets only), or the template of nothing
 * but the text, which Transformers 5 writes. */
static bool adds_nothing(const judo_json *post)
{
    if (judo_json_is_null(post) || string_is(post, "type", "ByteLevel")) {
        return true;
    }
    const judo_json *single = judo_json_get(post, "single");
    return string_is(post, "type", "TemplateProcessing") && judo_json_is_array(single) &&
           judo_json_size(single) == 1 &&
           judo_json_is_object(judo_json_get(judo_json_first(single), "Sequence"));
}

static judo_status check_pipeline(const judo_json *document, const char *source, bool *nfc)
{
    const judo_json *normalizer = judo_json_get(document, "normalizer");
    *nfc = !judo_json_is_null(normalizer);
    if (*nfc && !string_is(normalizer, "type", "NFC")) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: the normalizer is not NFC", source);
    }
    if (!adds_nothing(judo_json_get(document, "post_processor"))) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: the post_processor is not ByteLevel: it would add tokens",
                         source);
    }
    return check_split(judo_json_get(document, "pre_tokenizer"), source);
}

static judo_status load_merges(judo_bpe *bpe, const judo_json *merges, const char *source)
{
    if (!judo_json_is_array(merges)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: model.merges is not an array", source);
    }
    for (const judo_json *item = judo_json_first(merges); item != NULL;
         item = judo_json_next(item)) {
        const char *text = string_of(item);
        const char *left = string_of(judo_json_at(item, 0));
        const char *right = string_of(judo_json_at(item, 1));
        if (text != NULL) {
            JUDO_TRY(judo_tokenizer_read_merge_line(bpe, text, strlen(text), source));
        } else if (judo_json_is_array(item) && judo_json_size(item) == 2 && left != NULL &&
                   right != NULL) {
            JUDO_TRY(judo_tokenizer_read_merge(bpe, left, strlen(left), right, strlen(right),
                                               source));
        } else {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: merge %d is neither \"a b\" nor [\"a\", \"b\"]", source,
                             bpe->num_merges);
        }
    }
    return JUDO_OK;
}

static judo_status load_document(judo_tokenizer *tokenizer, const judo_json *document,
                                 const char *path)
{
    const judo_json *model = judo_json_get(document, "model");
    JUDO_TRY(check_model(model, path));
    JUDO_TRY(check_pipeline(document, path, &tokenizer->normalize));
    JUDO_TRY(
        judo_tokenizer_read_vocabulary(&tokenizer->bpe, judo_json_get(model, "vocab"), path));
    JUDO_TRY(load_merges(&tokenizer->bpe, judo_json_get(model, "merges"), path));
    const judo_json *added = judo_json_get(document, "added_tokens");
    if (!judo_json_is_null(added) && !judo_json_is_array(added)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: added_tokens is not an array", path);
    }
    for (const judo_json *item = judo_json_first(added); item != NULL;
         item = judo_json_next(item)) {
        int32_t id = -1;
        JUDO_TRY(judo_tokenizer_read_id(judo_json_get(item, "id"), path, &id));
        JUDO_TRY(judo_tokenizer_read_added(tokenizer, item, id, path));
    }
    return JUDO_OK;
}

judo_status judo_tokenizer_load_json(judo_tokenizer *tokenizer, const char *path)
{
    JUDO_TRY(judo_tokenizer_set_source(tokenizer, path));
    judo_json *document = NULL;
    JUDO_TRY(judo_json_load(path, &document));
    judo_status status = load_document(tokenizer, document, path);
    judo_json_free(&document);
    return status;
}
