/* models/model_state.h: inside of judo_model, shared by the files that run its passes. */
#ifndef JUDO_MODELS_MODEL_STATE_H
#define JUDO_MODELS_MODEL_STATE_H

#include "models/activation_plan.h"
#include "models/input_staging.h"
#include "models/qwen25vl.h"
#include "models/schedule.h"

struct judo_model {
    judo_qwen_config config;
    judo_model_options options;
    judo_qwen_units units;
    judo_reach reach;
    judo_block_shape vision_shape, decoder_shape;
    const judo_device *device;
    const judo_ops *ops; /* the device's */
    const uint8_t *banned;
    judo_param_layout *layout;
    judo_schedule forward, training;
    judo_activation_bytes planned;
    judo_activation_arena arena, lists; /* of the device, of the host */
    judo_input_staging staging;
    judo_activations activations;
    judo_replay **replays; /* [num_replays]: decode steps of so many rows; NULL: not met yet */
    int32_t num_replays;
};

/* decode.c: before the model goes. */
void judo_model_forget_replays(judo_model *model);

enum { JUDO_PASS_MAX_HELD = 2 };

/* One pass over one batch. */
typedef struct judo_pass {
    judo_model *model;
    judo_compute compute;
    judo_params *params;
    const judo_batch *batch;
    bool backward;
    judo_activation_options options; /* of this pass */
    const int *schedule;
    int schedule_length, cursor;
    int held[JUDO_PASS_MAX_HELD]; /* units acquired now */
    int num_held;
    double acquired[JUDO_PASS_MAX_HELD]; /* when, on judo_clock() */
} judo_pass;

/* Acquires the unit, which must be the schedule's next, and hints at the one after it. */
judo_status judo_pass_acquire(judo_pass *pass, int unit, judo_unit_view *view) JUDO_MUST_CHECK;
judo_status judo_pass_release(judo_pass *pass, int unit) JUDO_MUST_CHECK;
/* Borrow and hand in the gradient of the view's unit; nothing happens for a frozen unit. */
judo_status judo_pass_gradient_begin(judo_pass *pass, judo_unit_view *view) JUDO_MUST_CHECK;
judo_status judo_pass_gradient_end(judo_pass *pass, judo_unit_view *view) JUDO_MUST_CHECK;
/* Gives back what a failed pass still holds. */
void judo_pass_abandon(judo_pass *pass);

/* vision_pass.c: patches to visual rows, and back. */
judo_status judo_vision_forward(judo_pass *pass) JUDO_MUST_CHECK;
judo_status judo_vision_backward(judo_pass *pass) JUDO_MUST_CHECK;

/* text_pass.c: embedding with the visual rows spliced in, the decoder, and back. */
judo_status judo_embed_forward(judo_pass *pass) JUDO_MUST_CHECK;
judo_status judo_decoder_forward(judo_pass *pass, const judo_kv_sink *sink) JUDO_MUST_CHECK;
judo_status judo_decoder_backward(judo_pass *pass) JUDO_MUST_CHECK;
judo_status judo_embed_backward(judo_pass *pass) JUDO_MUST_CHECK;

/* head_pass.c: final norm, head and loss, and the gradient that enters the decoder. */
judo_status judo_head_run(judo_pass *pass, const judo_token_loss *loss,
                          judo_token_result *result) JUDO_MUST_CHECK;
judo_status judo_head_norm_rows(judo_pass *pass, const int32_t *rows, int32_t num_rows,
                                judo_tensor *hidden) JUDO_MUST_CHECK;

#endif
