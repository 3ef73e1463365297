/* runtime/memory.c: what the kernel says about memory; large arrays. */
#include "runtime/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PATH_BYTES = 4096 };

static int64_t smaller_known(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t system_available(void)
{
    int64_t bytes = -1;
    char line[256];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && bytes < 0 && fgets(line, (int)sizeof line, file) != NULL) {
        static const char key[] = "MemAvailable:";
        if (strncmp(line, key, sizeof key - 1) == 0) {
            bytes = strtoll(line + sizeof key - 1, NULL, 10) * 1024;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return bytes;
}

/* The number in a control group's file; -1 for "max" and where there is none. */
static int64_t group_number(const char *group, const char *name)
{
    char path[PATH_BYTES + 64];
    char text[64] = "";
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return -1;
    }
    char *end = text;
    int64_t number = fgets(text, (int)sizeof text, file) ? strtoll(text, &end, 10) : -1;
    (void)fclose(file);
    return end != text ? number : -1;
}

/* The tightest of this process's group and those around it. */
static int64_t group_available(void)
{
    char line[PATH_BYTES] = "";
    int64_t least = -1;
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (file == NULL) {
        return -1;
    }
    const char *read = fgets(line, (int)sizeof line, file);
    (void)fclose(file);
    if (read == NULL || strncmp(line, "0::/", 4) != 0) {
        return -1;
    }
    char *group = line + 3;
    group[strcspn(group, "\n")] = '\0';
    for (char *slash; (slash = strrchr(group, '/')) != NULL; *slash = '\0') {
        int64_t limit = group_number(group, "memory.max");
        int64_t used = group_number(group, "memory.current");
        if (limit >= 0 && used >= 0) {
            least = smaller_known(least, limit > used ? limit - used : 0);
        }
    }
    return least;
}

int64_t judo_memory_available(void)
{
    return smaller_known(system_available(), group_available());
}

void *judo_memory_take(size_t bytes)
{
    enum { LINE = 64, HUGE_PAGE = 2 << 20 };

    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    if (bytes > SIZE_MAX - HUGE_PAGE) {
        return NULL;
    }
    size_t rounded = (bytes + LINE - 1) / LINE * LINE;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, rounded > 0 ? rounded : LINE) != 0) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE) { /* a wish: a kernel without huge pages serves ordinary ones */
        (void)madvise(memory, rounded / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    }
#endif
    return memory;
}
