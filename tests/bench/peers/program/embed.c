/* tests/bench/peers/program/embed.c: sentence embeddings as the domain reward asks for them. */
#include <stdlib.h>

#include "rewards/text_embedder.h"
#include "runtime/dtype_choice.h"
#include "runtime/log.h"
#include "tests/bench/peers/program/commands.h"

typedef struct embedding {
    judo_peer_texts texts;
    judo_text_embedder *embedder;
    float *rows; /* [texts, JUDO_MINILM_WIDTH] */
} embedding;

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    embedding *self = context;
    (void)request;
    (void)source;
    double begin = judo_clock();
    JUDO_TRY(judo_text_embedder_embed(self->embedder, self->texts.texts, self->texts.lengths,
                                      self->texts.count, self->rows));
    double seconds = judo_clock() - begin;
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "embed", seconds);
    judo_json_begin_array(answer, "outcome");
    for (int i = 0; i < JUDO_MINILM_WIDTH; i++) {
        judo_json_put_float(answer, NULL, self->rows[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status open_embedding(embedding *self, const char *const places[2],
                                  judo_dtype dtype)
{
    JUDO_TRY(judo_peer_texts_read(places[1], &self->texts));
    self->rows =
        calloc(((size_t)self->texts.count + 1) * JUDO_MINILM_WIDTH, sizeof *self->rows);
    if (!self->rows) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d embeddings", self->texts.count);
    }
    return judo_text_embedder_open(places[0], dtype, judo_device_cpu(), &self->embedder);
}

static judo_status run(int argc, char **argv)
{
    const char *places[2], *dtype_name = "f32";
    int count;
    judo_dtype dtype;
    embedding self = {0};
    const judo_option options[] = {{"dtype", JUDO_OPTION_STRING, &dtype_name}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 1, 2, 2, places, &count));
    JUDO_TRY(judo_dtype_parse(dtype_name, "--dtype", &dtype));
    judo_status status = open_embedding(&self, places, dtype);
    if (status == JUDO_OK) {
        status = judo_filter_run(NULL, answer_request, &self);
    }
    judo_text_embedder_close(&self.embedder);
    judo_peer_texts_free(&self.texts);
    free(self.rows);
    return status;
}

const judo_tool judo_peer_embed = {
    .name = "embed",
    .summary = "sentence embeddings",
    .help = "judo_bench_peer embed MINILM_DIR TEXTS.jsonl [--dtype f32|bf16]\n\n"
            "  {}  ->  {\"embed\": seconds for all texts, \"outcome\": the first embedding}\n",
    .run = run,
};
