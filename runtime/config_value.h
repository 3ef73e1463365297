/* runtime/config_value.h: one field of a configuration table and its text. For config*.c. */
#ifndef JUDO_RUNTIME_CONFIG_VALUE_H
#define JUDO_RUNTIME_CONFIG_VALUE_H

#include <stdbool.h>

#include "runtime/config.h"
#include "runtime/json.h"

typedef struct judo_config_value {
    int64_t integer; /* INT, BOOL, and CHOICE's index */
    double number;
    char text[JUDO_CONFIG_STRING_BYTES];
} judo_config_value;

/* Reads `text` as the field's type and checks its range. `place` begins the error message;
 * `quoted` text is never a number or a bool. */
judo_status judo_config_value_parse(const judo_config_field *field, const char *text,
                                    bool quoted, const char *place,
                                    judo_config_value *out) JUDO_MUST_CHECK;
void judo_config_value_store(const judo_config_field *field, const judo_config_value *value,
                             void *target);
/* Appends the value in `target` as YAML. */
void judo_config_value_write(const judo_config_field *field, const void *target,
                             judo_json_writer *out);
/* "int", "float", "bool", "string", or the list of choices. */
const char *judo_config_type_name(const judo_config_field *field);

/* Part `index` of a '|'-separated list; false if there are fewer. */
bool judo_config_split(const char *list, int index, const char **part, size_t *length);

/* Edits (insert, delete, replace, swap neighbours) between two words of less than 128 bytes; a
 * large number for longer ones. */
int judo_config_distance(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
