/* tests/bench/gpu/limits/ledger_device.c: addresses without memory behind them, and a clock
 * that ops move. */
#include "tests/bench/gpu/limits/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/bench/gpu/bench.h"

static const int64_t ALIGNMENT = 256;
static const size_t SPACE = (size_t)1 << 46;

static double clock_seconds;
static double by_kind[LEDGER_KINDS];

double bench_now(void)
{
    return clock_seconds;
}

void ledger_add(ledger_kind kind, double operations, double rate, double bytes, int kernels)
{
    double computing = rate > 0.0 ? operations / rate : 0.0;
    double moving = bytes / LEDGER_MEMORY_RATE;
    double seconds = computing > moving ? computing : moving;
    by_kind[kind] += seconds;
    by_kind[LEDGER_LAUNCH] += kernels * LEDGER_START_SECONDS;
    clock_seconds += seconds + kernels * LEDGER_START_SECONDS;
}

const double *ledger_seconds(void)
{
    return by_kind;
}

void ledger_clear(void)
{
    memset(by_kind, 0, sizeof by_kind);
}

const char *ledger_kind_name(ledger_kind kind)
{
    static const char *const names[LEDGER_KINDS] = {
        "products", "attention", "elementwise", "head", "optimizer", "copies", "starts"};
    return names[kind];
}

/* --- addresses: handed out upwards; each carries its size in a list --- */

typedef struct block {
    struct block *next;
    char *begin;
    int64_t bytes;
} block;

static struct {
    char *space;
    size_t used;
    int64_t taken;
    block *blocks;
} store;

bool ledger_owns(const void *address)
{
    uintptr_t at = (uintptr_t)address;
    uintptr_t first = (uintptr_t)store.space;
    return store.space && at >= first && at < first + SPACE;
}

static judo_status memory(int64_t *available, int64_t *total)
{
    *total = LEDGER_MEMORY_BYTES;
    *available = LEDGER_MEMORY_BYTES - store.taken;
    return JUDO_OK;
}

static judo_status allocate(void **out, int64_t bytes)
{
    int64_t rounded = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    if (!store.space) {
        void *space =
            mmap(NULL, SPACE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (space == MAP_FAILED) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "ledger: no addresses");
        }
        store.space = space;
    }
    block *b = malloc(sizeof *b);
    if (!b || store.taken + rounded > LEDGER_MEMORY_BYTES ||
        store.used + (size_t)rounded > SPACE) {
        free(b);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "ledger: %.1f GB do not fit", 1e-9 * (double)bytes);
    }
    *b = (block){store.blocks, store.space + store.used, rounded};
    store.blocks = b;
    store.used += (size_t)rounded;
    store.taken += rounded;
    *out = b->begin;
    return JUDO_OK;
}

static void release(void *address)
{
    for (block **at = &store.blocks; address && *at; at = &(*at)->next) {
        if ((*at)->begin == address) {
            block *gone = *at;
            *at = gone->next;
            store.taken -= gone->bytes;
            free(gone);
            return;
        }
    }
}

static judo_status allocate_host(void **out, int64_t bytes)
{
    *out = calloc(1, (size_t)bytes + 1);
    return *out ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "ledger: no memory of the host");
}

/* Copies of other queues run beside the ops and cost nothing. */
static judo_status copy(void *to, const void *from, int64_t bytes, judo_stream *stream)
{
    bool inside = ledger_owns(to) && ledger_owns(from);
    if (!ledger_owns(to) && bytes > 0) {
        memset(to, 0, (size_t)bytes);
    }
    if (stream == NULL) {
        ledger_add(LEDGER_COPY, inside ? 0.0 : (double)bytes, LEDGER_HOST_RATE,
                   inside ? 2.0 * (double)bytes : 0.0, 1);
    }
    return JUDO_OK;
}

static judo_status clear(void *out, int64_t bytes, judo_stream *stream)
{
    (void)out;
    if (stream == NULL) {
        ledger_add(LEDGER_COPY, 0.0, 0.0, (double)bytes, 1);
    }
    return JUDO_OK;
}

/* Queues beside the ops' own only have to be other than NULL. */
static judo_status stream_create(judo_stream **stream)
{
    void *memory = NULL;
    JUDO_TRY(allocate_host(&memory, 1));
    *stream = memory;
    return JUDO_OK;
}

static void stream_destroy(judo_stream *stream)
{
    free(stream);
}

/* Queues and events are the CPU's: what was asked for is done. */
const judo_device *ledger_device(void)
{
    static judo_device device;
    device = *judo_device_cpu();
    device.name = "ledger";
    device.description = "no device: what ops ask for, at the limits of one H200";
    device.separate = true;
    device.memory = memory;
    device.allocate = allocate;
    device.release = release;
    device.allocate_staging = allocate_host;
    device.release_staging = free;
    device.copy = copy;
    device.clear = clear;
    device.stream_create = stream_create;
    device.stream_destroy = stream_destroy;
    device.ops = ledger_ops();
    return &device;
}
