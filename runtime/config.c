/* runtime/config.c: resolves each field of a table from default, file and overrides. */
#include "runtime/config.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config_value.h"
#include "runtime/config_yaml.h"
#include "runtime/log.h"

enum { PLACE_BYTES = 512 };

/* What is known of one field so far. */
typedef struct resolved {
    const judo_config_field *field;
    bool set;
    char set_at[PLACE_BYTES]; /* where the file or the command line set it last */
    judo_config_value value;
} resolved;

typedef struct resolver {
    resolved *fields;
    int count;
    const judo_config_hint *hints;
} resolver;

static judo_status begin(const judo_config_table *table, resolver *out)
{
    int count = 0;
    for (int p = 0; p < table->num_parts; p++) {
        for (const judo_config_field *f = table->parts[p]; f->key != NULL; f++) {
            count++;
        }
    }
    resolver r = {.fields = calloc((size_t)count + 1, sizeof *r.fields), .hints = table->hints};
    if (r.fields == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "configuration: no memory for %d fields", count);
    }
    for (int p = 0; p < table->num_parts; p++) {
        for (const judo_config_field *f = table->parts[p]; f->key != NULL; f++) {
            r.fields[r.count++].field = f;
        }
    }
    *out = r;
    return JUDO_OK;
}

static bool is_alias(const judo_config_field *field, const char *key)
{
    const char *alias = NULL;
    size_t length = 0;
    for (int i = 0; judo_config_split(field->aliases, i, &alias, &length); i++) {
        if (strlen(key) == length && memcmp(key, alias, length) == 0) {
            return true;
        }
    }
    return false;
}

static resolved *find(const resolver *r, const char *key, bool by_alias)
{
    for (int i = 0; i < r->count; i++) {
        const judo_config_field *field = r->fields[i].field;
        if (by_alias ? is_alias(field, key) : strcmp(field->key, key) == 0) {
            return &r->fields[i];
        }
    }
    return NULL;
}

static bool is_section(const resolver *r, const char *key)
{
    size_t length = strlen(key);
    for (int i = 0; i < r->count; i++) {
        const char *known = r->fields[i].field->key;
        if (strncmp(known, key, length) == 0 && known[length] == '.') {
            return true;
        }
    }
    return false;
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

/* The known key that was probably meant, or NULL. A right name in a wrong section is near. */
static const char *nearest_key(const resolver *r, const char *key)
{
    const char *best = NULL;
    int best_distance = (int)(strlen(key) / 4) + 2;
    for (int i = 0; i < r->count; i++) {
        const char *known = r->fields[i].field->key;
        int whole = judo_config_distance(key, strlen(key), known, strlen(known));
        int part = strcmp(last_part(key), last_part(known)) == 0 ? 2 : INT_MAX;
        int distance = whole < part ? whole : part;
        if (distance < best_distance) {
            best_distance = distance;
            best = known;
        }
    }
    return best;
}

/* What the table says to one of the words of a dotted key, or NULL. */
static const char *find_answer(const resolver *r, const char *key)
{
    for (const judo_config_hint *hint = r->hints; hint != NULL && hint->key != NULL; hint++) {
        size_t length = strlen(hint->key);
        for (const char *word = key; word != NULL; word = strchr(word, '.')) {
            word += *word == '.';
            if (strncmp(word, hint->key, length) == 0 &&
                (word[length] == '\0' || word[length] == '.')) {
                return hint->answer;
            }
        }
    }
    return NULL;
}

static judo_status fail_unknown(const resolver *r, const char *key, const char *place)
{
    if (is_section(r, key)) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' is a section; write keys below it", place,
                         key);
    }
    for (int i = 0; i < r->count; i++) {
        const char *known = r->fields[i].field->key;
        size_t length = strlen(known);
        if (strncmp(key, known, length) == 0 && key[length] == '.') {
            return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' takes a value, not keys below it",
                             place, known);
        }
    }
    const char *answer = find_answer(r, key);
    if (answer != NULL) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%.200s': %s", place, key, answer);
    }
    const char *nearest = nearest_key(r, key);
    if (nearest == NULL) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "%s: unknown key '%.200s'; --help lists the known keys", place, key);
    }
    return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: unknown key '%.200s'; did you mean '%s'?", place,
                     key, nearest);
}

static judo_status set_field(const resolver *r, const char *key, const char *text, bool quoted,
                             const char *place)
{
    resolved *found = find(r, key, false);
    if (found == NULL) {
        found = find(r, key, true);
        if (found == NULL) {
            return fail_unknown(r, key, place);
        }
        JUDO_DEBUG("%s: '%s' is read as '%s'", place, key, found->field->key);
    }
    if (found->set_at[0] != '\0') {
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' is repeated; it is set at %s already",
                         place, found->field->key, found->set_at);
    }
    JUDO_TRY(judo_config_value_parse(found->field, text, quoted, place, &found->value));
    found->set = true;
    (void)snprintf(found->set_at, sizeof found->set_at, "%s", place);
    return JUDO_OK;
}

/* Defaults and command lines have no YAML quotes; "..." around them is taken off. */
static judo_status set_unquoted(const resolver *r, const char *key, const char *text,
                                const char *place)
{
    size_t length = strlen(text);
    if (length < 2 || text[0] != '"' || text[length - 1] != '"') {
        return set_field(r, key, text, false, place);
    }
    char *inner = strndup(text + 1, length - 2);
    if (inner == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", place);
    }
    judo_status status = set_field(r, key, inner, true, place);
    free(inner);
    return status;
}

static void forget_places(const resolver *r)
{
    for (int i = 0; i < r->count; i++) {
        r->fields[i].set_at[0] = '\0';
    }
}

static judo_status set_from_file(const resolver *r, const char *path)
{
    judo_yaml_list list = {0};
    JUDO_TRY(judo_yaml_load(path, &list));
    judo_status status = JUDO_OK;
    for (int i = 0; status == JUDO_OK && i < list.count; i++) {
        const judo_yaml_entry *entry = &list.entries[i];
        char place[PLACE_BYTES];
        (void)snprintf(place, sizeof place, "%s:%d:%d", path, entry->line, entry->column);
        if (entry->text != NULL) {
            status = set_field(r, entry->key, entry->text, entry->quoted, place);
        } else if (!is_section(r, entry->key)) {
            status =
                find(r, entry->key, false)
                    ? JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' takes a value, not keys below it",
                                place, entry->key)
                    : fail_unknown(r, entry->key, place);
        }
    }
    judo_yaml_free(&list);
    forget_places(r);
    return status;
}

static judo_status set_from_override(const resolver *r, const char *text)
{
    char place[PLACE_BYTES];
    (void)snprintf(place, sizeof place, "override '%.200s'", text);
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: expected key=value", place);
    }
    char *key = strndup(text, (size_t)(equals - text));
    if (key == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", place);
    }
    judo_status status = set_unquoted(r, key, equals + 1, place);
    free(key);
    return status;
}

static judo_status set_defaults(const resolver *r)
{
    for (int i = 0; i < r->count; i++) {
        const judo_config_field *field = r->fields[i].field;
        if (field->default_text != NULL && !r->fields[i].set) {
            JUDO_TRY(set_unquoted(r, field->key, field->default_text, "default"));
        }
    }
    return JUDO_OK;
}

static judo_status check_required(const resolver *r, const char *yaml_path)
{
    for (int i = 0; i < r->count; i++) {
        const judo_config_field *field = r->fields[i].field;
        if (!r->fields[i].set) {
            return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' is required: %s",
                             yaml_path ? yaml_path : "command line", field->key,
                             field->doc ? field->doc : judo_config_type_name(field));
        }
    }
    return JUDO_OK;
}

static judo_status resolve(const resolver *r, const char *yaml_path,
                           const char *const *overrides, int num_overrides)
{
    if (yaml_path != NULL) {
        JUDO_TRY(set_from_file(r, yaml_path));
    }
    for (int i = 0; i < num_overrides; i++) {
        JUDO_TRY(set_from_override(r, overrides[i]));
    }
    forget_places(r);
    /* Last, so that a default that needs the environment does not disturb who sets the key. */
    JUDO_TRY(set_defaults(r));
    return check_required(r, yaml_path);
}

judo_status judo_config_load(void *target, const judo_config_table *table,
                             const char *yaml_path, const char *const *overrides,
                             int num_overrides)
{
    resolver r = {0};
    JUDO_TRY(begin(table, &r));
    judo_status status = resolve(&r, yaml_path, overrides, num_overrides);
    for (int i = 0; status == JUDO_OK && i < r.count; i++) {
        judo_config_value_store(r.fields[i].field, &r.fields[i].value, target);
    }
    free(r.fields);
    return status;
}
