/* runtime/config_yaml.h: a YAML file as a flat list of dotted keys and scalars. */
#ifndef JUDO_RUNTIME_CONFIG_YAML_H
#define JUDO_RUNTIME_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/status.h"

typedef struct judo_yaml_entry {
    char *key;        /* "a.b" for both "a: {b: 1}" and "a.b: 1" */
    char *text;       /* NULL: the key holds an empty mapping */
    bool quoted;      /* the scalar was written in quotes or as a block */
    int line, column; /* of the last part of the key, from 1 */
} judo_yaml_entry;

typedef struct judo_yaml_list {
    judo_yaml_entry *entries;
    int count, capacity;
} judo_yaml_list;

/* JUDO_ERROR_CONFIG "PATH:LINE:COLUMN: ..." for anything but one document that is a mapping of
 * mappings and scalars: lists, anchors, aliases, tags, repeated keys, deep nesting and large
 * files are refused. JUDO_ERROR_IO if the file cannot be read. */
judo_status judo_yaml_load(const char *path, judo_yaml_list *out) JUDO_MUST_CHECK;
judo_status judo_yaml_parse(const char *text, size_t length, const char *source,
                            judo_yaml_list *out) JUDO_MUST_CHECK;
void judo_yaml_free(judo_yaml_list *list);

#endif
