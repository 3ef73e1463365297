/* tests/bench/peers/program/tokenize.c: texts to ids, in one call and on the loader's threads.
 */
#include "data/loader.h"
#include "runtime/log.h"
#include "tests/bench/peers/program/commands.h"

enum { TEXTS_PER_TICKET = 16 };

typedef struct tokenizing {
    judo_peer_texts texts;
    judo_tokenizer *tokenizer;
    judo_image_processor processor; /* the loader's builders want one; no picture comes */
    judo_ids ids;
    int64_t threads;
} tokenizing;

static judo_status add_text(const tokenizing *self, int32_t text, judo_batch_builder *builder,
                            judo_ids *ids)
{
    judo_ids_clear(ids);
    JUDO_TRY(judo_tokenizer_encode(self->tokenizer, self->texts.texts[text],
                                   self->texts.lengths[text], true, ids));
    judo_sequence sequence = {.tokens = ids->ids,
                              .num_tokens = (int32_t)ids->count,
                              .first_target = (int32_t)ids->count};
    return judo_batch_builder_add(builder, &sequence);
}

static judo_status build(void *context, int64_t ticket, judo_batch_builder *builder)
{
    const tokenizing *self = context;
    judo_ids ids = {0};
    judo_status status = JUDO_OK;
    for (int64_t i = ticket * TEXTS_PER_TICKET;
         i < (ticket + 1) * TEXTS_PER_TICKET && i < self->texts.count && status == JUDO_OK;
         i++) {
        status = add_text(self, (int32_t)i, builder, &ids);
    }
    judo_ids_free(&ids);
    return status;
}

static judo_status encode_batch(tokenizing *self, double *seconds, int64_t *count)
{
    judo_loader *loader = NULL;
    int64_t tickets = (self->texts.count + TEXTS_PER_TICKET - 1) / TEXTS_PER_TICKET;
    judo_loader_options options = {.processor = &self->processor,
                                   .build = build,
                                   .context = self,
                                   .num_threads = (int)self->threads,
                                   .num_slots = 4 * (int)self->threads,
                                   .end_ticket = tickets};
    double begin = judo_clock();
    JUDO_TRY(judo_loader_open(&options, &loader));
    judo_status status = JUDO_OK;
    for (int64_t i = 0; i < tickets && status == JUDO_OK; i++) {
        judo_batch_builder *builder;
        judo_batch batch = {0};
        status = judo_loader_next(loader, &builder);
        if (status == JUDO_OK) {
            status = judo_batch_builder_batch(builder, &batch);
        }
        *count += batch.num_tokens;
    }
    *seconds = judo_clock() - begin;
    judo_loader_close(&loader);
    return status;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    tokenizing *self = context;
    double batch_seconds = 0;
    int64_t batch_count = 0;
    (void)request;
    (void)source;
    double begin = judo_clock();
    judo_ids_clear(&self->ids);
    JUDO_TRY(judo_tokenizer_encode(self->tokenizer, self->texts.all.bytes,
                                   self->texts.all.length, true, &self->ids));
    double seconds = judo_clock() - begin;
    JUDO_TRY(encode_batch(self, &batch_seconds, &batch_count));
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "single", seconds);
    judo_json_put_double(answer, "batch", batch_seconds);
    judo_json_begin_array(answer, "outcome");
    judo_json_put_int(answer, NULL, self->ids.count);
    judo_json_put_int(answer, NULL, batch_count);
    judo_json_end_array(answer);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    const char *places[2];
    int count;
    tokenizing self = {.threads = 2};
    const judo_option options[] = {{"threads", JUDO_OPTION_INT, &self.threads}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 1, 2, 2, places, &count));
    judo_image_processor_defaults(&self.processor);
    JUDO_TRY(judo_image_processor_prepare(&self.processor));
    JUDO_TRY(judo_tokenizer_open(places[0], &self.tokenizer));
    judo_status status = judo_peer_texts_read(places[1], &self.texts);
    if (status == JUDO_OK) {
        status = judo_filter_run(NULL, answer_request, &self);
    }
    judo_ids_free(&self.ids);
    judo_peer_texts_free(&self.texts);
    judo_tokenizer_close(&self.tokenizer);
    return status;
}

const judo_tool judo_peer_tokenize = {
    .name = "tokenize",
    .summary = "texts to ids",
    .help = "judo_bench_peer tokenize TOKENIZER_DIR TEXTS.jsonl [--threads N]\n\n"
            "  {}  ->  {\"single\": seconds for all texts as one, \"batch\": for each on N "
            "threads,\n"
            "          \"outcome\": [number of ids, twice]}\n",
    .run = run,
};
