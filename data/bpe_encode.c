/* data/bpe_encode.c: merges one piece of text: n log n by a heap, so that a piece of a million
 * letters is no trouble; and a direct-mapped cache for the words that come again and again. */
#include "data/bpe.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_SLOTS = 1 << 14, NO_RANK = INT32_MAX };

void judo_bpe_room_free(judo_bpe_room *room)
{
    free(room->ids);
    free(room->heap);
    free(room->cache);
    *room = (judo_bpe_room){0};
}

static judo_status make_room(judo_bpe_room *room, size_t length)
{
    if (length <= room->capacity) {
        return JUDO_OK;
    }
    size_t capacity = length < 256 ? 256 : length + length / 2;
    int32_t *symbols = malloc(4 * capacity * sizeof *symbols);
    uint64_t *heap = malloc(3 * capacity * sizeof *heap);
    if (symbols == NULL || heap == NULL) {
        free(symbols);
        free(heap);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to merge a piece of %zu bytes", length);
    }
    free(room->ids);
    free(room->heap);
    room->ids = symbols;
    room->next = symbols + capacity;
    room->previous = symbols + 2 * capacity;
    room->ranks = symbols + 3 * capacity;
    room->heap = heap;
    room->capacity = capacity;
    return JUDO_OK;
}

static void heap_push(judo_bpe_room *room, uint64_t key)
{
    uint64_t *heap = room->heap;
    size_t at = room->heap_count++;
    while (at > 0 && heap[(at - 1) / 2] > key) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = key;
}

static uint64_t heap_pop(judo_bpe_room *room)
{
    uint64_t *heap = room->heap;
    uint64_t top = heap[0];
    uint64_t key = heap[--room->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= room->heap_count) {
            break;
        }
        if (child + 1 < room->heap_count && heap[child + 1] < heap[child]) {
            child++;
        }
        if (heap[child] >= key) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = key;
    return top;
}

/* Looks up the pair that begins at `at` and queues it. An older entry of `at` in the heap goes
 * stale by its rank. */
static void consider(const judo_bpe *bpe, judo_bpe_room *room, int32_t at)
{
    int32_t next = room->next[at];
    const judo_pair *pair =
        next < 0 ? NULL : judo_pair_table_find(&bpe->merges, room->ids[at], room->ids[next]);
    room->ranks[at] = pair == NULL ? NO_RANK : (int32_t)(pair->value >> 32);
    if (pair != NULL) {
        heap_push(room, (uint64_t)room->ranks[at] << 32 | (uint32_t)at);
    }
}

static void merge_at(const judo_bpe *bpe, judo_bpe_room *room, int32_t at)
{
    int32_t gone = room->next[at];
    const judo_pair *pair = judo_pair_table_find(&bpe->merges, room->ids[at], room->ids[gone]);
    room->ids[at] = (int32_t)(uint32_t)pair->value;
    room->next[at] = room->next[gone];
    room->ranks[gone] = NO_RANK;
    if (room->next[gone] >= 0) {
        room->previous[room->next[gone]] = at;
    }
    consider(bpe, room, at);
    if (room->previous[at] >= 0) {
        consider(bpe, room, room->previous[at]);
    }
}

static judo_status merge_piece(const judo_bpe *bpe, judo_bpe_room *room, const char *piece,
                               size_t length, judo_ids *out)
{
    JUDO_TRY(make_room(room, length));
    int32_t count = (int32_t)length;
    for (int32_t i = 0; i < count; i++) {
        room->ids[i] = bpe->byte_ids[(unsigned char)piece[i]];
        room->next[i] = i + 1 < count ? i + 1 : -1;
        room->previous[i] = i - 1;
    }
    room->heap_count = 0;
    for (int32_t i = 0; i < count; i++) {
        consider(bpe, room, i);
    }
    while (room->heap_count > 0) {
        uint64_t key = heap_pop(room);
        int32_t at = (int32_t)(uint32_t)key;
        if (room->ranks[at] == (int32_t)(key >> 32)) {
            merge_at(bpe, room, at);
        }
    }
    for (int32_t i = 0; i >= 0; i = room->next[i]) {
        JUDO_TRY(judo_ids_append(out, room->ids[i]));
    }
    return JUDO_OK;
}

judo_status judo_bpe_encode(const judo_bpe *bpe, judo_bpe_room *room, const char *piece,
                            size_t length, judo_ids *out)
{
    if (length == 0 || length > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a piece of %zu bytes cannot be merged", length);
    }
    if (length == 1) {
        return judo_ids_append(out, bpe->byte_ids[(unsigned char)piece[0]]);
    }
    if (length > JUDO_BPE_CACHE_KEY) {
        return merge_piece(bpe, room, piece, length, out);
    }
    if (room->cache == NULL) {
        room->cache = calloc(CACHE_SLOTS, sizeof *room->cache);
        if (room->cache == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the cache of words");
        }
    }
    judo_bpe_cached *slot = &room->cache[judo_bytes_hash(piece, length) & (CACHE_SLOTS - 1)];
    if (slot->length == length && memcmp(slot->key, piece, length) == 0) {
        return judo_ids_append_many(out, slot->ids, slot->count);
    }
    int64_t before = out->count;
    JUDO_TRY(merge_piece(bpe, room, piece, length, out));
    int64_t made = out->count - before;
    if (made <= JUDO_BPE_CACHE_IDS) {
        slot->length = (uint8_t)length;
        slot->count = (uint8_t)made;
        memcpy(slot->key, piece, length);
        memcpy(slot->ids, out->ids + before, (size_t)made * sizeof *slot->ids);
    }
    return JUDO_OK;
}
