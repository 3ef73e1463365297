/* tests/emulator/shared.cpp: see shared.h. __shared__ variables are the thread-local memory of
 * this module (include/cuda_runtime.h), which its program headers describe. */
#include "tests/emulator/shared.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/emulator/block.h"

enum { SPOILED = 0xff }; /* not-a-number in bf16, fp32 and fp64 */

static unsigned char *launch_memory, *launch_end;

static unsigned char *reserve_launch_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (EMULATOR_MOST_SHARED + page - 1) / page * page;
    void *memory =
        mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect((char *)memory + bytes, page, PROT_NONE) != 0) {
        emulator_fail("no memory for shared memory");
    }
    return (unsigned char *)memory + bytes;
}

#ifndef __SANITIZE_ADDRESS__
static thread_local volatile char
    anchor; /* makes sure that this thread has the module's memory */

struct segment {
    void *memory;
    size_t bytes;
};

/* Whether the module that this is the code of is loaded there. */
static bool is_own(const struct dl_phdr_info *info)
{
    uintptr_t offset = (uintptr_t)reserve_launch_memory - info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && offset - part->p_vaddr < part->p_memsz) {
            return true;
        }
    }
    return false;
}

static int find_segment(struct dl_phdr_info *info, size_t size, void *context)
{
    segment *found = (segment *)context;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum && is_own(info); i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            *found = {info->dlpi_tls_data, info->dlpi_phdr[i].p_memsz};
            return 1;
        }
    }
    return 0;
}

static segment variables;
#endif

void emulator_open_shared(size_t launch_bytes)
{
    if (!launch_end) {
        launch_end = reserve_launch_memory();
    }
    launch_memory = launch_end - (launch_bytes + 15) / 16 * 16;
#ifndef __SANITIZE_ADDRESS__
    anchor = 1;
    variables = {NULL, 0};
    if (dl_iterate_phdr(find_segment, &variables) == 0 || !variables.memory) {
        emulator_fail("the module has no thread-local memory");
    }
#endif
}

void emulator_spoil_shared(void)
{
    memset(launch_memory, SPOILED, (size_t)(launch_end - launch_memory));
#ifndef __SANITIZE_ADDRESS__
    memset(variables.memory, SPOILED, variables.bytes);
#endif
}

unsigned char *emulator_launch_memory(void)
{
    return launch_memory;
}

void emulator_check_shared(const void *address, size_t bytes, size_t alignment)
{
    const unsigned char *at = (const unsigned char *)address;
    if (at < launch_memory || at + bytes > launch_end || (uintptr_t)at % alignment != 0) {
        emulator_fail("%p is not %zu bytes of the launch's shared memory, aligned to %zu",
                      address, bytes, alignment);
    }
}

void emulator_print_kernel(const void *kernel)
{
    Dl_info info;
    if (dladdr(kernel, &info) != 0) {
        (void)fprintf(stderr, "\n  kernel at %s+0x%zx", info.dli_fname,
                      (size_t)((uintptr_t)kernel - (uintptr_t)info.dli_fbase));
    }
}
