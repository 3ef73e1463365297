/* tests/parity/filter/advantages.c: advantages of given rewards. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/advantage.h"
#include "tests/parity/filter/filters.h"
#include "tests/parity/filter/logits_head.h"

static judo_status scale_of(const judo_json *request, const char *source,
                            judo_advantage_scale *out)
{
    const char *name;
    JUDO_TRY(judo_json_get_string(request, "scale", source, &name));
    *out = strcmp(name, "group") == 0   ? JUDO_ADVANTAGE_GROUP
           : strcmp(name, "batch") == 0 ? JUDO_ADVANTAGE_BATCH
                                        : JUDO_ADVANTAGE_NONE;
    return JUDO_OK;
}

static judo_status answer_with(const judo_json *request, const char *source, double *rewards,
                               float *advantages, judo_json_writer *answer)
{
    int64_t size, count = 0;
    judo_advantage_scale scale;
    JUDO_TRY(judo_json_get_int(request, "group_size", source, &size));
    JUDO_TRY(scale_of(request, source, &scale));
    const judo_json *item = judo_json_first(judo_json_get(request, "rewards"));
    for (; item; item = judo_json_next(item), count++) {
        rewards[count] = NAN;
        if (!judo_json_is_null(item)) {
            JUDO_TRY(judo_json_as_double(item, source, &rewards[count]));
        }
    }
    if (size < 1 || count % size != 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %lld rewards in groups of %lld", source,
                         (long long)count, (long long)size);
    }
    JUDO_TRY(judo_group_advantages(rewards, count / size, size, scale, JUDO_ADVANTAGE_EPSILON,
                                   NAN, advantages, NULL));
    judo_json_begin_object(answer, NULL);
    logits_head_put(answer, "advantages", advantages, count);
    judo_json_end_object(answer);
    return JUDO_OK;
}

judo_status judo_parity_advantages_answer(void *context, const judo_json *request,
                                          const char *source, judo_json_writer *answer)
{
    (void)context;
    size_t count = (size_t)judo_json_size(judo_json_get(request, "rewards")) + 1;
    double *rewards = calloc(count, sizeof *rewards);
    float *advantages = calloc(count, sizeof *advantages);
    judo_status status = rewards && advantages
                             ? answer_with(request, source, rewards, advantages, answer)
                             : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %zu rewards", count);
    free(rewards);
    free(advantages);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, judo_parity_advantages_answer);
}

const judo_tool judo_parity_advantages = {
    .name = "advantages",
    .summary = "advantages of given rewards",
    .help = "judo_parity advantages: from rewards to advantages\n\n"
            "  {\"rewards\": [x|null ..], \"group_size\": G, \"scale\": group|batch|none}\n"
            "  -> {\"advantages\": [..]}\n",
    .run = run,
};
