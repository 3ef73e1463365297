/* runtime/device_choice.h: the device that a program computes on, as users ask for it:
 * JUDO_DEVICE_CHOICES (runtime/device.h). */
#ifndef JUDO_RUNTIME_DEVICE_CHOICE_H
#define JUDO_RUNTIME_DEVICE_CHOICE_H

#include "runtime/device.h"

/* Names another module file than judo_device_open would look for. */
#define JUDO_DEVICE_MODULE_VARIABLE "JUDO_DEVICE_MODULE"

/* The choice that `text` names; JUDO_ERROR_ARGUMENT, saying that it came from `source`, unless
 * it is one of them. */
judo_status judo_device_parse(const char *text, const char *source,
                              judo_device_choice *out) JUDO_MUST_CHECK;

/* Opens the device for this process, which is number `local_rank` of those on its machine and
 * takes the GPU with that number, and logs what it is; where auto came to the CPU, the reason
 * is a line for debugging. Fails as judo_device_open does. Once per process; not collective. */
judo_status judo_device_choose(judo_device_choice choice, int local_rank,
                               const judo_device **device) JUDO_MUST_CHECK;

/* Both, for a program of one process. */
judo_status judo_device_choose_named(const char *text, const char *source,
                                     const judo_device **device) JUDO_MUST_CHECK;

#endif
