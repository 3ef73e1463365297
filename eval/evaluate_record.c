/* eval/evaluate_record.c: one line and, for examples, one picture per completed sample. */
#include <stdio.h>

#include "eval/evaluate_state.h"
#include "eval/overlay.h"

static judo_status draw(judo_evaluate_state *state, const judo_evaluate_answer *answer,
                        const char *path)
{
    const judo_dataset *dataset = state->evaluation->dataset;
    judo_image picture = {0}, mask = {0}, overlay = {0};
    JUDO_TRY(judo_dataset_image(dataset, answer->sample->query_image, &picture));
    judo_status status = judo_dataset_mask(dataset, answer->sample->query_image, &mask);
    if (status == JUDO_OK) {
        status = judo_overlay_draw(&picture, mask.pixels ? &mask : NULL,
                                   &answer->values->predicted, &overlay);
    }
    if (status == JUDO_OK) {
        status = judo_image_write_png(path, &overlay);
    }
    judo_image_free(&picture);
    judo_image_free(&mask);
    judo_image_free(&overlay);
    return status;
}

static judo_status draw_template(judo_evaluate_state *state, const judo_sample *sample,
                                 const char *path)
{
    judo_image picture = {0};
    JUDO_TRY(judo_dataset_image(state->evaluation->dataset, sample->template_image, &picture));
    judo_status status = judo_image_write_png(path, &picture);
    judo_image_free(&picture);
    return status;
}

judo_status judo_evaluate_record(judo_evaluate_state *state, const judo_evaluate_answer *answer)
{
    const judo_sample *sample = answer->sample;
    char overlay[64] = "", normal[64] = "", path[1300], id[32];
    if (answer->with_picture && sample->query_image >= 0) {
        (void)snprintf(overlay, sizeof overlay, "overlays/%06lld.png",
                       (long long)sample->index);
        (void)snprintf(path, sizeof path, "%s/%s", state->evaluation->folder, overlay);
        JUDO_TRY(draw(state, answer, path));
    }
    if (answer->with_picture && sample->template_image >= 0) {
        (void)snprintf(normal, sizeof normal, "overlays/%06lld_normal.png",
                       (long long)sample->index);
        (void)snprintf(path, sizeof path, "%s/%s", state->evaluation->folder, normal);
        JUDO_TRY(draw_template(state, sample, path));
    }
    (void)snprintf(id, sizeof id, "%lld", (long long)sample->index);
    judo_eval_sample line = {
        .id = id,
        .dataset = sample->dataset,
        .category = sample->category,
        .subtask = sample->kind == JUDO_SAMPLE_SEGMENTATION ? "Segmentation" : sample->subtask,
        .question = sample->question,
        .options = sample->options,
        .num_options = sample->num_options,
        .answer = sample->answer,
        .predicted = answer->predicted,
        .completion = answer->completion,
        .gold_cells = &sample->cells,
        .rewards = sample->kind == JUDO_SAMPLE_CHOICE ? answer->values : NULL,
        .overlay = overlay[0] ? overlay : NULL,
        .template_image = normal[0] ? normal : NULL,
    };
    judo_json_writer w = {0};
    judo_status status = judo_eval_sample_write(&line, &w);
    if (status == JUDO_OK) {
        status = judo_text_append(&state->lines, w.text, w.length);
    }
    if (status == JUDO_OK) {
        status = judo_text_append(&state->lines, "\n", 1);
    }
    judo_json_writer_free(&w);
    return status;
}
