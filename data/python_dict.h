/* data/python_dict.h: dictionaries of strings as Python's repr() prints them, the form in which
 * published stage-3 files hold answer options. */
#ifndef JUDO_DATA_PYTHON_DICT_H
#define JUDO_DATA_PYTHON_DICT_H

#include "runtime/status.h"

enum { JUDO_PYTHON_DICT_ENTRIES = 16 };

typedef struct judo_python_dict {
    int count;
    const char *keys[JUDO_PYTHON_DICT_ENTRIES];
    const char *values[JUDO_PYTHON_DICT_ENTRIES];
    char *storage; /* of the texts above */
} judo_python_dict;

/* Parses "{'A': 'Yes.', "B": "No, it isn't"}" with Python's escapes; blanks around are fine,
 * any other rest is not. `source` names the text in errors (JUDO_ERROR_FORMAT). */
judo_status judo_python_dict_parse(const char *text, const char *source,
                                   judo_python_dict *out) JUDO_MUST_CHECK;
void judo_python_dict_free(judo_python_dict *dict);

#endif
