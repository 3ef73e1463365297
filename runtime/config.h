/* runtime/config.h: configuration as one table of fields per struct. Parsing, defaults,
 * `--help`, validation, "did you mean" and the echoed resolved configuration all come from the
 * table. */
#ifndef JUDO_RUNTIME_CONFIG_H
#define JUDO_RUNTIME_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/status.h"

typedef enum judo_config_type {
    JUDO_CONFIG_INT,    /* int64_t */
    JUDO_CONFIG_FLOAT,  /* double */
    JUDO_CONFIG_BOOL,   /* bool */
    JUDO_CONFIG_STRING, /* char[JUDO_CONFIG_STRING_BYTES] */
    JUDO_CONFIG_CHOICE, /* int: index into `choices`, a '|'-separated list */
} judo_config_type;

enum { JUDO_CONFIG_STRING_BYTES = 1024 };

typedef struct judo_config_field {
    const char *key; /* dotted path, as nested in YAML: "optimizer.learning_rate" */
    judo_config_type type;
    size_t offset;            /* of the member in the target struct */
    const char *default_text; /* as written in YAML; NULL: required */
    double minimum, maximum;  /* INT and FLOAT; both 0: unbounded */
    const char *choices;      /* CHOICE only */
    const char *doc;
    const char *aliases; /* NULL or '|'-separated other spellings of the key, e.g. DeepSpeed's
                            and TRL's */
} judo_config_field;

/* A key of other programs that no field takes, and what to write instead: "judo calls it ..".
 * It is met as a whole key or as a part of a dotted one. */
typedef struct judo_config_hint {
    const char *key, *answer;
} judo_config_hint;

/* A table; a program's table may be joined from several (loop, model, stage) that fill one
 * struct. */
typedef struct judo_config_table {
    const judo_config_field *const *parts; /* each ends with an entry whose key is NULL */
    int num_parts;
    const judo_config_hint *hints; /* ends with an entry whose key is NULL; or NULL */
} judo_config_table;

/* Fills `target` from defaults, then `yaml_path` (may be NULL), then `overrides` ("key=value").
 * Errors (JUDO_ERROR_CONFIG) name file, line, column, key, and for an unknown key the nearest
 * known one. Nesting and dotted keys are equal: "a: {b: 1}" and "a.b: 1". A repeated key, a
 * wrong type, a value out of range, YAML anchors and deep nesting are errors.
 * ${NAME} in a string is replaced from the environment (an unset name is an error). */
judo_status judo_config_load(void *target, const judo_config_table *table,
                             const char *yaml_path, const char *const *overrides,
                             int num_overrides) JUDO_MUST_CHECK;

/* Prints the table for --help: key, type, default, range, doc. */
void judo_config_print_help(FILE *out, const judo_config_table *table);

/* Writes the resolved configuration as YAML that loads back to the same struct. */
judo_status judo_config_print(FILE *out, const void *target,
                              const judo_config_table *table) JUDO_MUST_CHECK;

#endif
