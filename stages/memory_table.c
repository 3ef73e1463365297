/* stages/memory_table.c: see memory_table.h. */
#include "stages/memory_table.h"

#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/pool_space.h"

void judo_memory_table_add(judo_memory_table *table, const char *what, int64_t bytes)
{
    if (bytes > 0 && table->num_lines < JUDO_MEMORY_LINES) {
        table->lines[table->num_lines++] = (judo_memory_line){.what = what, .bytes = bytes};
    }
    table->total += bytes;
}

void judo_memory_table_add_pooled(judo_memory_table *table, const char *what, int64_t bytes)
{
    judo_memory_table_add(table, what, bytes);
    table->pool += bytes;
}

void judo_memory_table_add_rounding(judo_memory_table *table, int parts)
{
    judo_memory_table_add_pooled(table, "rounding of the block's parts",
                                 (int64_t)parts * JUDO_POOL_ALIGNMENT);
}

void judo_memory_table_write(const judo_memory_table *table, bool separate,
                             char out[JUDO_MEMORY_TABLE_BYTES])
{
    size_t used = 0;
    for (int i = 0; i < table->num_lines; i++) {
        used += (size_t)snprintf(out + used, JUDO_MEMORY_TABLE_BYTES - used,
                                 "           %-34s %10.1f MB\n", table->lines[i].what,
                                 1e-6 * (double)table->lines[i].bytes);
    }
    (void)snprintf(out + used, JUDO_MEMORY_TABLE_BYTES - used,
                   "memory     %.1f MB per rank%s\n", 1e-6 * (double)table->total,
                   separate ? " on the device" : "");
}

void judo_memory_table_print(const judo_memory_table *table, bool separate)
{
    char text[JUDO_MEMORY_TABLE_BYTES];
    judo_memory_table_write(table, separate, text);
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        JUDO_INFO("%.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
}
