/* data/pair_table.h: a value for each pair of token ids. Zero-initialise; free when done. */
#ifndef JUDO_DATA_PAIR_TABLE_H
#define JUDO_DATA_PAIR_TABLE_H

#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_pair {
    int32_t left, right; /* left is -1 in a free slot */
    int64_t value;
} judo_pair;

typedef struct judo_pair_table {
    judo_pair *slots; /* [num_slots], a power of two, at most half full */
    uint32_t num_slots, count;
} judo_pair_table;

/* The pair's entry, added with value 0 if absent. Ids are >= 0. Entries move on the next add.
 */
judo_status judo_pair_table_add(judo_pair_table *table, int32_t left, int32_t right,
                                judo_pair **out) JUDO_MUST_CHECK;
void judo_pair_table_free(judo_pair_table *table);

static inline uint32_t judo_pair_hash(int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(key >> 32);
}

/* The pair's entry, or NULL. */
static inline judo_pair *judo_pair_table_find(const judo_pair_table *table, int32_t left,
                                              int32_t right)
{
    if (table->num_slots == 0) {
        return NULL;
    }
    uint32_t mask = table->num_slots - 1;
    uint32_t slot = judo_pair_hash(left, right) & mask;
    while (table->slots[slot].left >= 0) {
        if (table->slots[slot].left == left && table->slots[slot].right == right) {
            return &table->slots[slot];
        }
        slot = (slot + 1) & mask;
    }
    return NULL;
}

#endif
