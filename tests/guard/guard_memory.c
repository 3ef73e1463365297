/* tests/guard/guard_memory.c: a large run of addresses that are closed for good, handed out
 * from its front, and as much memory beside it: an op that has to reads and writes there. */
#include "tests/guard/guard.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

#define REACH ((int64_t)1 << 36) /* addresses, not memory */

typedef enum block_kind { WHOLE, POOL, PART } block_kind;

typedef struct block {
    char *at;
    int64_t bytes;
    block_kind kind;
    struct block *next;
} block;

static struct {
    pthread_mutex_t lock;
    char *begin;      /* of the closed addresses */
    char *memory;     /* behind them */
    int64_t reserved; /* bytes handed out since the last time that all were free */
    int64_t held;     /* bytes in blocks */
    block *blocks;
    int64_t allocations;
} region = {.lock = PTHREAD_MUTEX_INITIALIZER};

void *guard_host(const void *at)
{
    bool inside = region.begin && (const char *)at >= region.begin &&
                  (const char *)at < region.begin + REACH;
    return inside ? region.memory + ((const char *)at - region.begin) : (void *)(uintptr_t)at;
}

bool guard_holds(const void *at, int64_t bytes)
{
    bool held = false;
    pthread_mutex_lock(&region.lock);
    for (const block *b = region.blocks; b && !held; b = b->next) {
        held = b->kind != POOL && (const char *)at >= b->at &&
               (const char *)at + bytes <= b->at + b->bytes;
    }
    pthread_mutex_unlock(&region.lock);
    return held;
}

judo_status guard_memory(int64_t *available, int64_t *total)
{
    const char *set = getenv("JUDO_GUARD_BYTES");
    *total = set ? strtoll(set, NULL, 10) : (int64_t)4 << 30;
    *available = *total - region.held;
    return JUDO_OK;
}

void guard_spoil(void *memory, int64_t bytes)
{
    if (bytes > 0) {
        memset(guard_host(memory), 0xff, (size_t)bytes);
    }
}

static void *map(int protection)
{
    return mmap(NULL, (size_t)REACH, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
}

static judo_status take(block *b, int64_t bytes, block_kind kind)
{
    int64_t available;
    int64_t total;
    JUDO_TRY(guard_memory(&available, &total));
    /* Blocks do not touch: one that is overrun spoils no other. */
    int64_t room = (bytes + PAGE - 1) / PAGE * PAGE + PAGE;
    if (bytes > available || room > REACH - region.reserved) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "guard: out of memory: %" PRId64 " bytes wanted, %" PRId64
                         " of %" PRId64 " are left",
                         bytes, available, total);
    }
    if (!region.begin) {
        void *closed = map(PROT_NONE);
        void *memory = map(PROT_READ | PROT_WRITE);
        if (closed == MAP_FAILED || memory == MAP_FAILED) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no run of %" PRId64 " addresses",
                             REACH);
        }
        region.memory = memory;
        region.begin = closed;
    }
    *b = (block){region.begin + region.reserved, bytes, kind, region.blocks};
    region.blocks = b;
    region.held += bytes;
    region.reserved += room;
    return JUDO_OK;
}

void guard_count_allocation(void)
{
    pthread_mutex_lock(&region.lock);
    region.allocations++;
    pthread_mutex_unlock(&region.lock);
}

int64_t guard_allocations(void)
{
    pthread_mutex_lock(&region.lock);
    int64_t allocations = region.allocations;
    pthread_mutex_unlock(&region.lock);
    return allocations;
}

static judo_status allocate(void **out, int64_t bytes, block_kind kind)
{
    guard_count_allocation();
    if (bytes < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "guard: %" PRId64 " bytes", bytes);
    }
    block *b = malloc(sizeof *b);
    if (!b) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no memory");
    }
    pthread_mutex_lock(&region.lock);
    judo_status status = take(b, bytes, kind);
    pthread_mutex_unlock(&region.lock);
    if (status != JUDO_OK) {
        free(b);
        return status;
    }
    guard_spoil(b->at, bytes);
    *out = b->at;
    return JUDO_OK;
}

judo_status guard_allocate(void **out, int64_t bytes)
{
    return allocate(out, bytes, WHOLE);
}

judo_status guard_allocate_pool(void **out, int64_t bytes)
{
    return allocate(out, bytes, POOL);
}

/* Takes the block out of the list that begins there and is a part, or is none; under the lock.
 */
static block *unlink_block(const void *at, bool is_part)
{
    for (block **link = &region.blocks; *link; link = &(*link)->next) {
        block *b = *link;
        if (b->at == at && (b->kind == PART) == is_part) {
            *link = b->next;
            return b;
        }
    }
    return NULL;
}

void guard_watch(void *part, int64_t bytes, bool taken)
{
    block *b = taken ? malloc(sizeof *b) : NULL;
    guard_run_all(); /* what is still to be read or written there comes first */
    pthread_mutex_lock(&region.lock);
    if (taken && b) {
        *b = (block){part, bytes, PART, region.blocks};
        region.blocks = b;
        guard_spoil(part, bytes);
    } else {
        free(unlink_block(part, true));
    }
    pthread_mutex_unlock(&region.lock);
}

void guard_release(void *memory)
{
    pthread_mutex_lock(&region.lock);
    block *b = memory ? unlink_block(memory, false) : NULL;
    if (b) {
        region.held -= b->bytes;
        (void)madvise(guard_host(b->at), (size_t)(b->bytes + PAGE - 1) / PAGE * PAGE,
                      MADV_DONTNEED);
        free(b);
    }
    if (!region.blocks) {
        region.reserved = 0;
    }
    pthread_mutex_unlock(&region.lock);
}
