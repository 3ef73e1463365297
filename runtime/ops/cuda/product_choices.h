/* runtime/ops/cuda/product_choices.h: which algorithm a matrix product takes, kept in a file,
 * so that what was once timed is chosen again: the same bits in every run. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_PRODUCT_CHOICES_H
#define JUDO_RUNTIME_OPS_CUDA_PRODUCT_CHOICES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"

enum { JUDO_CHOICE_KEY = 7, JUDO_CHOICE_VALUE = 8, JUDO_MOST_CHOICES = 4096 };

/* Numbers that say what the product is, and the library's own words for an algorithm. */
typedef struct judo_product_choice {
    int64_t key[JUDO_CHOICE_KEY];
    uint64_t value[JUDO_CHOICE_VALUE];
} judo_product_choice;

typedef struct judo_product_choices {
    char *path; /* NULL: none */
    bool recording;
    int32_t count;
    judo_product_choice *list; /* [JUDO_MOST_CHOICES] */
} judo_product_choices;

/* With a file at `path`, reads it; without one, makes it and records. `identity` (one line:
 * GPU, library, mode) is its first line: JUDO_ERROR_MISMATCH where it is another,
 * JUDO_ERROR_FORMAT where a line is not a choice. `path` NULL or "": neither. */
judo_status judo_product_choices_open(judo_product_choices *choices, const char *path,
                                      const char *identity) JUDO_MUST_CHECK;
void judo_product_choices_close(judo_product_choices *choices);
/* The value of a key, or NULL. */
const uint64_t *judo_product_choices_find(const judo_product_choices *choices,
                                          const int64_t *key);
/* Adds to the list and, in one write, to the file. */
judo_status judo_product_choices_add(judo_product_choices *choices,
                                     const judo_product_choice *choice) JUDO_MUST_CHECK;

#endif
