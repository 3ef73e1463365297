/* runtime/memory.h: how much memory there is to take. */
#ifndef JUDO_RUNTIME_MEMORY_H
#define JUDO_RUNTIME_MEMORY_H

#include <stdint.h>

/* Bytes that the processes of this machine could take now without swapping (MemAvailable), or
 * what their control group (version 2) leaves if that is less. -1 if the system does not say.
 */
int64_t judo_memory_available(void);

#endif
