/* stages/memory_table.h: lines of what memory is taken for what, and their sum. */
#ifndef JUDO_STAGES_MEMORY_TABLE_H
#define JUDO_STAGES_MEMORY_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum { JUDO_MEMORY_LINES = 20, JUDO_MEMORY_TABLE_BYTES = 2048 };

typedef struct judo_memory_line {
    const char *what;
    int64_t bytes;
} judo_memory_line;

typedef struct judo_memory_table {
    judo_memory_line lines[JUDO_MEMORY_LINES];
    int num_lines;
    int64_t total;
    int64_t pool; /* of it, what is dealt out of one block (runtime/device_pool.h) */
} judo_memory_table;

/* A line, unless it is empty: of what is taken for itself, of what comes out of the block. */
void judo_memory_table_add(judo_memory_table *table, const char *what, int64_t bytes);
void judo_memory_table_add_pooled(judo_memory_table *table, const char *what, int64_t bytes);
/* The line for what `parts` parts of the block may lose to its alignment. */
void judo_memory_table_add_rounding(judo_memory_table *table, int parts);

/* Each line with its end, the last one the sum. `separate`: of a device's own memory. */
void judo_memory_table_write(const judo_memory_table *table, bool separate,
                             char out[JUDO_MEMORY_TABLE_BYTES]);
void judo_memory_table_print(const judo_memory_table *table, bool separate);

#endif
