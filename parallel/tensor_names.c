/* parallel/tensor_names.c: a sorted list of names. */
#include "parallel/tensor_names.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b, void *context)
{
    const judo_param_layout *layout = context;
    return strcmp(layout->params[*(const int *)a].name, layout->params[*(const int *)b].name);
}

judo_status judo_tensor_names_create(const judo_param_layout *layout, judo_tensor_names *out)
{
    size_t count = (size_t)layout->num_params;
    int *by_name = calloc(count + 1, sizeof *by_name);
    if (!by_name) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the names of %zu tensors", count);
    }
    for (int p = 0; p < layout->num_params; p++) {
        by_name[p] = p;
    }
    qsort_r(by_name, count, sizeof *by_name, compare_names, (void *)(uintptr_t)layout);
    *out = (judo_tensor_names){.layout = layout, .by_name = by_name};
    return JUDO_OK;
}

void judo_tensor_names_free(judo_tensor_names *names)
{
    free(names->by_name);
    *names = (judo_tensor_names){0};
}

int judo_tensor_names_find(const judo_tensor_names *names, const char *name)
{
    int low = 0;
    int high = names->layout->num_params;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(names->layout->params[names->by_name[middle]].name, name);
        if (order == 0) {
            return names->by_name[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}
