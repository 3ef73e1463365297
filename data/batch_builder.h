/* data/batch_builder.h: packing sequences and groups into a judo_batch. Memory grows to what
 * the largest batch needs and is kept over resets. */
#ifndef JUDO_DATA_BATCH_BUILDER_H
#define JUDO_DATA_BATCH_BUILDER_H

#include "data/image_processor.h"
#include "runtime/batch.h"

/* One sequence on its own. Everything is borrowed for the call. */
typedef struct judo_sequence {
    const int32_t *tokens;
    int32_t num_tokens; /* 1 or more */
    int32_t
        first_target; /* tokens[first_target..) are predicted; 1 or more, num_tokens: none */
    float weight;     /* of each target's loss */
    int32_t num_images;
    const judo_image *images;    /* RGB at processed size */
    const int32_t *image_starts; /* token where each image's placeholders begin, in order */
} judo_sequence;

/* One answer to a shared prompt; all its tokens are targets. */
typedef struct judo_completion {
    const int32_t *tokens;
    int32_t num_tokens; /* 0 is allowed: a sequence without targets */
    float weight;
} judo_completion;

typedef struct judo_batch_builder judo_batch_builder;

/* The processor is borrowed until the builder is destroyed. */
judo_status judo_batch_builder_create(const judo_image_processor *processor,
                                      judo_batch_builder **out) JUDO_MUST_CHECK;
void judo_batch_builder_destroy(judo_batch_builder **builder);

/* Bytes of a batch of so many tokens, all of them targets, and patches; spans and images, which
 * are few, do not count. */
int64_t judo_batch_builder_bytes(const judo_image_processor *processor, int64_t tokens,
                                 int64_t patches);

/* Empties the batch. */
void judo_batch_builder_reset(judo_batch_builder *builder);

/* Appends one sequence: one causal span. A failure leaves the batch as it was. */
judo_status judo_batch_builder_add(judo_batch_builder *builder,
                                   const judo_sequence *sequence) JUDO_MUST_CHECK;

/* Appends [prompt | c1 | .. | cn]: each completion sees the prompt and itself, with positions
 * that go on where the prompt ends. A completion's first token is predicted by the prompt's
 * last row, the others by the row before them; targets are ordered by completion. The prompt's
 * first_target must be its num_tokens. Counts n sequences. A failure leaves the batch as it
 * was. */
judo_status judo_batch_builder_add_group(judo_batch_builder *builder,
                                         const judo_sequence *prompt,
                                         const judo_completion *completions,
                                         int32_t n) JUDO_MUST_CHECK;

/* A view of what was added; valid until the next call on the builder. */
judo_status judo_batch_builder_batch(judo_batch_builder *builder,
                                     judo_batch *view) JUDO_MUST_CHECK;

#endif
