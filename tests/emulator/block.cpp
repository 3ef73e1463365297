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

struct warp {
    unsigned all, ready, at_barrier, done; /* sets of lanes; the others wait for their warp */
    unsigned arrived, mask;                /* those that wait, and those that are waited for */
    emulator_warp_work work;
    void *operands[EMULATOR_WARP];
    fiber *stacks[EMULATOR_WARP]; /* of threads that have begun */
};

/* The block that runs. */
struct {
    const emulator_shape *shape;
    const std::function<void()> *body;
    bool backward;
    int running; /* number of the thread that runs, or -1 */
    warp warps[EMULATOR_MOST_THREADS / EMULATOR_WARP];
    emulator_barrier_kind barrier;
    int waiting;  /* threads at the barrier */
    int any;      /* whether any of their predicates was not 0 */
    int last_any; /* the same of the barrier that was left last */
} block;

std::vector<fiber *> &idle_stacks = *new std::vector<fiber *>; /* for the process */

warp *own_warp(void)
{
    return &block.warps[block.running / EMULATOR_WARP];
}

unsigned own_lane(void)
{
    return 1u << block.running % EMULATOR_WARP;
}

/* What a fiber does, once per thread that it is lent to. */
void run_thread(void)
{
    (*block.body)();
    own_warp()->done |= own_lane();
    fiber_leave();
}

void resume(warp *w, int first, int lane)
{
    if (!w->stacks[lane]) {
        if (idle_stacks.empty()) {
            idle_stacks.push_back(fiber_create(run_thread));
        }
        w->stacks[lane] = idle_stacks.back();
        idle_stacks.pop_back();
    }
    block.running = first + lane;
    emulator_place.thread.x = (unsigned)(first + lane);
    w->ready &= ~(1u << lane);
    fiber_enter(w->stacks[lane]);
    if (w->done >> lane & 1u) {
        idle_stacks.push_back(w->stacks[lane]);
        w->stacks[lane] = NULL;
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
    warp *w = &block.warps[number];
    while (w->ready) {
        int lane = block.backward ? 31 - __builtin_clz(w->ready) : __builtin_ctz(w->ready);
        resume(w, number * EMULATOR_WARP, lane);
    }
    if (w->arrived) {
        emulator_fail("lanes %#x wait for lanes %#x of warp %d: of those %#x are at a barrier, "
                      "%#x done",
                      w->arrived, w->mask & ~w->arrived, number, w->at_barrier, w->done);
    }
}

/* All threads have stopped: either all are done, or all stand at one barrier. */
bool release_barrier(int warps)
{
    if (block.waiting == 0) {
        return false;
    }
    if (block.waiting < block.shape->threads) {
        emulator_fail("a barrier that %d of %d threads have reached; the others are done",
                      block.waiting, block.shape->threads);
    }
    block.last_any = block.any;
    block.waiting = 0;
    for (int i = 0; i < warps; i++) {
        block.warps[i].ready = block.warps[i].all;
        block.warps[i].at_barrier = 0;
    }
    return true;
}

void run_block(void)
{
    int threads = block.shape->threads;
    int warps = (threads + EMULATOR_WARP - 1) / EMULATOR_WARP;
    for (int i = 0; i < warps; i++) {
        warp *w = &block.warps[i];
        int lanes = threads - i * EMULATOR_WARP;
        w->all = lanes < EMULATOR_WARP ? (1u << lanes) - 1 : ~0u;
        w->ready = w->all;
        w->at_barrier = w->done = w->arrived = 0;
    }
    emulator_spoil_shared();
    do {
        for (int i = 0; i < warps; i++) {
            run_warp(in_order(i, warps));
        }
    } while (release_barrier(warps));
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
    own_warp()->at_barrier |= own_lane();
    fiber_leave();
    return block.last_any;
}

void emulator_warp_meets(emulator_warp_work work, unsigned mask, void *operand)
{
    warp *w = own_warp();
    unsigned own = own_lane();
    if ((mask & own) == 0) {
        emulator_fail("lane %d is not in its own mask %#x", block.running % EMULATOR_WARP,
                      mask);
    }
    if (w->arrived == 0) {
        w->work = work;
        w->mask = mask;
    }
    if (w->work != work || w->mask != mask) {
        emulator_fail("lanes of the warp are at different instructions (masks %#x and %#x)",
                      w->mask, mask);
    }
    w->operands[block.running % EMULATOR_WARP] = operand;
    w->arrived |= own;
    if (w->arrived != mask) {
        fiber_leave();
        return;
    }
    work(w->operands);
    w->arrived = 0;
    w->ready |= mask & ~own;
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
