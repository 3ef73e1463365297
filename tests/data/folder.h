/* tests/data/folder.h: temporary folders for tests. Needs cmocka.h before. */
#ifndef JUDO_TESTS_DATA_FOLDER_H
#define JUDO_TESTS_DATA_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_file.h"
#include "runtime/file.h"

typedef struct test_folder {
    char path[64];
} test_folder;

static inline test_folder folder_make(void)
{
    test_folder folder = {"/tmp/judo_data_test_XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static inline int folder_remove_entry(const char *path, const struct stat *info, int type,
                                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(test_folder *folder)
{
    (void)nftw(folder->path, folder_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The full path of `name` in one of a few turning buffers; missing folders above it are made.
 */
static inline const char *folder_path(const test_folder *folder, const char *name)
{
    static char paths[8][1024];
    static int turn;
    char *path = paths[turn++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(judo_file_make_folder(path), JUDO_OK);
    *slash = '/';
    return path;
}

static inline const char *folder_text(const test_folder *folder, const char *name,
                                      const char *text)
{
    const char *path = folder_path(folder, name);
    assert_int_equal(judo_file_replace(path, text, strlen(text)), JUDO_OK);
    return path;
}

static inline void folder_image(const test_folder *folder, const char *name,
                                const judo_image *image)
{
    assert_int_equal(judo_image_write_png(folder_path(folder, name), image), JUDO_OK);
}

#endif
