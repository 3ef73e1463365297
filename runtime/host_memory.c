/* runtime/host_memory.c: /proc/meminfo and the control group's limit.
 */
#include "runtime/host_memory.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t read_number(const char *path)
{
    int64_t value = -1;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%" SCNd64, &value) != 1) {
            value = -1; /* "max": no limit */
        }
        (void)fclose(file);
    }
    return value;
}

static int64_t kernel_estimate(void)
{
    char line[128];
    int64_t kilobytes = -1;
    FILE *file = fopen("/proc/meminfo", "re");
    if (file == NULL) {
        return INT64_MAX;
    }
    while (kilobytes < 0 && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %" SCNd64, &kilobytes) != 1) {
            kilobytes = -1;
        }
    }
    (void)fclose(file);
    return kilobytes >= 0 && kilobytes < INT64_MAX / 1024 ? kilobytes * 1024 : INT64_MAX;
}

int64_t judo_host_memory_available(void)
{
    static const char *const limits[][2] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
    };
    int64_t available = kernel_estimate();
    for (int i = 0; i < 2; i++) {
        int64_t limit = read_number(limits[i][0]);
        int64_t used = read_number(limits[i][1]);
        if (limit > 0 && used >= 0) {
            int64_t left = limit > used ? limit - used : 0;
            available = left < available ? left : available;
        }
    }
    return available;
}
