/* tests/bench/process_memory.h: how much memory this process has, and had at most. */
#ifndef JUDO_TESTS_BENCH_PROCESS_MEMORY_H
#define JUDO_TESTS_BENCH_PROCESS_MEMORY_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A value in bytes of /proc/self/status; 0 where there is none. */
static inline int64_t process_bytes(const char *key)
{
    char line[256];
    long long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kilobytes = strtoll(line + strlen(key), NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kilobytes * 1024;
}

/* VmHWM begins anew. */
static inline void reset_peak(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)!write(file, "5", 1);
        (void)close(file);
    }
}

#endif
