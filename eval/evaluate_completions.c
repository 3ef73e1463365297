/* eval/evaluate_completions.c: greedy completions of questions and segmentation requests, read
 * and scored. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/evaluate_state.h"
#include "runtime/log.h"

/* The samples that one call of the generator completes. */
typedef struct chunk {
    int32_t count;
    judo_sample *samples;            /* [batch] */
    judo_sample_sequence *sequences; /* [batch] */
    judo_text *texts;                /* [batch] */
    judo_completion_facts *facts;    /* [batch] */
    judo_reward_values *values;      /* [batch] */
    uint64_t *keys;                  /* [batch] */
} chunk;

static void chunk_free(chunk *c, int64_t batch)
{
    for (int64_t i = 0; i < batch; i++) {
        if (c->sequences) {
            judo_sample_sequence_free(&c->sequences[i]);
        }
        if (c->texts) {
            judo_text_free(&c->texts[i]);
        }
    }
    free(c->samples);
    free(c->sequences);
    free(c->texts);
    free(c->facts);
    free(c->values);
    free(c->keys);
}

static judo_status chunk_create(int64_t batch, chunk *c)
{
    size_t n = (size_t)batch;
    *c = (chunk){.samples = calloc(n, sizeof *c->samples),
                 .sequences = calloc(n, sizeof *c->sequences),
                 .texts = calloc(n, sizeof *c->texts),
                 .facts = calloc(n, sizeof *c->facts),
                 .values = calloc(n, sizeof *c->values),
                 .keys = calloc(n, sizeof *c->keys)};
    if (!c->samples || !c->sequences || !c->texts || !c->facts || !c->values || !c->keys) {
        chunk_free(c, batch);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld completions at once",
                         (long long)batch);
    }
    return JUDO_OK;
}

static judo_status complete(judo_evaluate_state *state, chunk *c)
{
    judo_evaluation *evaluation = state->evaluation;
    int32_t stops[] = {evaluation->specials.im_end, evaluation->specials.endoftext};
    judo_generate_options options = {
        .sampling = {.temperature = 0.0f, .top_p = 1.0f, .repetition_penalty = 1.0f},
        .max_new_tokens = (int32_t)evaluation->max_new_tokens,
        .stop_tokens = stops,
        .num_stop_tokens = 2,
        .banned = evaluation->banned,
        .logprob_temperature = 1.0f,
    };
    judo_batch batch;
    judo_batch_builder_reset(state->builder);
    for (int32_t i = 0; i < c->count; i++) {
        judo_sample_sequence_free(&c->sequences[i]);
        JUDO_TRY(judo_sample_sequence_build(&evaluation->text, evaluation->dataset,
                                            &c->samples[i], false, &c->sequences[i]));
        JUDO_TRY(judo_batch_builder_add(state->builder, &c->sequences[i].view));
        c->keys[i] = (uint64_t)c->samples[i].index;
    }
    JUDO_TRY(judo_batch_builder_batch(state->builder, &batch));
    state->generation.num_rows = c->count;
    return judo_generate(evaluation->model, evaluation->params, &batch, c->keys, 1, &options,
                         &state->generation);
}

static judo_status read_texts(judo_evaluate_state *state, chunk *c)
{
    const judo_generation *generation = &state->generation;
    for (int32_t i = 0; i < c->count; i++) {
        judo_text *text = &c->texts[i];
        const int32_t *tokens = generation->tokens + (int64_t)i * generation->max_new_tokens;
        judo_text_clear(text);
        JUDO_TRY(judo_tokenizer_decode(state->evaluation->text.tokenizer, tokens,
                                       generation->lengths[i], true, text));
        JUDO_TRY(judo_text_append(text, "", 1)); /* ends as a C string; not counted */
        text->length--;
        c->facts[i] = (judo_completion_facts){
            .text = text->bytes,
            .length = text->length,
            .tokens = tokens,
            .num_tokens = generation->lengths[i],
            .answer = c->samples[i].answer,
            .gold = c->samples[i].cells,
            .cosine = NAN,
            .rationale = c->samples[i].rationale[0] ? c->samples[i].rationale : NULL,
            .rationale_embedding = c->samples[i].rationale_embedding,
        };
        state->sums.completions += 1;
        state->sums.tokens += generation->lengths[i];
    }
    return judo_rewards_score_on(state->evaluation->scorer, &state->evaluation->rules, c->facts,
                                 c->count, state->evaluation->embedder, c->values);
}

static int dataset_number(const judo_eval_result *result, const char *name)
{
    int number = 0;
    while (number < result->num_datasets && strcmp(result->datasets[number], name) != 0) {
        number++;
    }
    return number;
}

static judo_status count_choice(judo_evaluate_state *state, const chunk *c, int32_t i,
                                char *predicted)
{
    const judo_sample *sample = &c->samples[i];
    judo_mmad_subtask subtask;
    judo_span text = {.text = c->texts[i].bytes, .length = c->texts[i].length};
    JUDO_TRY(judo_answer_read(state->evaluation->answer_mode, text, sample->options,
                              sample->num_options, predicted));
    JUDO_TRY(judo_mmad_subtask_of(sample->subtask, &subtask));
    judo_mmad_add(&state->result->counts, dataset_number(state->result, sample->dataset),
                  subtask, sample->is_normal, sample->answer, *predicted);
    for (int r = 0; r < JUDO_NUM_REWARDS; r++) {
        if (!isnan(c->values[i].value[r])) {
            state->sums.rewards[r] += c->values[i].value[r];
            state->sums.scored[r] += 1;
        }
    }
    state->sums.total += c->values[i].total;
    return JUDO_OK;
}

static judo_status count_chunk(judo_evaluate_state *state, judo_sample_kind kind,
                               const chunk *c, const bool *pictures)
{
    for (int32_t i = 0; i < c->count; i++) {
        char predicted = 0;
        if (kind == JUDO_SAMPLE_CHOICE) {
            state->sums.questions += 1;
            JUDO_TRY(count_choice(state, c, i, &predicted));
        }
        if (kind == JUDO_SAMPLE_SEGMENTATION || state->cells_from_choice) {
            judo_mmad_add_cells(&state->result->counts, c->values[i].cells_state,
                                &c->values[i].predicted, &c->samples[i].cells);
        }
        judo_evaluate_answer answer = {.sample = &c->samples[i],
                                       .completion = c->texts[i].bytes,
                                       .length = c->texts[i].length,
                                       .values = &c->values[i],
                                       .predicted = predicted,
                                       .with_picture = pictures[i]};
        JUDO_TRY(judo_evaluate_record(state, &answer));
    }
    return JUDO_OK;
}

static judo_status run_chunks(judo_evaluate_state *state, judo_sample_kind kind,
                              const int64_t *indices, int64_t count, chunk *c, bool *pictures)
{
    judo_evaluation *evaluation = state->evaluation;
    judo_progress progress;
    int64_t spacing = evaluation->num_examples > 0
                          ? (count + evaluation->num_examples - 1) / evaluation->num_examples
                          : 0;
    judo_progress_begin(&progress, kind == JUDO_SAMPLE_CHOICE ? "questions" : "segmentation",
                        "sample", count);
    for (int64_t next = evaluation->comm->rank; next < count;) {
        for (c->count = 0; c->count < evaluation->batch && next < count;
             next += evaluation->comm->size) {
            pictures[c->count] = spacing > 0 && next % spacing == 0;
            JUDO_TRY(
                judo_dataset_sample(evaluation->dataset, indices[next], &c->samples[c->count]));
            c->count++;
        }
        JUDO_TRY(complete(state, c));
        JUDO_TRY(read_texts(state, c));
        JUDO_TRY(count_chunk(state, kind, c, pictures));
        judo_progress_update(&progress, next < count ? next : count, NULL);
    }
    judo_progress_end(&progress);
    return JUDO_OK;
}

judo_status judo_evaluate_completions(judo_evaluate_state *state, judo_sample_kind kind,
                                      const int64_t *indices, int64_t count)
{
    chunk c;
    int64_t batch = state->evaluation->batch;
    JUDO_TRY(chunk_create(batch, &c));
    bool *pictures = calloc((size_t)batch, sizeof *pictures);
    judo_status status = pictures ? run_chunks(state, kind, indices, count, &c, pictures)
                                  : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for an evaluation");
    free(pictures);
    chunk_free(&c, batch);
    return status;
}
