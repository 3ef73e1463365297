/* data/byte_table.h: distinct byte strings, numbered from 0 in the order of their arrival, and
 * found again by content. Zero-initialise; free when done. */
#ifndef JUDO_DATA_BYTE_TABLE_H
#define JUDO_DATA_BYTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "runtime/status.h"

typedef struct judo_byte_table {
    judo_text arena; /* the strings, one after the other */
    size_t *ends;    /* [count] where each ends in the arena */
    uint32_t *hashes;
    int32_t count, capacity;
    int32_t *slots; /* [num_slots] string number + 1; 0: free */
    uint32_t num_slots;
} judo_byte_table;

/* The number of the string, adding it if it is new. `is_new` may be NULL. */
judo_status judo_byte_table_add(judo_byte_table *table, const char *bytes, size_t length,
                                int32_t *number, bool *is_new) JUDO_MUST_CHECK;
/* Its number, or -1. */
int32_t judo_byte_table_find(const judo_byte_table *table, const char *bytes, size_t length);
/* String `number` (0 <= number < count); borrowed until the next add. */
const char *judo_byte_table_get(const judo_byte_table *table, int32_t number, size_t *length);
void judo_byte_table_free(judo_byte_table *table);

/* A hash of bytes; the same in every run. */
uint64_t judo_bytes_hash(const char *bytes, size_t length);

#endif
