/* tests/parity/filter/sft_loss.c: the supervised loss of a step on given logits. */
#include "stages/loss_scale.h"
#include "tests/parity/filter/filters.h"
#include "tests/parity/filter/logits_head.h"

static judo_status weigh(const judo_json *request, const char *source,
                         judo_normalization normalization, logits_head *head)
{
    const judo_json *lengths = judo_json_get(request, "lengths");
    for (int32_t i = 0; i < head->rows; i++) {
        int64_t length;
        JUDO_TRY(judo_json_as_int(judo_json_at(lengths, head->sequences[i]), source, &length));
        head->weights[i] = judo_sft_weight(normalization, (int32_t)length);
    }
    return JUDO_OK;
}

static judo_status answer_with(const judo_json *request, const char *source, logits_head *head,
                               judo_json_writer *answer)
{
    bool by_sample;
    judo_token_result result = {0};
    JUDO_TRY(logits_head_open(request, source, head));
    JUDO_TRY(judo_json_get_bool(request, "by_sample", source, &by_sample));
    judo_normalization normalization = by_sample ? JUDO_NORMALIZE_SAMPLE : JUDO_NORMALIZE_TOKEN;
    JUDO_TRY(weigh(request, source, normalization, head));
    int samples = judo_json_size(judo_json_get(request, "lengths"));
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL,
                            .scale =
                                1 / judo_sft_denominator(normalization, samples, head->rows),
                            .temperature = 1,
                            .weights = head->weights};
    JUDO_TRY(logits_head_run(head, &loss, true, &result));
    judo_json_begin_object(answer, NULL);
    judo_json_put_double(answer, "loss", result.loss);
    logits_head_put(answer, "logit_gradient", head->gradient.data,
                    (int64_t)head->rows * head->vocabulary);
    judo_json_end_object(answer);
    return JUDO_OK;
}

judo_status judo_parity_sft_loss_answer(void *context, const judo_json *request,
                                        const char *source, judo_json_writer *answer)
{
    (void)context;
    logits_head head = {0};
    judo_status status = answer_with(request, source, &head, answer);
    logits_head_close(&head);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, judo_parity_sft_loss_answer);
}

const judo_tool judo_parity_sft_loss = {
    .name = "sft_loss",
    .summary = "stages 1 and 2's loss and gradient on given logits",
    .help = "judo_parity sft_loss: the loss of a step on given logits\n\n"
            "  {\"by_sample\": true|false, \"lengths\": [targets of each sample],\n"
            "   \"logits\": [[..] of each target], \"targets\": [..]}\n"
            "  -> {\"loss\", \"logit_gradient\"}\n",
    .run = run,
};
