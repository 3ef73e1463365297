/* data/byte_table.c: open addressing with linear probing, at most half full. */
#include "data/byte_table.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_STRINGS = 1 << 28 };

uint64_t judo_bytes_hash(const char *bytes, size_t length)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = (uint64_t)length * factor;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 29;
    }
    uint64_t tail = 0;
    if (at < length) {
        memcpy(&tail, bytes + at, length - at);
    }
    hash = (hash ^ tail) * factor;
    return hash ^ hash >> 32;
}

const char *judo_byte_table_get(const judo_byte_table *table, int32_t number, size_t *length)
{
    size_t begin = number == 0 ? 0 : table->ends[number - 1];
    *length = table->ends[number] - begin;
    return table->arena.bytes + begin;
}

/* The slot that holds the string, or the free one where it belongs. */
static uint32_t probe(const judo_byte_table *table, const char *bytes, size_t length,
                      uint32_t hash)
{
    uint32_t mask = table->num_slots - 1;
    uint32_t slot = hash & mask;
    while (table->slots[slot] != 0) {
        int32_t number = table->slots[slot] - 1;
        if (table->hashes[number] == hash) {
            size_t have = 0;
            const char *known = judo_byte_table_get(table, number, &have);
            if (have == length && (length == 0 || memcmp(known, bytes, length) == 0)) {
                break;
            }
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

int32_t judo_byte_table_find(const judo_byte_table *table, const char *bytes, size_t length)
{
    if (table->num_slots == 0) {
        return -1;
    }
    uint32_t hash = (uint32_t)judo_bytes_hash(bytes, length);
    return table->slots[probe(table, bytes, length, hash)] - 1;
}

static judo_status grow_slots(judo_byte_table *table)
{
    uint32_t num_slots = table->num_slots == 0 ? 64 : table->num_slots * 2;
    int32_t *slots = calloc(num_slots, sizeof *slots);
    if (slots == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a table of %u slots", num_slots);
    }
    for (int32_t number = 0; number < table->count; number++) {
        uint32_t slot = table->hashes[number] & (num_slots - 1);
        while (slots[slot] != 0) {
            slot = (slot + 1) & (num_slots - 1);
        }
        slots[slot] = number + 1;
    }
    free(table->slots);
    table->slots = slots;
    table->num_slots = num_slots;
    return JUDO_OK;
}

static judo_status grow_strings(judo_byte_table *table)
{
    int32_t capacity = table->capacity == 0 ? 32 : table->capacity * 2;
    size_t *ends = realloc(table->ends, (size_t)capacity * sizeof *ends);
    if (ends == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d strings", capacity);
    }
    table->ends = ends;
    uint32_t *hashes = realloc(table->hashes, (size_t)capacity * sizeof *hashes);
    if (hashes == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d strings", capacity);
    }
    table->hashes = hashes;
    table->capacity = capacity;
    return JUDO_OK;
}

judo_status judo_byte_table_add(judo_byte_table *table, const char *bytes, size_t length,
                                int32_t *number, bool *is_new)
{
    if (table->count >= MOST_STRINGS) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "more than %d distinct strings", MOST_STRINGS);
    }
    if ((uint64_t)table->count * 2 >= table->num_slots) {
        JUDO_TRY(grow_slots(table));
    }
    if (table->count == table->capacity) {
        JUDO_TRY(grow_strings(table));
    }
    uint32_t hash = (uint32_t)judo_bytes_hash(bytes, length);
    uint32_t slot = probe(table, bytes, length, hash);
    bool added = table->slots[slot] == 0;
    if (added) {
        JUDO_TRY(judo_text_append(&table->arena, bytes, length));
        table->ends[table->count] = table->arena.length;
        table->hashes[table->count] = hash;
        table->slots[slot] = ++table->count;
    }
    *number = table->slots[slot] - 1;
    if (is_new != NULL) {
        *is_new = added;
    }
    return JUDO_OK;
}

void judo_byte_table_free(judo_byte_table *table)
{
    judo_text_free(&table->arena);
    free(table->ends);
    free(table->hashes);
    free(table->slots);
    *table = (judo_byte_table){0};
}
