/* tests/emulator/fiber.cpp: see fiber.h. On x86-64 a switch is a dozen instructions:
 * swapcontext asks the kernel for the signal mask every time. */
#include "tests/emulator/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/emulator/block.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 256 << 10, STAGGER = 192 };

struct fiber {
    void (*run)(void);
    char *stack;
    size_t bytes;
#ifdef __x86_64__
    void *place; /* its stack pointer while it is left */
#else
    ucontext_t place;
#endif
    void *sanitizer;
};

static fiber *current;
#ifdef __x86_64__
static void *host_place;
#else
static ucontext_t host_place;
#endif
static const void *host_stack;
static size_t host_bytes;
static void *host_sanitizer;

#ifdef __x86_64__
/* Saves what the calling convention says a function keeps. */
extern "C" void emulator_fiber_switch(void **from, void *to);
__asm__(".text\n"
        ".hidden emulator_fiber_switch\n"
        ".globl emulator_fiber_switch\n"
        ".type emulator_fiber_switch, @function\n"
        "emulator_fiber_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size emulator_fiber_switch, .-emulator_fiber_switch\n");
#endif

static void arrived(void *sanitizer, const void **from, size_t *bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(sanitizer, from, bytes);
#else
    (void)sanitizer;
    (void)from;
    (void)bytes;
#endif
}

static void entry(void)
{
    arrived(NULL, &host_stack, &host_bytes);
    for (;;) {
        current->run();
    }
}

fiber *fiber_create(void (*run)(void))
{
    static size_t created;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, STACK_BYTES + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fiber *made = (fiber *)calloc(1, sizeof *made);
    if (memory == MAP_FAILED || !made || mprotect(memory, page, PROT_NONE) != 0) {
        emulator_fail("no memory for a fiber's stack");
    }
    made->run = run;
    made->stack = (char *)memory + page;
    /* Stacks that all end at the same place of a page would fight for the same cache lines. */
    made->bytes = STACK_BYTES - created++ % 16 * STAGGER;
#ifdef __x86_64__
    void **top = (void **)(made->stack + made->bytes);
    *--top = NULL; /* entry never returns; keeps the stack aligned as after a call */
    *--top = (void *)entry;
    for (int i = 0; i < 6; i++) {
        *--top = NULL;
    }
    made->place = top;
#else
    getcontext(&made->place);
    made->place.uc_stack.ss_sp = made->stack;
    made->place.uc_stack.ss_size = made->bytes;
    makecontext(&made->place, entry, 0);
#endif
    return made;
}

void fiber_enter(fiber *to)
{
    current = to;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&host_sanitizer, to->stack, to->bytes);
#endif
#ifdef __x86_64__
    emulator_fiber_switch(&host_place, to->place);
#else
    swapcontext(&host_place, &to->place);
#endif
    arrived(host_sanitizer, NULL, NULL);
}

void fiber_leave(void)
{
    fiber *self = current;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&self->sanitizer, host_stack, host_bytes);
#endif
#ifdef __x86_64__
    emulator_fiber_switch(&self->place, host_place);
#else
    swapcontext(&self->place, &host_place);
#endif
    arrived(self->sanitizer, &host_stack, &host_bytes);
}
