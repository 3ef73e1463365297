/* tests/data/tokens.h: comparing runs of ids, and files of vectors. Needs cmocka.h before. */
#ifndef JUDO_TESTS_DATA_TOKENS_H
#define JUDO_TESTS_DATA_TOKENS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/buffers.h"
#include "data/tokenizer.h"
#include "runtime/file.h"

#define SMALL_TOKENIZER "tests/golden/tokenizer_small"

static inline judo_tokenizer *open_tokenizer(const char *folder)
{
    judo_tokenizer *tokenizer = NULL;
    judo_status status = judo_tokenizer_open(folder, &tokenizer);
    if (status != JUDO_OK) {
        print_message("%s\n", judo_error_message());
    }
    assert_int_equal(status, JUDO_OK);
    return tokenizer;
}

static inline void assert_ids(const judo_ids *got, const int32_t *wanted, int64_t count)
{
    assert_int_equal(got->count, count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(got->ids[i], wanted[i]);
    }
}

static inline void assert_encodes(const judo_tokenizer *tokenizer, const char *text,
                                  size_t length, const int32_t *wanted, int64_t count)
{
    judo_ids ids = {0};
    assert_int_equal(judo_tokenizer_encode(tokenizer, text, length, true, &ids), JUDO_OK);
    assert_ids(&ids, wanted, count);
    judo_ids_free(&ids);
}

/* Calls `check` for each text of PREFIX.inp (separated by a marker line) and the ids on its
 * line of PREFIX.out; returns their number. */
static inline int each_vector(const char *prefix,
                              void (*check)(const void *context, const char *text,
                                            size_t length, const judo_ids *ids),
                              const void *context)
{
    static const char marker[] = "\n__ggml_vocab_test__\n";
    char path[1100];
    char *texts = NULL;
    char *numbers = NULL;
    size_t texts_length = 0;
    size_t length = 0;
    (void)snprintf(path, sizeof path, "%s.inp", prefix);
    assert_int_equal(judo_file_read_all(path, 1 << 20, &texts, &texts_length), JUDO_OK);
    (void)snprintf(path, sizeof path, "%s.out", prefix);
    assert_int_equal(judo_file_read_all(path, 1 << 20, &numbers, &length), JUDO_OK);
    int count = 0;
    char *text = texts;
    char *line = numbers;
    judo_ids ids = {0};
    while (text != NULL) {
        char *end = strstr(text, marker);
        char *line_end = line + strcspn(line, "\n");
        judo_ids_clear(&ids);
        char *next = line;
        while (next < line_end) {
            assert_int_equal(judo_ids_append(&ids, (int32_t)strtol(next, &next, 10)), JUDO_OK);
            next += strspn(next, " ");
        }
        check(context, text, end == NULL ? strlen(text) : (size_t)(end - text), &ids);
        count++;
        text = end == NULL ? NULL : end + sizeof marker - 1;
        line = *line_end == '\0' ? line_end : line_end + 1;
    }
    judo_ids_free(&ids);
    free(texts);
    free(numbers);
    return count;
}

#endif
