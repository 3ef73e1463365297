/* tests/data/qwen2.h: the published Qwen2 tokenizer, where it is present. Needs cmocka.h
 * before. */
#ifndef JUDO_TESTS_DATA_QWEN2_H
#define JUDO_TESTS_DATA_QWEN2_H

#include <stdlib.h>
#include <unistd.h>

#include "tests/data/folder.h"
#include "tests/data/real_data.h"
#include "tests/data/tokens.h"

/* The published Qwen2 files under the names that a model folder has. */
static inline judo_tokenizer *open_qwen2(test_folder *folder)
{
    static const char *const names[][2] = {
        {"tokenizer/qwen2/vocab.json", "vocab.json"},
        {"tokenizer/qwen2/merges.txt", "merges.txt"},
        {"tokenizer/qwen2/added_tokens_qwen2_5.json", "added_tokens.json"},
    };
    char path[3][1024];
    for (int i = 0; i < 3; i++) {
        real_data_path(names[i][0], path[i], sizeof path[i]);
    }
    *folder = folder_make();
    for (int i = 0; i < 3; i++) {
        char *full = realpath(path[i], NULL);
        assert_int_equal(symlink(full, folder_path(folder, names[i][1])), 0);
        free(full);
    }
    return open_tokenizer(folder->path);
}

#endif
