/* models/checkpoint_directory_read.c: strict reading of a model's weights. */
#include "models/checkpoint_directory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/weight_names.h"
#include "runtime/json.h"
#include "runtime/safetensors.h"

enum { MAX_FILES = 1000, MAX_NAMED = 8 };

typedef struct place {
    const judo_safetensors *file;
    const judo_safetensors_entry *entry;
} place;

typedef struct source {
    const judo_param_layout *layout;
    char *directory;
    int num_files;
    char **file_names;
    judo_safetensors **files;
    place *places; /* [num_params] */
} source;

/* The first few of a list of complaints, and how many there were. */
typedef struct complaints {
    char text[1200];
    size_t length;
    int count;
} complaints;

static void complain(complaints *list, const char *what, const char *name)
{
    if (list->count++ < MAX_NAMED) {
        int written = snprintf(list->text + list->length, sizeof list->text - list->length,
                               "%s%s %.120s", list->length ? ", " : "", what, name);
        list->length += written > 0 ? (size_t)written : 0;
    }
}

static void source_free(source *self)
{
    for (int i = 0; self && i < self->num_files; i++) {
        judo_safetensors_close(&self->files[i]);
        free(self->file_names[i]);
    }
    if (self) {
        free(self->files);
        free(self->file_names);
        free(self->places);
        free(self->directory);
        free(self);
    }
}

static judo_status join(char *path, const char *directory, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    if (length < 0 || length >= PATH_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s/%s: path is too long", directory, name);
    }
    return JUDO_OK;
}

/* The number of a file, opened when it is first named; names with a folder are refused. */
static judo_status file_number(source *self, const char *name, int *number)
{
    for (int i = 0; i < self->num_files; i++) {
        if (strcmp(self->file_names[i], name) == 0) {
            *number = i;
            return JUDO_OK;
        }
    }
    char path[PATH_MAX];
    if (self->num_files >= MAX_FILES || name[0] == '\0' || strchr(name, '/')) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: weight file \"%.100s\" is outside the folder or one of more than "
                         "%d",
                         self->directory, name, MAX_FILES);
    }
    JUDO_TRY(join(path, self->directory, name));
    judo_safetensors *file = NULL;
    JUDO_TRY(judo_safetensors_open(path, &file));
    char *copy = strdup(name);
    if (!copy) {
        judo_safetensors_close(&file);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", self->directory);
    }
    self->files[self->num_files] = file;
    self->file_names[self->num_files] = copy;
    *number = self->num_files++;
    return JUDO_OK;
}

/* Other programs read only what the index lists. */
static judo_status check_unlisted(const source *self, const judo_json *map, const char *path)
{
    for (int f = 0; f < self->num_files; f++) {
        for (int i = 0; i < judo_safetensors_count(self->files[f]); i++) {
            const char *name = judo_safetensors_entry_at(self->files[f], i)->name;
            if (judo_json_get(map, name) == NULL) {
                return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                                 "%s: does not list tensor %.120s of %s: the index is not of "
                                 "these files",
                                 path, name, self->file_names[f]);
            }
        }
    }
    return JUDO_OK;
}

static judo_status open_listed(source *self, const judo_json *index, const char *path)
{
    const judo_json *map = judo_json_get(index, "weight_map");
    if (!judo_json_is_object(map)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: weight_map is missing", path);
    }
    for (const judo_json *item = judo_json_first(map); item; item = judo_json_next(item)) {
        const char *name = judo_json_key(item);
        const char *file_name = NULL;
        int number = 0;
        JUDO_TRY(judo_json_get_string(map, name, path, &file_name));
        JUDO_TRY(file_number(self, file_name, &number));
        if (!judo_safetensors_find(self->files[number], name)) {
            return JUDO_FAIL(JUDO_ERROR_MISMATCH, "%s: %s has no tensor %.120s", path,
                             file_name, name);
        }
    }
    return check_unlisted(self, map, path);
}

static judo_status open_files(source *self)
{
    char path[PATH_MAX];
    JUDO_TRY(join(path, self->directory, "model.safetensors.index.json"));
    if (access(path, F_OK) != 0) {
        int number = 0;
        return file_number(self, "model.safetensors", &number);
    }
    judo_json *index = NULL;
    JUDO_TRY(judo_json_load(path, &index));
    judo_status status = open_listed(self, index, path);
    judo_json_free(&index);
    return status;
}

static int find_param(const judo_param_layout *layout, const char *name)
{
    for (int i = 0; i < layout->num_params; i++) {
        if (strcmp(layout->params[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool same_shape(const judo_param *param, const judo_safetensors_entry *entry)
{
    return param->num_dims == entry->num_dims &&
           memcmp(param->dims, entry->dims, (size_t)param->num_dims * sizeof *param->dims) == 0;
}

static judo_status place_entry(source *self, const judo_safetensors *file,
                               const judo_safetensors_entry *entry, complaints *list)
{
    char hub[JUDO_NAME_BYTES];
    JUDO_TRY(judo_weight_name_to_hub(entry->name, hub, sizeof hub));
    int index = find_param(self->layout, hub);
    if (index < 0) {
        complain(list, "unexpected", entry->name);
    } else if (self->places[index].entry) {
        complain(list, "twice", entry->name);
    } else {
        if (!same_shape(&self->layout->params[index], entry)) {
            complain(list, "of another shape", entry->name);
        }
        self->places[index] = (place){.file = file, .entry = entry};
    }
    return JUDO_OK;
}

static judo_status match(source *self)
{
    complaints list = {.count = 0};
    for (int f = 0; f < self->num_files; f++) {
        for (int i = 0; i < judo_safetensors_count(self->files[f]); i++) {
            JUDO_TRY(place_entry(self, self->files[f],
                                 judo_safetensors_entry_at(self->files[f], i), &list));
        }
    }
    for (int i = 0; i < self->layout->num_params; i++) {
        if (!self->places[i].entry) {
            complain(&list, "missing", self->layout->params[i].name);
        }
    }
    if (list.count > 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: the weights do not fit config.json: %d tensors are wrong: %s%s",
                         self->directory, list.count, list.text,
                         list.count > MAX_NAMED ? ", .." : "");
    }
    return JUDO_OK;
}

static judo_status read_range(void *context, const judo_param *param, int64_t first,
                              int64_t count, float *out)
{
    const source *self = context;
    int index = find_param(self->layout, param->name);
    if (index < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: no tensor %s", self->directory, param->name);
    }
    const place *p = &self->places[index];
    return judo_safetensors_read(p->file, p->entry, first, count, out);
}

judo_status judo_model_source_open(const char *directory, const judo_param_layout *layout,
                                   judo_weight_source *out)
{
    source *self = calloc(1, sizeof *self);
    if (!self || !(self->directory = strdup(directory)) ||
        !(self->files = calloc(MAX_FILES, sizeof *self->files)) ||
        !(self->file_names = calloc(MAX_FILES, sizeof *self->file_names)) ||
        !(self->places = calloc((size_t)layout->num_params, sizeof *self->places))) {
        source_free(self);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the list of weights", directory);
    }
    self->layout = layout;
    judo_status status = open_files(self);
    if (status == JUDO_OK) {
        status = match(self);
    }
    if (status != JUDO_OK) {
        source_free(self);
        return status;
    }
    *out = (judo_weight_source){.context = self, .read = read_range};
    return JUDO_OK;
}

void judo_model_source_close(judo_weight_source *source_of)
{
    source_free(source_of->context);
    *source_of = (judo_weight_source){0};
}
