/* eval/eval_sample.c: one line of samples.jsonl. */
#include "eval/eval_result.h"

static void put_optional(judo_json_writer *writer, const char *key, const char *text)
{
    if (text != NULL) {
        judo_json_put_string(writer, key, text);
    }
}

judo_status judo_eval_sample_write(const judo_eval_sample *sample, judo_json_writer *writer)
{
    char letter[2] = {0};
    char cells[4096];
    judo_json_begin_object(writer, NULL);
    put_optional(writer, "id", sample->id);
    put_optional(writer, "dataset", sample->dataset);
    put_optional(writer, "category", sample->category);
    put_optional(writer, "subtask", sample->subtask);
    put_optional(writer, "question", sample->question);
    judo_json_begin_object(writer, "options");
    for (int i = 0; i < sample->num_options; i++) {
        letter[0] = (char)('A' + i);
        judo_json_put_string(writer, letter, sample->options[i]);
    }
    judo_json_end_object(writer);
    letter[0] = sample->answer;
    judo_json_put_string(writer, "answer", letter);
    letter[0] = sample->predicted;
    judo_json_put_string(writer, "predicted", letter);
    judo_json_put_string(writer, "completion", sample->completion);
    if (sample->gold_cells != NULL) {
        (void)judo_cells_format(sample->gold_cells, ", ", "None", cells, sizeof cells);
        judo_json_put_string(writer, "gold_cells", cells);
    }
    if (sample->rewards != NULL) {
        judo_reward_values_write(sample->rewards, writer);
    }
    put_optional(writer, "overlay", sample->overlay);
    put_optional(writer, "template_image", sample->template_image);
    judo_json_end_object(writer);
    return judo_json_writer_check(writer);
}
