/* runtime/memory.h: how much memory there is to take, and taking a lot of it. */
#ifndef JUDO_RUNTIME_MEMORY_H
#define JUDO_RUNTIME_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that the processes of this machine could take now without swapping (MemAvailable), or
 * what their control group (version 2) leaves if that is less. -1 if the system does not say.
 */
int64_t judo_memory_available(void);

/* Memory for large arrays, 64-byte aligned, not zeroed; free() it; NULL if there is none. Whole
 * huge pages are asked for where it has room for them: streaming through ordinary pages stops
 * at each for its address, which costs more than half of the bandwidth on virtual machines. */
void *judo_memory_take(size_t bytes);

#endif
