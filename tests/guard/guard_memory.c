/* tests/guard/guard_memory.c: a large run of addresses, handed out from its front, closed with
 * mprotect. */
#include "tests/guard/guard.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

#define REACH ((int64_t)1 << 38) /* addresses, not memory */

typedef struct block {
    char *at;
    int64_t bytes;
    struct block *next;
} block;

static struct {
    pthread_mutex_t lock;
    char *begin;
    int64_t reserved; /* bytes handed out since the last time that all were free */
    int64_t held;     /* bytes in blocks */
    block *blocks;
    int open;
} region = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void protect(int how)
{
    if (region.reserved > 0 && mprotect(region.begin, (size_t)region.reserved, how) != 0) {
        abort(); /* nothing that a test says would hold */
    }
}

void guard_open(void)
{
    pthread_mutex_lock(&region.lock);
    if (region.open++ == 0) {
        protect(PROT_READ | PROT_WRITE);
    }
    pthread_mutex_unlock(&region.lock);
}

void guard_close(void)
{
    pthread_mutex_lock(&region.lock);
    if (--region.open == 0) {
        protect(PROT_NONE);
    }
    pthread_mutex_unlock(&region.lock);
}

bool guard_holds(const void *at, int64_t bytes)
{
    bool held = false;
    pthread_mutex_lock(&region.lock);
    for (const block *b = region.blocks; b && !held; b = b->next) {
        held = (const char *)at >= b->at && (const char *)at + bytes <= b->at + b->bytes;
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
        memset(memory, 0xff, (size_t)bytes);
    }
}

static judo_status take(block *b, int64_t bytes)
{
    int64_t available;
    int64_t total;
    JUDO_TRY(guard_memory(&available, &total));
    /* A page behind each block stays closed to the host and free of other blocks. */
    int64_t room = (bytes + PAGE - 1) / PAGE * PAGE + PAGE;
    if (bytes > available || room > REACH - region.reserved) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "guard: out of memory: %" PRId64 " bytes wanted, %" PRId64
                         " of %" PRId64 " are left",
                         bytes, available, total);
    }
    if (!region.begin) {
        void *found = mmap(NULL, (size_t)REACH, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (found == MAP_FAILED) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no run of %" PRId64 " addresses",
                             REACH);
        }
        region.begin = found;
    }
    *b = (block){region.begin + region.reserved, bytes, region.blocks};
    region.blocks = b;
    region.held += bytes;
    region.reserved += room;
    return JUDO_OK;
}

judo_status guard_allocate(void **out, int64_t bytes)
{
    if (bytes < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "guard: %" PRId64 " bytes", bytes);
    }
    block *b = malloc(sizeof *b);
    if (!b) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "guard: no memory");
    }
    pthread_mutex_lock(&region.lock);
    judo_status status = take(b, bytes);
    if (status == JUDO_OK && region.open > 0) {
        protect(PROT_READ | PROT_WRITE); /* somebody works beside: the new part opens as well */
    }
    pthread_mutex_unlock(&region.lock);
    if (status != JUDO_OK) {
        free(b);
        return status;
    }
    guard_open();
    guard_spoil(b->at, bytes);
    guard_close();
    *out = b->at;
    return JUDO_OK;
}

void guard_release(void *memory)
{
    pthread_mutex_lock(&region.lock);
    for (block **link = &region.blocks; *link && memory; link = &(*link)->next) {
        block *b = *link;
        if (b->at == memory) {
            *link = b->next;
            region.held -= b->bytes;
            (void)madvise(b->at, (size_t)(b->bytes + PAGE - 1) / PAGE * PAGE, MADV_DONTNEED);
            free(b);
            break;
        }
    }
    if (!region.blocks && region.open == 0) {
        region.reserved = 0;
    }
    pthread_mutex_unlock(&region.lock);
}
