/* parallel/checkpoint_folder.c: names, order and removal of checkpoints. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/checkpoint_files.h"
#include "runtime/file.h"

static const char step_prefix[] = "step-";

void judo_checkpoint_name(int64_t step, char out[JUDO_CHECKPOINT_NAME_BYTES])
{
    (void)snprintf(out, JUDO_CHECKPOINT_NAME_BYTES, "%s%06lld", step_prefix, (long long)step);
}

/* The step of a complete checkpoint's name, -1 for any other name. */
static int64_t step_of_name(const char *name)
{
    char again[JUDO_CHECKPOINT_NAME_BYTES];
    char *end = NULL;
    if (strncmp(name, step_prefix, sizeof step_prefix - 1) != 0) {
        return -1;
    }
    long long step = strtoll(name + sizeof step_prefix - 1, &end, 10);
    if (step < 0) {
        return -1;
    }
    judo_checkpoint_name(step, again);
    return strcmp(name, again) == 0 ? step : -1;
}

static bool has_ending(const char *name, const char *ending)
{
    const char *dot = strchr(name, '.');
    return strncmp(name, step_prefix, sizeof step_prefix - 1) == 0 && dot != NULL &&
           strcmp(dot, ending) == 0;
}

/* Left by a run that was killed while it saved or pruned. */
static bool is_leftover(const char *name)
{
    return has_ending(name, JUDO_CHECKPOINT_TEMPORARY) ||
           has_ending(name, JUDO_CHECKPOINT_REPLACED) ||
           has_ending(name, JUDO_CHECKPOINT_DOOMED);
}

static judo_status fail_open(const char *path)
{
    return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

judo_status judo_checkpoint_list(const char *folder, int64_t **steps, int *num_steps)
{
    DIR *stream = opendir(folder);
    int64_t *found = NULL;
    int count = 0;
    if (stream == NULL) {
        return fail_open(folder);
    }
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        int64_t step = step_of_name(entry->d_name);
        if (step < 0) {
            continue;
        }
        int64_t *grown = realloc(found, ((size_t)count + 1) * sizeof *grown);
        if (grown == NULL) {
            free(found);
            (void)closedir(stream);
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %d names", folder, count);
        }
        found = grown;
        found[count++] = step;
    }
    (void)closedir(stream);
    if (count > 0) {
        qsort(found, (size_t)count, sizeof *found, newest_first);
    }
    *steps = found;
    *num_steps = count;
    return JUDO_OK;
}

judo_status judo_checkpoint_latest(const char *folder, int64_t *step)
{
    char *path = NULL;
    char *text = NULL;
    size_t length = 0;
    JUDO_TRY(judo_checkpoint_join(folder, "latest", &path));
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        free(path);
        *step = -1;
        return JUDO_OK;
    }
    judo_status status = judo_file_read_all(path, JUDO_CHECKPOINT_NAME_BYTES, &text, &length);
    if (status == JUDO_OK) {
        text[strcspn(text, "\n")] = '\0';
        int64_t found = step_of_name(text);
        if (found < 0) {
            status = JUDO_FAIL(JUDO_ERROR_FORMAT,
                               "%s: names no checkpoint; write the name of one (step-000500) "
                               "into it, or remove it to take the newest",
                               path);
        } else {
            *step = found;
        }
    }
    free(text);
    free(path);
    return status;
}

judo_status judo_checkpoint_remove(const char *path)
{
    DIR *stream = opendir(path);
    if (stream == NULL) {
        return errno == ENOENT
                   ? JUDO_OK
                   : JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    }
    judo_status status = JUDO_OK;
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!is_dots && unlinkat(dirfd(stream), entry->d_name, 0) != 0) {
            status = JUDO_FAIL(JUDO_ERROR_IO, "%s/%s: cannot remove: %s", path, entry->d_name,
                               strerror(errno));
        }
    }
    (void)closedir(stream);
    if (status == JUDO_OK && rmdir(path) != 0) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot remove: %s", path, strerror(errno));
    }
    return status;
}

typedef judo_status (*name_visit)(const char *folder, const char *name);

static judo_status for_each_name(const char *folder, name_visit visit)
{
    DIR *stream = opendir(folder);
    judo_status status = JUDO_OK;
    if (stream == NULL) {
        return fail_open(folder);
    }
    for (const struct dirent *entry = readdir(stream); entry && status == JUDO_OK;
         entry = readdir(stream)) {
        status = visit(folder, entry->d_name);
    }
    (void)closedir(stream);
    return status;
}

/* Renamed first: what is half removed must not look complete, nor like one to recover. */
static judo_status discard(const char *folder, const char *name)
{
    char doomed_name[2 * JUDO_CHECKPOINT_NAME_BYTES];
    char *path = NULL;
    char *doomed = NULL;
    judo_status status = JUDO_OK;
    (void)snprintf(doomed_name, sizeof doomed_name, "%.*s%s", (int)strcspn(name, "."), name,
                   JUDO_CHECKPOINT_DOOMED);
    JUDO_TRY_GOTO(status, done, judo_checkpoint_join(folder, name, &path));
    JUDO_TRY_GOTO(status, done, judo_checkpoint_join(folder, doomed_name, &doomed));
    if (strcmp(path, doomed) != 0) {
        JUDO_TRY_GOTO(status, done, judo_checkpoint_remove(doomed));
        if (rename(path, doomed) != 0) {
            status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot rename: %s", path, strerror(errno));
            goto done;
        }
    }
    status = judo_checkpoint_remove(doomed);
done:
    free(path);
    free(doomed);
    return status;
}

static judo_status discard_leftover(const char *folder, const char *name)
{
    return is_leftover(name) ? discard(folder, name) : JUDO_OK;
}

judo_status judo_checkpoint_remove_leftovers(const char *folder)
{
    return for_each_name(folder, discard_leftover);
}

static judo_status recover_replaced(const char *folder, const char *name)
{
    char *aside = NULL;
    char *path = NULL;
    judo_status status = JUDO_OK;
    if (!has_ending(name, JUDO_CHECKPOINT_REPLACED)) {
        return JUDO_OK;
    }
    JUDO_TRY_GOTO(status, done, judo_checkpoint_join(folder, name, &aside));
    path = strndup(aside, strlen(aside) - strlen(JUDO_CHECKPOINT_REPLACED));
    if (path == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", aside);
    } else if (access(path, F_OK) != 0 && rename(aside, path) != 0) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot rename: %s", aside, strerror(errno));
    }
done:
    free(aside);
    free(path);
    return status;
}

judo_status judo_checkpoint_recover(const char *folder)
{
    return for_each_name(folder, recover_replaced);
}

/* `older` is the next older checkpoint's step, 0 if there is none. What is kept for good is
 * never removed, so the answer stays the same as others go. */
static bool is_for_good(int64_t step, int64_t older, int64_t every)
{
    return every > 0 && step / every > older / every;
}

judo_status judo_checkpoint_prune(const char *folder, int64_t newest, judo_checkpoint_keep keep)
{
    int64_t *steps = NULL;
    int num_steps = 0;
    if (keep.last < 1) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_checkpoint_list(folder, &steps, &num_steps));
    judo_status status = JUDO_OK;
    int kept = 0;
    for (int i = 0; status == JUDO_OK && i < num_steps; i++) {
        int64_t older = i + 1 < num_steps ? steps[i + 1] : 0;
        if (steps[i] > newest || kept++ < keep.last ||
            is_for_good(steps[i], older, keep.every)) {
            continue;
        }
        char name[JUDO_CHECKPOINT_NAME_BYTES];
        judo_checkpoint_name(steps[i], name);
        status = discard(folder, name);
    }
    free(steps);
    return status;
}
