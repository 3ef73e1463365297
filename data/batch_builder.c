/* data/batch_builder.c: growable arrays that a judo_batch views. */
#include "data/batch_builder.h"

#include <stdlib.h>
#include <string.h>

#include "data/mrope_positions.h"

enum field {
    TOKENS,
    TEMPORAL,
    HEIGHT,
    WIDTH,
    SPANS,
    IMAGES,
    PIXELS,
    VISUAL_ROWS,
    TARGET_ROWS,
    TARGET_TOKENS,
    TARGET_WEIGHTS,
    TARGET_SEQUENCES,
    NUM_FIELDS
};

typedef struct array {
    void *data;
    int64_t capacity;
} array;

struct judo_batch_builder {
    const judo_image_processor *processor;
    size_t sizes[NUM_FIELDS]; /* bytes of one element; of PIXELS: those of a patch */
    array arrays[NUM_FIELDS];
    int64_t counts[NUM_FIELDS];
    int32_t num_sequences;
    array positions; /* [3, num_tokens], joined when the batch is viewed */
};

/* What a failed addition is taken back to. */
typedef struct snapshot {
    int64_t counts[NUM_FIELDS];
    int32_t num_sequences;
} snapshot;

static snapshot remember(const judo_batch_builder *b)
{
    snapshot s = {.num_sequences = b->num_sequences};
    memcpy(s.counts, b->counts, sizeof s.counts);
    return s;
}

static void take_back(judo_batch_builder *b, const snapshot *s)
{
    memcpy(b->counts, s->counts, sizeof s->counts);
    b->num_sequences = s->num_sequences;
}

static judo_status reserve(array *a, int64_t count, size_t size)
{
    if (count <= a->capacity) {
        return JUDO_OK;
    }
    int64_t capacity = count > 2 * a->capacity ? count : 2 * a->capacity;
    void *grown = realloc(a->data, (size_t)capacity * size);
    if (grown == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld batch elements of %zu bytes",
                         (long long)capacity, size);
    }
    a->data = grown;
    a->capacity = capacity;
    return JUDO_OK;
}

/* Room for `count` more elements; where they begin goes to `out`. Earlier pointers may move. */
static judo_status extend(judo_batch_builder *b, enum field field, int64_t count, void **out)
{
    int64_t total = b->counts[field] + count;
    if (total > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "a batch with more than %d elements in one array; make it smaller",
                         INT32_MAX);
    }
    JUDO_TRY(reserve(&b->arrays[field], total, b->sizes[field]));
    *out = (char *)b->arrays[field].data + (size_t)b->counts[field] * b->sizes[field];
    b->counts[field] = total;
    return JUDO_OK;
}

judo_status judo_batch_builder_create(const judo_image_processor *processor,
                                      judo_batch_builder **out)
{
    judo_batch_builder *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a batch builder");
    }
    b->processor = processor;
    for (int i = 0; i < NUM_FIELDS; i++) {
        b->sizes[i] = sizeof(int32_t);
    }
    b->sizes[SPANS] = sizeof(judo_attention_span);
    b->sizes[IMAGES] = sizeof(judo_image_grid);
    b->sizes[PIXELS] = (size_t)judo_image_processor_patch_bytes(processor);
    b->sizes[TARGET_WEIGHTS] = sizeof(float);
    *out = b;
    return JUDO_OK;
}

int64_t judo_batch_builder_bytes(const judo_image_processor *processor, int64_t tokens,
                                 int64_t patches)
{
    /* The token and its three positions, once by axis and once joined, and four of a target. */
    const int64_t bytes_of_token = (1 + 3 + 3 + 4) * (int64_t)sizeof(int32_t);
    /* The pixels, and the row of the merged token. */
    const int64_t bytes_of_patch =
        judo_image_processor_patch_bytes(processor) + (int64_t)sizeof(int32_t);
    return tokens * bytes_of_token + patches * bytes_of_patch;
}

void judo_batch_builder_destroy(judo_batch_builder **builder)
{
    if (*builder == NULL) {
        return;
    }
    for (int i = 0; i < NUM_FIELDS; i++) {
        free((*builder)->arrays[i].data);
    }
    free((*builder)->positions.data);
    free(*builder);
    *builder = NULL;
}

void judo_batch_builder_reset(judo_batch_builder *builder)
{
    memset(builder->counts, 0, sizeof builder->counts);
    builder->num_sequences = 0;
}

static judo_status append_tokens(judo_batch_builder *b, const int32_t *tokens, int32_t count)
{
    void *to = NULL;
    JUDO_TRY(extend(b, TOKENS, count, &to));
    if (count > 0) {
        memcpy(to, tokens, (size_t)count * sizeof *tokens);
    }
    return JUDO_OK;
}

static judo_status append_positions(judo_batch_builder *b, int32_t count,
                                    const judo_mrope_image *images, int32_t num_images,
                                    int32_t first, int32_t *next)
{
    void *t = NULL;
    void *h = NULL;
    void *w = NULL;
    JUDO_TRY(extend(b, TEMPORAL, count, &t));
    JUDO_TRY(extend(b, HEIGHT, count, &h));
    JUDO_TRY(extend(b, WIDTH, count, &w));
    return judo_mrope_positions(count, images, num_images, first, t, h, w, next);
}

static judo_status append_span(judo_batch_builder *b, judo_attention_span span)
{
    void *to = NULL;
    JUDO_TRY(extend(b, SPANS, 1, &to));
    memcpy(to, &span, sizeof span);
    return JUDO_OK;
}

/* `begin`: first token of the sequence in the batch. */
static judo_status append_image(judo_batch_builder *b, const judo_image *image, int32_t begin,
                                judo_mrope_image *place)
{
    int32_t merge = b->processor->merge_size;
    judo_image_grid grid = {.t = 1,
                            .first_patch = (int32_t)b->counts[PIXELS],
                            .first_visual = (int32_t)b->counts[VISUAL_ROWS]};
    JUDO_TRY(judo_image_processor_grid(b->processor, image, &grid.h, &grid.w));
    void *to = NULL;
    int64_t patches = (int64_t)grid.h * grid.w;
    JUDO_TRY(extend(b, PIXELS, patches, &to));
    memcpy(to, image->pixels, (size_t)patches * b->sizes[PIXELS]);
    JUDO_TRY(extend(b, IMAGES, 1, &to));
    memcpy(to, &grid, sizeof grid);
    place->rows = grid.h / merge;
    place->columns = grid.w / merge;
    int32_t visual = place->rows * place->columns;
    JUDO_TRY(extend(b, VISUAL_ROWS, visual, &to));
    int32_t *rows = to;
    for (int32_t i = 0; i < visual; i++) {
        rows[i] = begin + place->start + i;
    }
    return JUDO_OK;
}

/* Tokens, positions and images of one sequence; the position after it goes to `next`. */
static judo_status append_body(judo_batch_builder *b, const judo_sequence *s, int32_t *next)
{
    enum { MAX_IMAGES = 64 };

    if (s->num_tokens < 1 || s->first_target < 1 || s->first_target > s->num_tokens ||
        s->num_images < 0 || s->num_images > MAX_IMAGES) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a sequence of %d tokens with targets from %d and %d images (at most "
                         "%d) has no meaning",
                         s->num_tokens, s->first_target, s->num_images, MAX_IMAGES);
    }
    judo_mrope_image places[MAX_IMAGES];
    int32_t begin = (int32_t)b->counts[TOKENS];
    JUDO_TRY(append_tokens(b, s->tokens, s->num_tokens));
    for (int32_t i = 0; i < s->num_images; i++) {
        places[i].start = s->image_starts[i];
        JUDO_TRY(append_image(b, &s->images[i], begin, &places[i]));
    }
    return append_positions(b, s->num_tokens, places, s->num_images, 0, next);
}

/* tokens[i] is predicted by row first_row + i, but the first one by row `before`. */
static judo_status append_targets(judo_batch_builder *b, const int32_t *tokens, int32_t count,
                                  int32_t before, int32_t first_row, float weight)
{
    void *rows = NULL;
    void *predicted = NULL;
    void *weights = NULL;
    void *sequences = NULL;
    JUDO_TRY(extend(b, TARGET_ROWS, count, &rows));
    JUDO_TRY(extend(b, TARGET_TOKENS, count, &predicted));
    JUDO_TRY(extend(b, TARGET_WEIGHTS, count, &weights));
    JUDO_TRY(extend(b, TARGET_SEQUENCES, count, &sequences));
    for (int32_t i = 0; i < count; i++) {
        ((int32_t *)rows)[i] = i == 0 ? before : first_row + i - 1;
        ((int32_t *)predicted)[i] = tokens[i];
        ((float *)weights)[i] = weight;
        ((int32_t *)sequences)[i] = b->num_sequences;
    }
    b->num_sequences++;
    return JUDO_OK;
}

static judo_status add_sequence(judo_batch_builder *b, const judo_sequence *s)
{
    int32_t begin = (int32_t)b->counts[TOKENS];
    int32_t next = 0;
    JUDO_TRY(append_body(b, s, &next));
    JUDO_TRY(append_span(b, (judo_attention_span){
                                .begin = begin, .end = begin + s->num_tokens, .causal = true}));
    int32_t before = begin + s->first_target - 1;
    return append_targets(b, s->tokens + s->first_target, s->num_tokens - s->first_target,
                          before, before + 1, s->weight);
}

judo_status judo_batch_builder_add(judo_batch_builder *builder, const judo_sequence *sequence)
{
    snapshot before = remember(builder);
    judo_status status = add_sequence(builder, sequence);
    if (status != JUDO_OK) {
        take_back(builder, &before);
    }
    return status;
}

static judo_status append_completion(judo_batch_builder *b, const judo_completion *c,
                                     int32_t prompt_begin, int32_t prompt_end, int32_t position)
{
    if (c->num_tokens < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a completion of %d tokens has no meaning",
                         c->num_tokens);
    }
    int32_t begin = (int32_t)b->counts[TOKENS];
    int32_t next = 0;
    JUDO_TRY(append_tokens(b, c->tokens, c->num_tokens));
    JUDO_TRY(append_positions(b, c->num_tokens, NULL, 0, position, &next));
    if (c->num_tokens > 0) {
        JUDO_TRY(append_span(b, (judo_attention_span){.begin = begin,
                                                      .end = begin + c->num_tokens,
                                                      .prefix_begin = prompt_begin,
                                                      .prefix_end = prompt_end,
                                                      .causal = true}));
    }
    return append_targets(b, c->tokens, c->num_tokens, prompt_end - 1, begin, c->weight);
}

static judo_status add_group(judo_batch_builder *b, const judo_sequence *prompt,
                             const judo_completion *completions, int32_t n)
{
    if (prompt->first_target != prompt->num_tokens || n < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a group's prompt has no targets of its own (%d of %d tokens), and %d "
                         "completions",
                         prompt->first_target, prompt->num_tokens, n);
    }
    int32_t begin = (int32_t)b->counts[TOKENS];
    int32_t end = begin + prompt->num_tokens;
    int32_t next = 0;
    JUDO_TRY(append_body(b, prompt, &next));
    JUDO_TRY(append_span(b, (judo_attention_span){.begin = begin, .end = end, .causal = true}));
    for (int32_t i = 0; i < n; i++) {
        JUDO_TRY(append_completion(b, &completions[i], begin, end, next));
    }
    return JUDO_OK;
}

judo_status judo_batch_builder_add_group(judo_batch_builder *builder,
                                         const judo_sequence *prompt,
                                         const judo_completion *completions, int32_t n)
{
    snapshot before = remember(builder);
    judo_status status = add_group(builder, prompt, completions, n);
    if (status != JUDO_OK) {
        take_back(builder, &before);
    }
    return status;
}

judo_status judo_batch_builder_batch(judo_batch_builder *builder, judo_batch *view)
{
    const array *arrays = builder->arrays;
    const int64_t *counts = builder->counts;
    size_t tokens = (size_t)counts[TOKENS];
    JUDO_TRY(reserve(&builder->positions, 3 * counts[TOKENS], sizeof(int32_t)));
    int32_t *positions = builder->positions.data;
    for (size_t axis = 0; axis < 3 && tokens > 0; axis++) {
        memcpy(positions + axis * tokens, arrays[TEMPORAL + axis].data,
               tokens * sizeof *positions);
    }
    *view = (judo_batch){
        .num_tokens = (int32_t)counts[TOKENS],
        .tokens = arrays[TOKENS].data,
        .positions = positions,
        .num_spans = (int32_t)counts[SPANS],
        .spans = arrays[SPANS].data,
        .num_images = (int32_t)counts[IMAGES],
        .images = arrays[IMAGES].data,
        .num_patches = (int32_t)counts[PIXELS],
        .pixels = arrays[PIXELS].data,
        .patch_form = judo_image_processor_form(builder->processor),
        .num_visual = (int32_t)counts[VISUAL_ROWS],
        .visual_rows = arrays[VISUAL_ROWS].data,
        .num_targets = (int32_t)counts[TARGET_ROWS],
        .target_rows = arrays[TARGET_ROWS].data,
        .target_tokens = arrays[TARGET_TOKENS].data,
        .target_weights = arrays[TARGET_WEIGHTS].data,
        .target_sequences = arrays[TARGET_SEQUENCES].data,
        .num_sequences = builder->num_sequences,
    };
    return JUDO_OK;
}
