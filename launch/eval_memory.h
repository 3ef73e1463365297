/* launch/eval_memory.h: what an evaluation takes of a device with memory of its own. */
#ifndef JUDO_LAUNCH_EVAL_MEMORY_H
#define JUDO_LAUNCH_EVAL_MEMORY_H

#include "models/qwen25vl.h"

typedef struct judo_eval_memory {
    const judo_model *model; /* prepared, without its memory yet */
    judo_dtype dtype;
    const char *minilm; /* folder of the encoder; "": none */
    int64_t batch;      /* prompts completed at once */
    int64_t max_tokens; /* of one prompt */
    int64_t max_new_tokens;
} judo_eval_memory;

/* Takes the block of the pool that is the model's device; nothing on the CPU. JUDO_ERROR_MEMORY
 * with the table where it has no room. */
judo_status judo_eval_memory_reserve(const judo_eval_memory *memory) JUDO_MUST_CHECK;

#endif
