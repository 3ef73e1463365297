/* runtime/json.c: JSON documents: cJSON builds the tree from text that was checked before. */
#include "runtime/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/json_scan.h"

static const size_t max_document_bytes = (size_t)1 << 30;
static const double max_exact_integer = 0x1p53;

static const judo_json_limits document_limits = {
    .max_depth = JUDO_JSON_MAX_DEPTH,
    .max_values = INT64_C(1) << 26,
    .max_top_members = INT64_C(1) << 26,
};

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the keys, so that a hostile vocabulary costs no more than a friendly one. */
static judo_status check_keys(const cJSON *object, const char *source)
{
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count < 2) {
        return JUDO_OK;
    }
    const char **keys = malloc(count * sizeof *keys);
    if (keys == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory to check %zu keys", source, count);
    }
    size_t n = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        keys[n++] = item->string;
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    judo_status status = JUDO_OK;
    for (size_t i = 1; status == JUDO_OK && i < n; i++) {
        if (strcmp(keys[i - 1], keys[i]) == 0) {
            status = JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: key '%.200s' appears twice in an object",
                               source, keys[i]);
        }
    }
    free(keys);
    return status;
}

/* What only the tree shows: duplicate keys (after unescaping) and numbers that overflow. The
 * depth was limited before. */
static judo_status check_tree(const cJSON *item, const char *source)
{
    if (cJSON_IsNumber(item) && !isfinite(item->valuedouble)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s%s%s a number is too large for a double",
                         source, item->string ? "key '" : "", item->string ? item->string : "",
                         item->string ? "':" : "");
    }
    if (cJSON_IsObject(item)) {
        JUDO_TRY(check_keys(item, source));
    }
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        if (child->child != NULL || cJSON_IsNumber(child)) {
            JUDO_TRY(check_tree(child, source));
        }
    }
    return JUDO_OK;
}

judo_status judo_json_parse(const char *text, size_t length, const char *source,
                            judo_json **out)
{
    if (length > max_document_bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %zu bytes are more than the limit of %zu",
                         source, length, max_document_bytes);
    }
    JUDO_TRY(judo_json_scan(text, length, source, &document_limits));
    cJSON *document = cJSON_ParseWithLength(text, length);
    if (document == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the tree of %zu bytes of JSON",
                         source, length);
    }
    judo_status status = check_tree(document, source);
    if (status != JUDO_OK) {
        cJSON_Delete(document);
        return status;
    }
    *out = document;
    return JUDO_OK;
}

judo_status judo_json_load(const char *path, judo_json **out)
{
    char *text = NULL;
    size_t length = 0;
    JUDO_TRY(judo_file_read_all(path, max_document_bytes, &text, &length));
    judo_status status = judo_json_parse(text, length, path, out);
    free(text);
    return status;
}

void judo_json_free(judo_json **document)
{
    if (document != NULL) {
        cJSON_Delete(*document);
        *document = NULL;
    }
}

const judo_json *judo_json_get(const judo_json *object, const char *key)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const judo_json *judo_json_at(const judo_json *array, int index)
{
    return cJSON_IsArray(array) ? cJSON_GetArrayItem(array, index) : NULL;
}

int judo_json_size(const judo_json *array_or_object)
{
    bool holds = cJSON_IsArray(array_or_object) || cJSON_IsObject(array_or_object);
    return holds ? cJSON_GetArraySize(array_or_object) : 0;
}

const judo_json *judo_json_first(const judo_json *array_or_object)
{
    return array_or_object == NULL ? NULL : array_or_object->child;
}

const judo_json *judo_json_next(const judo_json *item)
{
    return item == NULL ? NULL : item->next;
}

const char *judo_json_key(const judo_json *item)
{
    return item == NULL ? NULL : item->string;
}

bool judo_json_is_null(const judo_json *item)
{
    return item == NULL || cJSON_IsNull(item);
}

bool judo_json_is_object(const judo_json *item)
{
    return cJSON_IsObject(item);
}

bool judo_json_is_array(const judo_json *item)
{
    return cJSON_IsArray(item);
}

bool judo_json_is_string(const judo_json *item)
{
    return cJSON_IsString(item);
}

bool judo_json_is_number(const judo_json *item)
{
    return cJSON_IsNumber(item);
}

bool judo_json_is_bool(const judo_json *item)
{
    return cJSON_IsBool(item);
}

static const char *type_name(const judo_json *item)
{
    return item == NULL           ? "nothing"
           : cJSON_IsNull(item)   ? "null"
           : cJSON_IsBool(item)   ? "a bool"
           : cJSON_IsNumber(item) ? "a number"
           : cJSON_IsString(item) ? "a string"
           : cJSON_IsArray(item)  ? "an array"
                                  : "an object";
}

static judo_status fail_type(const judo_json *item, const char *key, const char *source,
                             const char *expected)
{
    if (key == NULL) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: expected %s, found %s", source, expected,
                         type_name(item));
    }
    if (item == NULL) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: key '%s' is missing; expected %s", source, key,
                         expected);
    }
    return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: key '%s': expected %s, found %s", source, key,
                     expected, type_name(item));
}

static judo_status read_string(const judo_json *item, const char *key, const char *source,
                               const char **out)
{
    if (!cJSON_IsString(item)) {
        return fail_type(item, key, source, "a string");
    }
    *out = item->valuestring;
    return JUDO_OK;
}

static judo_status read_int(const judo_json *item, const char *key, const char *source,
                            int64_t *out)
{
    if (!cJSON_IsNumber(item)) {
        return fail_type(item, key, source, "an integer");
    }
    double value = item->valuedouble;
    if (!(fabs(value) <= max_exact_integer) || value != floor(value)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: key '%s': %.17g is not an integer of at most 2^53", source,
                         key == NULL ? "" : key, value);
    }
    *out = (int64_t)value;
    return JUDO_OK;
}

static judo_status read_double(const judo_json *item, const char *key, const char *source,
                               double *out)
{
    if (!cJSON_IsNumber(item)) {
        return fail_type(item, key, source, "a number");
    }
    *out = item->valuedouble;
    return JUDO_OK;
}

static judo_status read_bool(const judo_json *item, const char *key, const char *source,
                             bool *out)
{
    if (!cJSON_IsBool(item)) {
        return fail_type(item, key, source, "true or false");
    }
    *out = cJSON_IsTrue(item);
    return JUDO_OK;
}

judo_status judo_json_as_string(const judo_json *item, const char *source, const char **out)
{
    return read_string(item, judo_json_key(item), source, out);
}

judo_status judo_json_as_int(const judo_json *item, const char *source, int64_t *out)
{
    return read_int(item, judo_json_key(item), source, out);
}

judo_status judo_json_as_double(const judo_json *item, const char *source, double *out)
{
    return read_double(item, judo_json_key(item), source, out);
}

judo_status judo_json_as_bool(const judo_json *item, const char *source, bool *out)
{
    return read_bool(item, judo_json_key(item), source, out);
}

judo_status judo_json_get_string(const judo_json *object, const char *key, const char *source,
                                 const char **out)
{
    return read_string(judo_json_get(object, key), key, source, out);
}

judo_status judo_json_get_int(const judo_json *object, const char *key, const char *source,
                              int64_t *out)
{
    return read_int(judo_json_get(object, key), key, source, out);
}

judo_status judo_json_get_double(const judo_json *object, const char *key, const char *source,
                                 double *out)
{
    return read_double(judo_json_get(object, key), key, source, out);
}

judo_status judo_json_get_bool(const judo_json *object, const char *key, const char *source,
                               bool *out)
{
    return read_bool(judo_json_get(object, key), key, source, out);
}

judo_status judo_json_get_int_or(const judo_json *object, const char *key, const char *source,
                                 int64_t fallback, int64_t *out)
{
    const judo_json *item = judo_json_get(object, key);
    if (judo_json_is_null(item)) {
        *out = fallback;
        return JUDO_OK;
    }
    return read_int(item, key, source, out);
}

judo_status judo_json_get_double_or(const judo_json *object, const char *key,
                                    const char *source, double fallback, double *out)
{
    const judo_json *item = judo_json_get(object, key);
    if (judo_json_is_null(item)) {
        *out = fallback;
        return JUDO_OK;
    }
    return read_double(item, key, source, out);
}

judo_status judo_json_get_bool_or(const judo_json *object, const char *key, const char *source,
                                  bool fallback, bool *out)
{
    const judo_json *item = judo_json_get(object, key);
    if (judo_json_is_null(item)) {
        *out = fallback;
        return JUDO_OK;
    }
    return read_bool(item, key, source, out);
}

judo_status judo_json_get_string_or(const judo_json *object, const char *key,
                                    const char *source, const char *fallback, const char **out)
{
    const judo_json *item = judo_json_get(object, key);
    if (judo_json_is_null(item)) {
        *out = fallback;
        return JUDO_OK;
    }
    return read_string(item, key, source, out);
}
