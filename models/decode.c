/* models/decode.c: the blocks of models/block.h with cached keys and values. */
#include "models/decode.h"

#include <stdlib.h>

#include "models/decoder_block.h"
#include "models/model_state.h"

typedef struct step_buffers {
    judo_tensor angles;   /* [2 rows, head_dim/2]: cosines, then sines */
    judo_tensor cos, sin; /* its halves */
    judo_tensor x, y, normed;
    judo_block_saved saved;
} step_buffers;

static step_buffers take_buffers(judo_activation_arena *arena, const judo_model *model,
                                 int32_t rows)
{
    judo_dtype dtype = model->options.dtype;
    int64_t half = model->config.text.head_dim / 2;
    int64_t hidden = model->config.text.hidden_size;
    judo_tensor angles = judo_arena_take_2d(arena, JUDO_F32, 2 * (int64_t)rows, half);
    float *sines = angles.data ? (float *)angles.data + rows * half : NULL;
    return (step_buffers){
        .angles = angles,
        .cos = judo_tensor_2d(angles.data, JUDO_F32, rows, half),
        .sin = judo_tensor_2d(sines, JUDO_F32, rows, half),
        .x = judo_arena_take_2d(arena, dtype, rows, hidden),
        .y = judo_arena_take_2d(arena, dtype, rows, hidden),
        .normed = judo_arena_take_2d(arena, dtype, rows, hidden),
        .saved =
            judo_block_saved_take(arena, &model->decoder_shape, rows, dtype, JUDO_BLOCK_ALL),
    };
}

/* Lists of the host, buffers of the device. */
static judo_status allocate(judo_decoder *decoder)
{
    judo_activation_arena count = {0};
    (void)take_buffers(&count, decoder->model, decoder->max_rows);
    size_t rows = (size_t)decoder->max_rows + 1;
    decoder->tokens = calloc(rows, sizeof *decoder->tokens);
    decoder->angle_rows = calloc(2 * rows, sizeof *decoder->angle_rows);
    decoder->places = calloc(rows, sizeof *decoder->places);
    decoder->views = calloc(rows, sizeof *decoder->views);
    if (!decoder->tokens || !decoder->angle_rows || !decoder->places || !decoder->views) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to decode %d rows", decoder->max_rows);
    }
    return judo_arena_create(decoder->model->device, count.peak, &decoder->arena);
}

enum { STEPS_WORTH_PACKING = 8 };

int64_t judo_decoder_bytes(const judo_model *model, int32_t max_rows, int32_t num_steps)
{
    judo_activation_arena count = {0};
    (void)take_buffers(&count, model, max_rows);
    int64_t packed = num_steps >= STEPS_WORTH_PACKING
                         ? judo_packed_weights_bytes(model, model->options.dtype)
                         : 0;
    return count.peak + packed;
}

judo_status judo_decoder_create(judo_model *model, judo_params *params, judo_kv_cache *cache,
                                const judo_angle_table *angles, int32_t max_rows,
                                int32_t num_steps, judo_decoder *out)
{
    judo_decoder decoder = {.model = model,
                            .params = params,
                            .cache = cache,
                            .angles = angles,
                            .max_rows = max_rows};
    judo_status status = allocate(&decoder);
    if (status == JUDO_OK && num_steps >= STEPS_WORTH_PACKING) {
        status = judo_packed_weights_create(model, params, &decoder.packed);
    }
    if (status != JUDO_OK) {
        judo_decoder_destroy(&decoder);
        return status;
    }
    *out = decoder;
    return JUDO_OK;
}

/* The replay of steps of so many rows. It outlives the decoder: where the next one's memory
 * lies where this one's did, its steps are the same. */
static judo_status replay_of(judo_model *model, int32_t rows, judo_replay **out)
{
    if (rows >= model->num_replays) {
        judo_replay **grown =
            realloc(model->replays, ((size_t)rows + 1) * sizeof *model->replays);
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to decode %d rows", rows);
        }
        model->replays = grown;
        while (model->num_replays <= rows) {
            grown[model->num_replays++] = NULL;
        }
    }
    if (!model->replays[rows]) {
        JUDO_TRY(model->device->replay_create(&model->replays[rows]));
    }
    *out = model->replays[rows];
    return JUDO_OK;
}

void judo_model_forget_replays(judo_model *model)
{
    for (int32_t rows = 0; rows < model->num_replays; rows++) {
        if (model->replays[rows]) {
            model->device->replay_destroy(model->replays[rows]);
        }
    }
    free(model->replays);
    model->replays = NULL;
    model->num_replays = 0;
}

void judo_decoder_destroy(judo_decoder *decoder)
{
    judo_arena_destroy(&decoder->arena);
    judo_packed_weights_destroy(&decoder->packed);
    free(decoder->tokens);
    free(decoder->angle_rows);
    free(decoder->places);
    free(decoder->views);
    *decoder = (judo_decoder){0};
}

static judo_status acquire(judo_decoder *decoder, int unit, judo_unit_view *view)
{
    *view = (judo_unit_view){
        .layout = decoder->model->layout, .unit = unit, .packed = &decoder->packed};
    return decoder->params->ops->acquire(decoder->params, unit, -1, &view->weights);
}

static judo_status release(judo_decoder *decoder, int unit)
{
    return decoder->params->ops->release(decoder->params, unit);
}

/* The lists of a step besides the views of its layers. */
static void prepare(judo_decoder *decoder, const judo_decode_input *inputs, int32_t rows)
{
    for (int32_t i = 0; i < rows; i++) {
        const judo_decode_input *in = &inputs[i];
        decoder->tokens[i] = in->token;
        decoder->places[i] = judo_kv_cache_place(decoder->cache, in->row, in->index);
        decoder->angle_rows[i] = in->angle;
        decoder->angle_rows[rows + i] = (int32_t)decoder->angles->num_positions + in->angle;
    }
}

/* The rows' newest tokens, and the angles of their positions. */
static judo_status embed(judo_decoder *decoder, int32_t rows, const judo_draw_memory *drawn,
                         step_buffers *b)
{
    const judo_model *model = decoder->model;
    judo_unit_view view;
    JUDO_TRY(model->ops->gather_rows(&b->angles, &decoder->angles->angles, decoder->angle_rows,
                                     2 * (int64_t)rows));
    JUDO_TRY(acquire(decoder, model->units.embed, &view));
    judo_tensor table = judo_unit_weight(&view, JUDO_EMBED_TOKENS);
    JUDO_TRY(model->ops->gather_drawn_rows(&b->x, &table, drawn->draws, drawn->num_draws,
                                           decoder->tokens, rows));
    return release(decoder, model->units.embed);
}

/* What the rows' queries see in one layer. */
static void view_rows(judo_decoder *decoder, int layer, const judo_decode_input *inputs,
                      int32_t rows)
{
    for (int32_t i = 0; i < rows; i++) {
        const judo_decode_input *in = &inputs[i];
        decoder->views[i] = judo_kv_cache_row(decoder->cache, layer, in->prompt_begin,
                                              in->prompt_end, in->row, in->index + 1);
    }
}

static judo_status run_block(judo_decoder *decoder, int layer, const judo_decode_input *inputs,
                             int32_t rows, step_buffers *b)
{
    const judo_model *model = decoder->model;
    const judo_block_shape *shape = &model->decoder_shape;
    judo_compute compute = {.ops = model->ops};
    judo_unit_view view;
    int unit = model->units.first_decoder + layer;
    JUDO_TRY(acquire(decoder, unit, &view));
    judo_block_tensors weights = judo_decoder_block_weights(&view);
    b->saved.k = judo_kv_cache_keys(decoder->cache, layer);
    b->saved.v = judo_kv_cache_values(decoder->cache, layer);
    JUDO_TRY(judo_block_project(&compute, shape, &weights, &b->cos, &b->sin, &b->saved,
                                decoder->places, &b->x, layer > 0 ? &b->saved.middle : NULL));
    view_rows(decoder, layer, inputs, rows);
    JUDO_TRY(model->ops->attention_decode(&b->saved.attended, &b->saved.q, decoder->views,
                                          (int)shape->num_kv_heads,
                                          judo_block_attention_scale(shape)));
    JUDO_TRY(judo_block_finish(&compute, shape, &weights, &b->saved, &b->y, &b->x));
    judo_tensor swap = b->x;
    b->x = b->y;
    b->y = swap;
    return release(decoder, unit);
}

judo_status judo_decoder_logits(judo_decoder *decoder, judo_tensor *logits,
                                const judo_tensor *hidden)
{
    const judo_model *model = decoder->model;
    judo_unit_view view;
    int unit = judo_model_head_unit(model);
    JUDO_TRY(acquire(decoder, unit, &view));
    judo_tensor matrix = judo_model_head_matrix(model, &view);
    JUDO_TRY(model->ops->linear_forward(logits, hidden, &matrix, NULL));
    return release(decoder, unit);
}

static judo_status final_norm(judo_decoder *decoder, step_buffers *b)
{
    const judo_model *model = decoder->model;
    judo_unit_view view;
    JUDO_TRY(acquire(decoder, model->units.head, &view));
    judo_tensor norm = judo_unit_weight(&view, JUDO_HEAD_NORM);
    JUDO_TRY(model->ops->add_rmsnorm_forward(&b->normed, NULL, &b->x, &b->saved.middle, &norm,
                                             (float)model->config.text.rms_norm_eps));
    return release(decoder, model->units.head);
}

judo_status judo_decoder_draw(judo_decoder *decoder, const judo_decode_draw *draw,
                              judo_tensor *logits)
{
    return decoder->model->ops->sample(draw->memory, logits, draw->rows, draw->sampling,
                                       draw->logprob_temperature);
}

/* From tokens to the next ones, on the device alone. */
static judo_status run_step(judo_decoder *decoder, const judo_decode_input *inputs,
                            int32_t rows, step_buffers b, const judo_decode_draw *draw,
                            judo_tensor *logits)
{
    JUDO_TRY(embed(decoder, rows, draw->memory, &b));
    for (int layer = 0; layer < (int)decoder->model->config.text.num_layers; layer++) {
        JUDO_TRY(run_block(decoder, layer, inputs, rows, &b));
    }
    JUDO_TRY(final_norm(decoder, &b));
    JUDO_TRY(judo_decoder_logits(decoder, logits, &b.normed));
    return judo_decoder_draw(decoder, draw, logits);
}

/* The same as one run of work, which differs from step to step in its lists only. What fails
 * there is done again outside, where failures count; nothing has been drawn then, since drawing
 * comes last. */
static judo_status replay_step(judo_decoder *decoder, const judo_decode_input *inputs,
                               int32_t rows, const step_buffers *b,
                               const judo_decode_draw *draw, judo_tensor *logits, bool *done)
{
    const judo_device *device = decoder->model->device;
    judo_replay *replay = NULL;
    JUDO_TRY(replay_of(decoder->model, rows, &replay));
    JUDO_TRY(device->replay_begin(replay));
    judo_status status = run_step(decoder, inputs, rows, *b, draw, logits);
    if (status != JUDO_OK) {
        judo_error_clear();
    }
    return device->replay_end(replay, status == JUDO_OK, done);
}

judo_status judo_decoder_step(judo_decoder *decoder, const judo_decode_input *inputs,
                              int32_t num_rows, const judo_decode_draw *draw,
                              judo_tensor *logits)
{
    int64_t mark = judo_arena_mark(&decoder->arena);
    step_buffers b = take_buffers(&decoder->arena, decoder->model, num_rows);
    bool done = false;
    JUDO_TRY(judo_arena_check(&decoder->arena, "a decode step"));
    prepare(decoder, inputs, num_rows);
    if (decoder->model->device->replay_begin) {
        JUDO_TRY(replay_step(decoder, inputs, num_rows, &b, draw, logits, &done));
    }
    if (!done) {
        JUDO_TRY(run_step(decoder, inputs, num_rows, b, draw, logits));
    }
    judo_arena_release(&decoder->arena, mark);
    return JUDO_OK;
}
