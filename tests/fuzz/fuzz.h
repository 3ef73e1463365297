/* tests/fuzz/fuzz.h: what a fuzz program gives: an entry point and the seeds to mutate. */
#ifndef JUDO_TESTS_FUZZ_FUZZ_H
#define JUDO_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct fuzz_seed {
    const char *bytes;
    size_t length;
} fuzz_seed;

#define FUZZ_SEED(text)                                                                        \
    {                                                                                          \
        (text), sizeof(text) - 1                                                               \
    }

/* Ends with an entry whose bytes are NULL. */
extern const fuzz_seed fuzz_seeds[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise of the code under test. */
#define FUZZ_CHECK(condition)                                                                  \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            (void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);      \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
