/* tests/data/real_data.h: files of other projects, where they are present. Needs cmocka.h
 * before. */
#ifndef JUDO_TESTS_DATA_REAL_DATA_H
#define JUDO_TESTS_DATA_REAL_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The path of a file under $JUDO_REALDATA (default ../shared/data); skips the test without it.
 */
static inline void real_data_path(const char *name, char *out, size_t bytes)
{
    const char *root = getenv("JUDO_REALDATA");
    (void)snprintf(out, bytes, "%s/%s", root == NULL ? "../shared/data" : root, name);
    if (access(out, R_OK) != 0) {
        skip();
    }
}

#endif
