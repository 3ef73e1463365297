/* runtime/config_print.c: the table as help, the struct as YAML. */
#include "runtime/config.h"

#include <errno.h>
#include <string.h>

#include "runtime/config_value.h"

/* A position in the table, part by part. */
typedef struct cursor {
    const judo_config_table *table;
    int part;
    const judo_config_field *field;
} cursor;

static cursor first_field(const judo_config_table *table)
{
    return (cursor){.table = table, .field = table->num_parts > 0 ? table->parts[0] : NULL};
}

/* The field under the cursor, moving over the ends of parts; NULL at the end. */
static const judo_config_field *current(cursor *at)
{
    while (at->field != NULL && at->field->key == NULL) {
        at->part++;
        at->field = at->part < at->table->num_parts ? at->table->parts[at->part] : NULL;
    }
    return at->field;
}

void judo_config_print_help(FILE *out, const judo_config_table *table)
{
    int key_width = 0;
    int type_width = 0;
    for (cursor at = first_field(table); current(&at) != NULL; at.field++) {
        int key = (int)strlen(at.field->key);
        int type = (int)strlen(judo_config_type_name(at.field));
        key_width = key > key_width ? key : key_width;
        type_width = type > type_width ? type : type_width;
    }
    for (cursor at = first_field(table); current(&at) != NULL; at.field++) {
        const judo_config_field *f = at.field;
        (void)fprintf(out, "  %-*s  %-*s  ", key_width, f->key, type_width,
                      judo_config_type_name(f));
        if (f->default_text == NULL) {
            (void)fprintf(out, "required");
        } else {
            (void)fprintf(out, "default %s", f->default_text[0] ? f->default_text : "\"\"");
        }
        bool numeric = f->type == JUDO_CONFIG_INT || f->type == JUDO_CONFIG_FLOAT;
        if (numeric && (f->minimum < 0 || f->minimum > 0 || f->maximum < 0 || f->maximum > 0)) {
            (void)fprintf(out, ", in [%g, %g]", f->minimum, f->maximum);
        }
        (void)fprintf(out, "\n      %s\n", f->doc ? f->doc : "");
    }
}

/* Whether an earlier field opens the same section (the first `length` bytes of the key). */
static bool is_printed(const judo_config_table *table, const judo_config_field *field,
                       size_t length)
{
    for (cursor at = first_field(table); current(&at) != field; at.field++) {
        if (strncmp(at.field->key, field->key, length) == 0 && at.field->key[length] == '.') {
            return true;
        }
    }
    return false;
}

/* Prints the fields below `prefix` ("" or "a.b."), a section at the place of its first field.
 */
static void print_section(judo_json_writer *scratch, FILE *out, const void *target,
                          const judo_config_table *table, const char *prefix,
                          size_t prefix_length, int indent)
{
    for (cursor at = first_field(table); current(&at) != NULL; at.field++) {
        const judo_config_field *f = at.field;
        if (strncmp(f->key, prefix, prefix_length) != 0) {
            continue;
        }
        const char *name = f->key + prefix_length;
        const char *dot = strchr(name, '.');
        if (dot == NULL) {
            judo_json_writer_clear(scratch);
            judo_config_value_write(f, target, scratch);
            (void)fprintf(out, "%*s%s: %s\n", indent, "", name,
                          scratch->failed ? "" : scratch->text);
        } else if (!is_printed(table, f, (size_t)(dot - f->key))) {
            (void)fprintf(out, "%*s%.*s:\n", indent, "", (int)(dot - name), name);
            print_section(scratch, out, target, table, f->key, (size_t)(dot - f->key) + 1,
                          indent + 2);
        }
    }
}

judo_status judo_config_print(FILE *out, const void *target, const judo_config_table *table)
{
    judo_json_writer scratch = {0};
    print_section(&scratch, out, target, table, "", 0, 0);
    judo_status status = judo_json_writer_check(&scratch);
    judo_json_writer_free(&scratch);
    if (status == JUDO_OK && (fflush(out) != 0 || ferror(out))) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "configuration: cannot write: %s", strerror(errno));
    }
    return status;
}
