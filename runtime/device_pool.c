/* runtime/device_pool.c: see device_pool.h. A device's table has no place for a context, and a
 * process has one device: the pool is one object. */
#include "runtime/device_pool.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"

/* Host memory that was taken once. */
typedef struct staging {
    void *memory;
    int64_t bytes;
    bool taken;
    struct staging *next;
} staging;

static struct {
    pthread_mutex_t lock;
    const judo_device *inner; /* NULL: closed */
    judo_device table;
    char *block;
    judo_pool_space *space; /* NULL: not reserved yet */
    char *plan;
    bool explained;
    staging *stagings;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static judo_status pool_memory(int64_t *available, int64_t *total)
{
    judo_pool_facts facts = judo_device_pool_facts();
    if (facts.capacity == 0) {
        return pool.inner->memory(available, total);
    }
    *available = facts.capacity - facts.used;
    *total = facts.capacity;
    return JUDO_OK;
}

/* Line by line, on whichever rank it happens; once is enough. */
static void explain(void)
{
    for (const char *line = pool.plan; !pool.explained && line && *line;) {
        size_t length = strcspn(line, "\n");
        JUDO_WARNING("%.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    pool.explained = true;
}

static judo_status take(void **out, int64_t bytes)
{
    int64_t offset = 0;
    if (pool.space == NULL) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "device %s: %" PRId64 " bytes wanted before its memory is planned",
                         pool.table.name, bytes);
    }
    judo_status status = judo_pool_space_take(pool.space, bytes, &offset);
    if (status == JUDO_ERROR_MEMORY) {
        explain();
    }
    JUDO_TRY(status);
    *out = pool.block + offset;
    if (pool.inner->watch) {
        pool.inner->watch(*out, bytes, true);
    }
    return JUDO_OK;
}

static judo_status pool_allocate(void **out, int64_t bytes)
{
    pthread_mutex_lock(&pool.lock);
    judo_status status = take(out, bytes);
    pthread_mutex_unlock(&pool.lock);
    return status;
}

static void pool_release(void *memory)
{
    if (memory == NULL) {
        return;
    }
    pthread_mutex_lock(&pool.lock);
    if (pool.inner->watch) {
        pool.inner->watch(memory, 0, false);
    }
    if (judo_pool_space_give_back(pool.space, (char *)memory - pool.block) != JUDO_OK) {
        JUDO_WARNING("%s", judo_error_message());
    }
    pthread_mutex_unlock(&pool.lock);
}

/* What is kept of about that size: one that wastes more than it holds is left to others. */
static staging *find_staging(int64_t bytes)
{
    const int64_t slack = 1 << 16;
    staging *best = NULL;
    for (staging *s = pool.stagings; s; s = s->next) {
        if (!s->taken && s->bytes >= bytes && s->bytes - bytes <= bytes + slack &&
            (best == NULL || s->bytes < best->bytes)) {
            best = s;
        }
    }
    return best;
}

static judo_status take_staging(void **out, int64_t bytes)
{
    staging *found = find_staging(bytes);
    if (found == NULL) {
        found = calloc(1, sizeof *found);
        if (found == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a list of staging memory");
        }
        judo_status status = pool.inner->allocate_staging(&found->memory, bytes);
        if (status != JUDO_OK) {
            free(found);
            return status;
        }
        found->bytes = bytes;
        found->next = pool.stagings;
        pool.stagings = found;
    }
    found->taken = true;
    *out = found->memory;
    return JUDO_OK;
}

static judo_status pool_allocate_staging(void **out, int64_t bytes)
{
    pthread_mutex_lock(&pool.lock);
    judo_status status = take_staging(out, bytes);
    pthread_mutex_unlock(&pool.lock);
    return status;
}

static void pool_release_staging(void *memory)
{
    pthread_mutex_lock(&pool.lock);
    for (staging *s = pool.stagings; s && memory; s = s->next) {
        if (s->memory == memory) {
            s->taken = false;
        }
    }
    pthread_mutex_unlock(&pool.lock);
}

judo_status judo_device_pool_open(const judo_device *inner, const judo_device **out)
{
    if (pool.inner != NULL) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "device %s: has a pool of memory already",
                         pool.table.name);
    }
    pool.inner = inner;
    pool.table = *inner;
    pool.table.memory = pool_memory;
    pool.table.allocate = pool_allocate;
    pool.table.release = pool_release;
    pool.table.allocate_staging = pool_allocate_staging;
    pool.table.release_staging = pool_release_staging;
    pool.explained = false;
    *out = &pool.table;
    return JUDO_OK;
}

judo_status judo_device_pool_reserve(int64_t bytes, const char *plan)
{
    void *block = NULL;
    judo_pool_space *space = NULL;
    if (pool.inner == NULL || pool.space != NULL) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "device: a pool is reserved once, behind its open");
    }
    char *copy = strdup(plan);
    if (copy == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a plan of memory");
    }
    judo_status status = judo_pool_space_create(bytes, &space);
    if (status == JUDO_OK) {
        status = pool.inner->allocate_pool ? pool.inner->allocate_pool(&block, bytes)
                                           : pool.inner->allocate(&block, bytes);
    }
    if (status != JUDO_OK) {
        judo_pool_space_destroy(&space);
        free(copy);
        return status;
    }
    pool.plan = copy;
    pool.block = block;
    pool.space = space;
    return JUDO_OK;
}

judo_status judo_device_pool_keep_staging(int64_t bytes)
{
    void *memory = NULL;
    JUDO_TRY(pool_allocate_staging(&memory, bytes));
    pool_release_staging(memory);
    return JUDO_OK;
}

static void free_stagings(void)
{
    while (pool.stagings) {
        staging *s = pool.stagings;
        pool.stagings = s->next;
        if (!s->taken) {
            pool.inner->release_staging(s->memory);
        }
        free(s);
    }
}

void judo_device_pool_close(const judo_device **device)
{
    if (pool.inner == NULL || *device != &pool.table) {
        return;
    }
    free_stagings();
    if (pool.space && judo_pool_space_facts(pool.space).used == 0) {
        pool.inner->release(pool.block);
    }
    judo_pool_space_destroy(&pool.space);
    free(pool.plan);
    pool.plan = NULL;
    pool.block = NULL;
    *device = pool.inner;
    pool.inner = NULL;
}

judo_pool_facts judo_device_pool_facts(void)
{
    judo_pool_facts facts = {0};
    pthread_mutex_lock(&pool.lock);
    if (pool.space) {
        facts = judo_pool_space_facts(pool.space);
    }
    pthread_mutex_unlock(&pool.lock);
    return facts;
}
