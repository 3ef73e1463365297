/* runtime/host_memory.h: how much memory this machine still has for this process.
 */
#ifndef JUDO_RUNTIME_HOST_MEMORY_H
#define JUDO_RUNTIME_HOST_MEMORY_H

#include <stdint.h>

/* Bytes that can be taken without swapping: the kernel's estimate (MemAvailable), or what the
 * control group's limit leaves where that is less. INT64_MAX if the kernel does not say. */
int64_t judo_host_memory_available(void);

#endif
