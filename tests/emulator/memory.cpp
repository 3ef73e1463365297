/* tests/emulator/memory.cpp: see memory.h. */
#include "tests/emulator/memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>

#include "tests/emulator/block.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes)   ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

/* What runtime/device.h promises: a block ends at most one byte less before its last page. */
enum { ALIGNMENT = 64, SPOILED = 0xff };

namespace
{

struct taken {
    char *pages; /* between the two that nobody may touch */
    size_t page_bytes, bytes;
    emulator_memory_kind kind;
};

std::map<char *, taken> blocks; /* by where they begin */
size_t device_bytes;

size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void allow(const taken *block, bool allowed)
{
    if (mprotect(block->pages, block->page_bytes,
                 allowed ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) {
        emulator_fail("mprotect of %zu bytes", block->page_bytes);
    }
}

/* The bytes in front of a block and behind it; the sanitizer watches them by itself. */
void check_edges(const char *begin, const taken *block)
{
#ifndef __SANITIZE_ADDRESS__
    const char *end = begin + block->bytes;
    const char *from = begin - block->pages < ALIGNMENT ? block->pages : begin - ALIGNMENT;
    for (const char *p = from; p < block->pages + block->page_bytes; p++) {
        p = p == begin ? end : p;
        if (p < block->pages + block->page_bytes && (unsigned char)*p != SPOILED) {
            emulator_fail("something wrote beside a block of %zu bytes", block->bytes);
        }
    }
#else
    (void)begin;
    (void)block;
#endif
}

} // namespace

void *emulator_memory_take(size_t bytes, emulator_memory_kind kind)
{
    size_t page = page_size();
    size_t whole = (size_t)EMULATOR_GIBIBYTES << 30;
    if (bytes > whole || (kind == EMULATOR_DEVICE && bytes > emulator_memory_left())) {
        return NULL;
    }
    size_t aligned = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    taken block = {NULL, (aligned + page - 1) / page * page, bytes, kind};
    void *memory = mmap(NULL, block.page_bytes + 2 * page, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    block.pages = (char *)memory + page;
    (void)madvise(block.pages, block.page_bytes, MADV_HUGEPAGE); /* cheaper to open and close */
    allow(&block, true);
    memset(block.pages, SPOILED, block.page_bytes);
    char *begin = block.pages + block.page_bytes - aligned;
    if (kind == EMULATOR_DEVICE) {
        device_bytes += bytes;
        allow(&block, false);
    }
    ASAN_POISON_MEMORY_REGION(block.pages, (size_t)(begin - block.pages));
    ASAN_POISON_MEMORY_REGION(begin + bytes, aligned - bytes);
    blocks[begin] = block;
    return begin;
}

bool emulator_memory_give_back(void *memory, emulator_memory_kind kind)
{
    auto found = blocks.find((char *)memory);
    if (found == blocks.end() || found->second.kind != kind) {
        return false;
    }
    const taken block = found->second;
    ASAN_UNPOISON_MEMORY_REGION(block.pages, block.page_bytes);
    allow(&block, true);
    check_edges((char *)memory, &block);
    device_bytes -= kind == EMULATOR_DEVICE ? block.bytes : 0;
    /* Pages away, addresses kept: what still points here crashes. */
    void *kept = mmap(block.pages, block.page_bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    blocks.erase(found);
    return kept != MAP_FAILED;
}

size_t emulator_memory_left(void)
{
    return ((size_t)EMULATOR_GIBIBYTES << 30) - device_bytes;
}

/* The block that an address lies in, or blocks.end(). */
static std::map<char *, taken>::iterator find(const void *memory)
{
    char *at = (char *)(uintptr_t)memory;
    auto after = blocks.upper_bound(at);
    if (after == blocks.begin()) {
        return blocks.end();
    }
    auto found = std::prev(after);
    return at == found->first || at < found->first + found->second.bytes ? found : blocks.end();
}

emulator_memory_kind emulator_memory_at(const void *memory, size_t bytes)
{
    auto found = find(memory);
    if (found == blocks.end()) {
        return EMULATOR_PAGEABLE;
    }
    size_t offset = (size_t)((const char *)memory - found->first);
    if (offset + bytes > found->second.bytes) {
        emulator_fail("%zu bytes from byte %zu on of a block of %zu", bytes, offset,
                      found->second.bytes);
    }
    return found->second.kind;
}

static bool is_open;

void emulator_memory_open(void)
{
    for (auto &entry : blocks) {
        if (!is_open && entry.second.kind == EMULATOR_DEVICE) {
            allow(&entry.second, true);
        }
    }
    is_open = true;
}

void emulator_memory_close(void)
{
    for (auto &entry : blocks) {
        if (is_open && entry.second.kind == EMULATOR_DEVICE) {
            check_edges(entry.first, &entry.second);
            allow(&entry.second, false);
        }
    }
    is_open = false;
}

static void lend(const void *memory, bool allowed)
{
    auto found = find(memory);
    if (!is_open && found != blocks.end() && found->second.kind == EMULATOR_DEVICE) {
        allow(&found->second, allowed);
    }
}

void emulator_memory_copy(void *to, const void *from, int value, size_t bytes)
{
    lend(to, true);
    lend(from, true);
    if (from) {
        memcpy(to, from, bytes);
    } else {
        memset(to, value, bytes);
    }
    lend(to, false);
    lend(from, false);
}
