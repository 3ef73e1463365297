/* tests/emulator/fiber.h: stacks to switch between on one host thread. */
#ifndef JUDO_TESTS_EMULATOR_FIBER_H
#define JUDO_TESTS_EMULATOR_FIBER_H

#include <stddef.h>

typedef struct fiber fiber;

/* A fiber that calls `run` again and again; `run` has to leave with fiber_leave at its end. */
fiber *fiber_create(void (*run)(void));

/* From the host's stack: goes on in the fiber until it leaves. */
void fiber_enter(fiber *to);

/* From a fiber: back to where it was entered. */
void fiber_leave(void);

#endif
