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

void check_spoiled(const char *from, const char *to, const taken *block)
{
    for (const char *p = from; p < to; p++) {
        if ((unsigned char)*p != SPOILED) {
            emulator_fail("something wrote beside a block of %zu bytes", block->bytes);
        }
    }
}

/* What lies beside a block on its own pages; in front of it the nearest bytes. */
void check_edges(const char *begin, const taken *block)
{
    bool near = begin - block->pages < ALIGNMENT;
    check_spoiled(near ? block->pages : begin - ALIGNMENT, begin, block);
    check_spoiled(begin + block->bytes, block->pages + block->page_bytes, block);
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

emulator_memory_kind emulator_memory_at(const void *memory, size_t bytes)
{
    auto after = blocks.upper_bound((char *)(uintptr_t)memory);
    if (after == blocks.begin()) {
        return EMULATOR_PAGEABLE;
    }
    const auto found = std::prev(after);
    const char *begin = found->first;
    const char *at = (const char *)memory;
    const taken *block = &found->second;
    if (at >= begin + block->bytes && (at > begin || block->bytes > 0)) {
        return EMULATOR_PAGEABLE;
    }
    if ((size_t)(at - begin) + bytes > block->bytes) {
        emulator_fail("%zu bytes from byte %zu on of a block of %zu", bytes,
                      (size_t)(at - begin), block->bytes);
    }
    return block->kind;
}

static void allow_all(bool allowed)
{
    for (auto &entry : blocks) {
        if (entry.second.kind == EMULATOR_DEVICE) {
            if (!allowed) {
#ifndef __SANITIZE_ADDRESS__
                check_edges(entry.first, &entry.second);
#endif
            }
            allow(&entry.second, allowed);
        }
    }
}

void emulator_memory_open(void)
{
    allow_all(true);
}

void emulator_memory_close(void)
{
    allow_all(false);
}
