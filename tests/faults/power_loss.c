/* tests/faults/power_loss.c: forgets what was never synced. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/faults/interpose.h"

enum { MOST = 256, PATH_BYTES = 512 };

typedef struct note {
    bool used, created, dirty;
    char path[PATH_BYTES];
} note;

typedef struct renaming {
    bool used;
    char from[PATH_BYTES], to[PATH_BYTES];
    char backup[PATH_BYTES]; /* a second name of what `to` was; empty: nothing */
} renaming;

static note notes[MOST];
static renaming renamings[MOST];
static int num_renamings;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_enabled(void)
{
    const char *action = getenv("JUDO_FAULT_DO");
    return action != NULL && strcmp(action, "powerloss") == 0;
}

static bool is_watched(const char *path)
{
    const char *part = getenv("JUDO_FAULT_PATH");
    return is_enabled() && path[0] == '/' && part != NULL && strstr(path, part) != NULL;
}

static note *note_of(const char *path)
{
    note *free_one = NULL;
    for (int i = 0; i < MOST; i++) {
        if (notes[i].used && strcmp(notes[i].path, path) == 0) {
            return &notes[i];
        }
        if (!notes[i].used && free_one == NULL) {
            free_one = &notes[i];
        }
    }
    if (free_one == NULL) {
        (void)fprintf(stderr, "power_loss: more than %d names\n", MOST);
        _exit(99);
    }
    *free_one = (note){.used = true};
    (void)snprintf(free_one->path, sizeof free_one->path, "%s", path);
    return free_one;
}

void judo_fault_note_created(const char *path)
{
    if (is_watched(path)) {
        (void)pthread_mutex_lock(&lock);
        note_of(path)->created = true;
        (void)pthread_mutex_unlock(&lock);
    }
}

void judo_fault_note_written(const char *path)
{
    if (is_watched(path)) {
        (void)pthread_mutex_lock(&lock);
        note_of(path)->dirty = true;
        (void)pthread_mutex_unlock(&lock);
    }
}

static bool is_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' &&
           strchr(path + length + 1, '/') == NULL;
}

/* JUDO_FAULT_UNSYNCED, "file" or "folder": what fsync does not reach, to see that it is missed.
 */
static bool is_reached(const char *path)
{
    const char *kind = getenv("JUDO_FAULT_UNSYNCED");
    struct stat info;
    if (kind == NULL || stat(path, &info) != 0) {
        return true;
    }
    return strcmp(kind, S_ISDIR(info.st_mode) ? "folder" : "file") != 0;
}

void judo_fault_note_synced(const char *path)
{
    if (!is_enabled() || !is_reached(path)) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST; i++) {
        if (notes[i].used && strcmp(notes[i].path, path) == 0) {
            notes[i].dirty = false;
        }
        if (notes[i].used && is_in(notes[i].path, path)) {
            notes[i].created = false;
        }
        if (renamings[i].used && is_in(renamings[i].to, path)) {
            renamings[i].used = false;
            if (renamings[i].backup[0] != '\0') {
                (void)unlink(renamings[i].backup);
            }
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

/* What lies at or below `from` now lies at or below `to`. */
static void move_notes(const char *from, const char *to)
{
    size_t length = strlen(from);
    for (int i = 0; i < MOST; i++) {
        char moved[2 * PATH_BYTES];
        const char *rest = notes[i].path + length;
        if (!notes[i].used || strncmp(notes[i].path, from, length) != 0 ||
            (*rest != '\0' && *rest != '/')) {
            continue;
        }
        (void)snprintf(moved, sizeof moved, "%s%s", to, rest);
        (void)snprintf(notes[i].path, sizeof notes[i].path, "%.*s", PATH_BYTES - 1, moved);
    }
}

void judo_fault_note_renaming(const char *from, const char *to)
{
    if (!is_watched(to) || access(from, F_OK) != 0) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    renaming *r = &renamings[num_renamings++ % MOST];
    *r = (renaming){.used = true};
    (void)snprintf(r->from, sizeof r->from, "%s", from);
    (void)snprintf(r->to, sizeof r->to, "%s", to);
    (void)snprintf(r->backup, sizeof r->backup, "%.480s.before%d", to, num_renamings);
    if (link(to, r->backup) != 0) {
        r->backup[0] = '\0';
    }
    note *target = note_of(to);
    target->used = false; /* the old one is gone; the new one brings its own notes */
    move_notes(from, to);
    (void)pthread_mutex_unlock(&lock);
}

static void spoil(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return;
    }
    int (*real)(const char *, off_t) = truncate;
    (void)!real(path, info.st_size / 2);
    (void)!real(path, info.st_size);
}

/* A lost name: the thing is moved to where nobody looks. */
static void lose_name(const char *path)
{
    char aside[PATH_BYTES + 16];
    int (*real)(const char *, const char *) = judo_fault_next("rename");
    (void)snprintf(aside, sizeof aside, "%s.lost", path);
    (void)real(path, aside);
}

void judo_fault_lose_unsynced(void)
{
    int (*real)(const char *, const char *) = judo_fault_next("rename");
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST; i++) {
        if (notes[i].used && notes[i].dirty) {
            spoil(notes[i].path);
        }
    }
    for (int i = 0; i < MOST; i++) {
        if (notes[i].used && notes[i].created) {
            lose_name(notes[i].path);
        }
    }
    for (int n = num_renamings - 1; n >= 0 && n > num_renamings - MOST; n--) {
        renaming *r = &renamings[n % MOST];
        if (r->used) {
            (void)real(r->to, r->from);
            if (r->backup[0] != '\0') {
                (void)real(r->backup, r->to);
            }
        }
    }
    (void)pthread_mutex_unlock(&lock);
}
