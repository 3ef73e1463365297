/* runtime/ops/cuda/product_choices.c: see product_choices.h. */
#include "runtime/ops/cuda/product_choices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512 };

const uint64_t *judo_product_choices_find(const judo_product_choices *choices,
                                          const int64_t *key)
{
    for (int32_t i = 0; i < choices->count; i++) {
        if (memcmp(choices->list[i].key, key, sizeof choices->list[i].key) == 0) {
            return choices->list[i].value;
        }
    }
    return NULL;
}

/* "k k k .. : v v v ..", keys in decimal, values in hexadecimal. */
static bool parse_line(const char *line, judo_product_choice *out)
{
    char *at = NULL;
    for (int i = 0; i < JUDO_CHOICE_KEY; i++) {
        errno = 0;
        out->key[i] = strtoll(line, &at, 10);
        if (at == line || errno != 0) {
            return false;
        }
        line = at;
    }
    if (strncmp(line, " :", 2) != 0) {
        return false;
    }
    line += 2;
    for (int i = 0; i < JUDO_CHOICE_VALUE; i++) {
        errno = 0;
        out->value[i] = strtoull(line, &at, 16);
        if (at == line || errno != 0) {
            return false;
        }
        line = at;
    }
    return strcmp(line, "\n") == 0;
}

static judo_status read_file(judo_product_choices *choices, FILE *file, const char *identity)
{
    char line[LINE];
    size_t length = strlen(identity);
    if (!fgets(line, sizeof line, file) || strncmp(line, identity, length) != 0 ||
        strcmp(line + length, "\n") != 0) {
        return JUDO_FAIL(
            JUDO_ERROR_MISMATCH,
            "%s: algorithms of another GPU, library or mode, wanted those of \"%s\"; "
            "delete the file to have them timed again",
            choices->path, identity);
    }
    for (int number = 2; fgets(line, sizeof line, file); number++) {
        if (choices->count == JUDO_MOST_CHOICES ||
            !parse_line(line, &choices->list[choices->count])) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s:%d: %s; delete the file to have its products timed again",
                             choices->path, number,
                             choices->count == JUDO_MOST_CHOICES ? "too many lines"
                                                                 : "not a product's choice");
        }
        choices->count++;
    }
    return JUDO_OK;
}

static judo_status write_text(const judo_product_choices *choices, const char *mode,
                              const char *text)
{
    FILE *file = fopen(choices->path, mode);
    bool written = file && fputs(text, file) >= 0;
    written = (!file || fclose(file) == 0) && written;
    if (!written) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot write a product's choice: %s",
                         choices->path, strerror(errno));
    }
    return JUDO_OK;
}

static judo_status read_or_make(judo_product_choices *choices, const char *identity)
{
    char first[LINE];
    FILE *file = fopen(choices->path, "r");
    if (file) {
        judo_status status = read_file(choices, file, identity);
        (void)fclose(file);
        return status;
    }
    choices->recording = true;
    (void)snprintf(first, sizeof first, "%s\n", identity);
    return write_text(choices, "wx", first);
}

judo_status judo_product_choices_open(judo_product_choices *choices, const char *path,
                                      const char *identity)
{
    *choices = (judo_product_choices){.path = NULL};
    if (!path || !path[0]) {
        return JUDO_OK;
    }
    choices->path = strdup(path);
    choices->list = calloc(JUDO_MOST_CHOICES, sizeof *choices->list);
    judo_status status = JUDO_OK;
    if (!choices->path || !choices->list) {
        status =
            JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the choices of products", path);
    } else {
        status = read_or_make(choices, identity);
    }
    if (status != JUDO_OK) {
        judo_product_choices_close(choices);
    }
    return status;
}

void judo_product_choices_close(judo_product_choices *choices)
{
    free(choices->path);
    free(choices->list);
    *choices = (judo_product_choices){.path = NULL};
}

judo_status judo_product_choices_add(judo_product_choices *choices,
                                     const judo_product_choice *choice)
{
    char line[LINE];
    size_t length = 0;
    if (choices->count == JUDO_MOST_CHOICES) {
        return JUDO_OK; /* the rest is chosen anew in every run, by the library's rule */
    }
    for (int i = 0; i < JUDO_CHOICE_KEY; i++) {
        length +=
            (size_t)snprintf(line + length, LINE - length, "%" PRId64 " ", choice->key[i]);
    }
    length += (size_t)snprintf(line + length, LINE - length, ":");
    for (int i = 0; i < JUDO_CHOICE_VALUE; i++) {
        length += (size_t)snprintf(line + length, LINE - length, " %" PRIx64, choice->value[i]);
    }
    (void)snprintf(line + length, LINE - length, "\n");
    choices->list[choices->count++] = *choice;
    return write_text(choices, "a", line);
}
