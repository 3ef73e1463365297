/* launch/filter.c: options of subcommands, and JSON lines in and out. */
#include "launch/tool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static judo_status append_value(const judo_option *option, const char *value)
{
    judo_option_list *list = option->target;
    if (list->count == JUDO_MAX_OPTION_VALUES) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--%s: given more than %d times", option->name,
                         JUDO_MAX_OPTION_VALUES);
    }
    list->values[list->count++] = value;
    return JUDO_OK;
}

static judo_status set_option(const judo_option *option, const char *value)
{
    char *end = NULL;
    errno = 0;
    if (option->type == JUDO_OPTION_STRING) {
        *(const char **)option->target = value;
        return JUDO_OK;
    }
    if (option->type == JUDO_OPTION_LIST) {
        return append_value(option, value);
    }
    if (option->type == JUDO_OPTION_INT) {
        long long number = strtoll(value, &end, 10);
        *(int64_t *)option->target = number;
    } else {
        double number = strtod(value, &end);
        *(double *)option->target = number;
        if (!isfinite(number)) {
            end = NULL;
        }
    }
    if (!end || end == value || *end || errno) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--%s: '%s' is not a number", option->name,
                         value);
    }
    return JUDO_OK;
}

static const judo_option *find_option(const judo_option *options, int num_options,
                                      const char *name)
{
    for (int i = 0; i < num_options; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

judo_status judo_options_parse(int argc, char **argv, const judo_option *options,
                               int num_options, int min_positional, int max_positional,
                               const char **positional, int *num_positional)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            if (count == max_positional) {
                return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                                 "unexpected argument '%s'; see judo %s --help", argv[i],
                                 argv[0]);
            }
            positional[count++] = argv[i];
            continue;
        }
        const judo_option *option = find_option(options, num_options, argv[i] + 2);
        if (!option) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "unknown option '%s'; see judo %s --help",
                             argv[i], argv[0]);
        }
        if (option->type == JUDO_OPTION_FLAG) {
            *(bool *)option->target = true;
        } else if (i + 1 == argc) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--%s needs a value; see judo %s --help",
                             option->name, argv[0]);
        } else {
            JUDO_TRY(set_option(option, argv[++i]));
        }
    }
    if (count < min_positional) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "needs %d argument%s; see judo %s --help",
                         min_positional, min_positional == 1 ? "" : "s", argv[0]);
    }
    *num_positional = count;
    return JUDO_OK;
}

typedef struct filter {
    judo_filter_answer answer;
    void *context;
    const char *source;
    judo_json_writer writer;
} filter;

/* What fails below the request, such as a picture, does not know which request it was. */
static judo_status name_place(judo_status status, const char *place)
{
    char message[4096];
    if (strncmp(judo_error_message(), place, strlen(place)) == 0) {
        return status;
    }
    (void)snprintf(message, sizeof message, "%s: %.2800s", place, judo_error_message());
    return judo_error_set(status, message);
}

static judo_status answer_row(void *context, const judo_json *row, int64_t line)
{
    filter *self = context;
    char place[1200];
    (void)snprintf(place, sizeof place, "%s:%lld", self->source, (long long)line);
    if (!judo_json_is_object(row)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: a request is a JSON object", place);
    }
    judo_json_writer_clear(&self->writer);
    judo_status status = self->answer(self->context, row, place, &self->writer);
    if (status != JUDO_OK) {
        return name_place(status, place);
    }
    JUDO_TRY(judo_json_writer_check(&self->writer));
    if (fwrite(self->writer.text, 1, self->writer.length, stdout) != self->writer.length ||
        putchar('\n') == EOF || fflush(stdout) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "standard output: %s", strerror(errno));
    }
    return JUDO_OK;
}

judo_status judo_filter_run(const char *input_path, judo_filter_answer answer, void *context)
{
    bool standard = !input_path || strcmp(input_path, "-") == 0;
    filter self = {.answer = answer,
                   .context = context,
                   .source = standard ? "standard input" : input_path};
    judo_status status = standard
                             ? judo_json_each_line_of(stdin, self.source, answer_row, &self)
                             : judo_json_each_line(input_path, answer_row, &self);
    judo_json_writer_free(&self.writer);
    return status;
}
