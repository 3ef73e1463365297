/* data/pair_table.c: growth of the table of pairs. */
#include "data/pair_table.h"

#include <stddef.h>
#include <stdlib.h>

static judo_pair *free_slot(judo_pair *slots, uint32_t num_slots, int32_t left, int32_t right)
{
    uint32_t slot = judo_pair_hash(left, right) & (num_slots - 1);
    while (slots[slot].left >= 0) {
        slot = (slot + 1) & (num_slots - 1);
    }
    return &slots[slot];
}

static judo_status grow(judo_pair_table *table)
{
    uint32_t num_slots = table->num_slots == 0 ? 256 : table->num_slots * 2;
    judo_pair *slots = num_slots == 0 ? NULL : malloc(num_slots * sizeof *slots);
    if (slots == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a table of %u pairs", num_slots);
    }
    for (uint32_t i = 0; i < num_slots; i++) {
        slots[i] = (judo_pair){.left = -1};
    }
    for (uint32_t i = 0; i < table->num_slots; i++) {
        const judo_pair *pair = &table->slots[i];
        if (pair->left >= 0) {
            *free_slot(slots, num_slots, pair->left, pair->right) = *pair;
        }
    }
    free(table->slots);
    table->slots = slots;
    table->num_slots = num_slots;
    return JUDO_OK;
}

judo_status judo_pair_table_add(judo_pair_table *table, int32_t left, int32_t right,
                                judo_pair **out)
{
    judo_pair *known = judo_pair_table_find(table, left, right);
    if (known == NULL) {
        if (table->count >= table->num_slots / 2) {
            JUDO_TRY(grow(table));
        }
        known = free_slot(table->slots, table->num_slots, left, right);
        *known = (judo_pair){.left = left, .right = right};
        table->count++;
    }
    *out = known;
    return JUDO_OK;
}

void judo_pair_table_free(judo_pair_table *table)
{
    free(table->slots);
    *table = (judo_pair_table){0};
}
