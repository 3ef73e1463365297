/* tests/emulator/block.cpp: see block.h. A thread runs until it has to wait for others or is
 * done; then the next one of its warp does, then the next warp. */
#include "tests/emulator/block.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "tests/emulator/fiber.h"
#include "tests/emulator/shared.h"

emulator_indices emulator_place;

namespace
{

enum state { READY, IN_WARP, IN_BARRIER, DONE };

const char *const state_names[] = {"ready", "waiting for its warp", "at a barrier", "done"};

struct thread {
    state at;
    fiber *stack; /* once it has begun */
};

struct warp {
    unsigned arrived, mask;
    emulator_warp_work work;
    void *operands[EMULATOR_WARP];
};

/* The block that runs. */
struct {
    const emulator_shape *shape;
    const std::function<void()> *body;
    bool backward;
    int running; /* number of the thread that runs, or -1 */
    thread threads[EMULATOR_MOST_THREADS];
    warp warps[EMULATOR_MOST_THREADS / EMULATOR_WARP];
    emulator_barrier_kind barrier;
    int waiting;  /* threads at the barrier */
    int any;      /* whether any of their predicates was not 0 */
    int last_any; /* the same of the barrier that was left last */
} block;

std::vector<fiber *> idle_stacks;

void set_place(int thread)
{
    block.running = thread;
    emulator_place.thread.x = (unsigned)thread;
}

/* What a fiber does, once per thread that it is lent to. */
void run_thread(void)
{
    (*block.body)();
    block.threads[block.running].at = DONE;
    fiber_leave();
}

void wait_as(state at)
{
    block.threads[block.running].at = at;
    fiber_leave();
}

void resume(int number)
{
    thread *t = &block.threads[number];
    if (!t->stack) {
        if (idle_stacks.empty()) {
            idle_stacks.push_back(fiber_create(run_thread));
        }
        t->stack = idle_stacks.back();
        idle_stacks.pop_back();
    }
    set_place(number);
    fiber_enter(t->stack);
    if (t->at == DONE) {
        idle_stacks.push_back(t->stack);
        t->stack = NULL;
    }
}

/* The i-th of `count` things in the order of this run. */
int in_order(int i, int count)
{
    return block.backward ? count - 1 - i : i;
}

/* Until none of the warp's threads can go on by itself. */
void run_warp(int number)
{
    int first = number * EMULATOR_WARP;
    int lanes = block.shape->threads - first;
    lanes = lanes < EMULATOR_WARP ? lanes : EMULATOR_WARP;
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < lanes; i++) {
            int thread = first + in_order(i, lanes);
            if (block.threads[thread].at == READY) {
                resume(thread);
                again = true;
            }
        }
    }
    for (int i = first; i < first + lanes; i++) {
        if (block.threads[i].at == IN_WARP) {
            set_place(i);
            const warp *w = &block.warps[number];
            emulator_fail("lanes %#x wait for lanes %#x of their warp, which are elsewhere",
                          w->arrived, w->mask & ~w->arrived);
        }
    }
}

/* All threads have stopped: either all are done, or all stand at one barrier. */
bool release_barrier(void)
{
    if (block.waiting == 0) {
        return false;
    }
    if (block.waiting < block.shape->threads) {
        emulator_fail(
            "a barrier that %d of %d threads have reached; thread 0 is %s, the last %s",
            block.waiting, block.shape->threads, state_names[block.threads[0].at],
            state_names[block.threads[block.shape->threads - 1].at]);
    }
    block.last_any = block.any;
    for (int i = 0; i < block.shape->threads; i++) {
        block.threads[i].at = READY;
    }
    return true;
}

void run_block(void)
{
    int threads = block.shape->threads;
    int warps = (threads + EMULATOR_WARP - 1) / EMULATOR_WARP;
    for (int i = 0; i < threads; i++) {
        block.threads[i].at = READY;
    }
    emulator_spoil_shared();
    do {
        block.waiting = 0;
        for (int i = 0; i < warps; i++) {
            run_warp(in_order(i, warps));
        }
    } while (release_barrier());
}

} // namespace

void emulator_run_grid(const emulator_shape *shape, const std::function<void()> &thread,
                       bool backward)
{
    const dim3 grid = shape->grid;
    const uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
    block.shape = shape;
    block.body = &thread;
    block.backward = backward;
    emulator_place.grid = grid;
    emulator_place.block_size = dim3((unsigned)shape->threads);
    emulator_place.thread = uint3{0, 0, 0};
    emulator_open_shared(shape->shared_bytes);
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t number = backward ? blocks - 1 - i : i;
        emulator_place.block.x = (unsigned)(number % grid.x);
        emulator_place.block.y = (unsigned)(number / grid.x % grid.y);
        emulator_place.block.z = (unsigned)(number / grid.x / grid.y);
        run_block();
    }
    block.shape = NULL;
}

int emulator_barrier(emulator_barrier_kind kind, int predicate)
{
    if (block.waiting == 0) {
        block.barrier = kind;
        block.any = 0;
    }
    if (block.barrier != kind) {
        emulator_fail("threads of the block stand at two kinds of barriers");
    }
    block.waiting++;
    block.any |= predicate != 0;
    wait_as(IN_BARRIER);
    return block.last_any;
}

void emulator_warp_meets(emulator_warp_work work, unsigned mask, void *operand)
{
    int first = block.running / EMULATOR_WARP * EMULATOR_WARP;
    int lane = block.running - first;
    warp *w = &block.warps[block.running / EMULATOR_WARP];
    if ((mask >> lane & 1u) == 0) {
        emulator_fail("lane %d is not in its own mask %#x", lane, mask);
    }
    if (w->arrived == 0) {
        w->work = work;
        w->mask = mask;
    }
    if (w->work != work || w->mask != mask) {
        emulator_fail("lanes of the warp are at different instructions (masks %#x and %#x)",
                      w->mask, mask);
    }
    w->operands[lane] = operand;
    w->arrived |= 1u << lane;
    if (w->arrived != mask) {
        wait_as(IN_WARP);
        return;
    }
    work(w->operands);
    w->arrived = 0;
    for (int i = 0; i < EMULATOR_WARP; i++) {
        if (mask >> i & 1u) {
            block.threads[first + i].at = READY;
        }
    }
}

namespace
{

struct shuffle_operand {
    uint64_t bits, result;
    int lanes;
};

void shuffle(void *const operands[EMULATOR_WARP])
{
    for (int lane = 0; lane < EMULATOR_WARP; lane++) {
        shuffle_operand *own = (shuffle_operand *)operands[lane];
        int from = lane ^ own->lanes;
        if (from < 0 || from >= EMULATOR_WARP) {
            emulator_fail("lane %d reads lane %d", lane, from);
        }
        own->result = ((const shuffle_operand *)operands[from])->bits;
    }
}

} // namespace

uint64_t emulator_shuffle_xor(unsigned mask, uint64_t bits, int lanes)
{
    if (mask != ~0u) {
        emulator_fail("a shuffle of lanes %#x; only whole warps are emulated", mask);
    }
    shuffle_operand operand = {bits, 0, lanes};
    emulator_warp_meets(shuffle, mask, &operand);
    return operand.result;
}

void emulator_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(NULL);
    (void)fprintf(stderr, "CUDA emulation: ");
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (block.shape) {
        const uint3 at = emulator_place.block;
        emulator_print_kernel(block.shape->kernel);
        (void)fprintf(stderr, "\n  block (%u,%u,%u), thread %d of %d", at.x, at.y, at.z,
                      block.running, block.shape->threads);
    }
    (void)fprintf(stderr, "\n");
    abort();
}
