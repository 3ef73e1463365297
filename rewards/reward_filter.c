/* rewards/reward_filter.c: rewards from and to JSON. */
#include "rewards/reward_filter.h"

#include <math.h>
#include <string.h>

static judo_status read_answer(const judo_json *request, const char *source, char *answer)
{
    const char *text = NULL;
    const char *key = judo_json_get(request, "answer") != NULL ? "answer" : "reference";
    JUDO_TRY(judo_json_get_string(request, key, source, &text));
    if (strlen(text) != 1 || !judo_code_is_choice((unsigned char)text[0])) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: \"%s\" is \"%.20s\"; it must be a letter A-D",
                         source, key, text);
    }
    *answer = text[0];
    return JUDO_OK;
}

static judo_status read_facts(const judo_json *request, const char *source,
                              judo_completion_facts *facts)
{
    const char *cells = NULL;
    double cosine = NAN;
    JUDO_TRY(judo_json_get_string(request, "completion", source, &facts->text));
    facts->length = strlen(facts->text);
    JUDO_TRY(read_answer(request, source, &facts->answer));
    JUDO_TRY(judo_json_get_string_or(request, "cells", source, "", &cells));
    judo_cells_syntax syntax = {.en_dash = true};
    if (!judo_cells_read_list(judo_span_of(cells, strlen(cells)), syntax, &facts->gold)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: \"cells\" is \"%.60s\"; it must be a list of cells of a 16 x 16 "
                         "grid such as \"(3,7)-(3,8), (5,8)\" or \"None\"",
                         source, cells);
    }
    JUDO_TRY(judo_json_get_string_or(request, "rationale", source, NULL, &facts->rationale));
    JUDO_TRY(judo_json_get_double_or(request, "cosine", source, NAN, &cosine));
    facts->cosine = (float)cosine;
    return JUDO_OK;
}

static void write_code(judo_json_writer *writer, const char *key, uint32_t code)
{
    char letter[2] = {(char)code, '\0'};
    if (code == 0) {
        judo_json_put_null(writer, key);
    } else {
        judo_json_put_string(writer, key, code < 0x80 ? letter : "?");
    }
}

void judo_reward_values_write(const judo_reward_values *values, judo_json_writer *writer)
{
    static const char *const states[] = {"missing", "malformed", "read"};
    char cells[4096];
    judo_json_begin_object(writer, "rewards");
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        judo_json_put_double(writer, judo_rewards[i].name, values->value[i]);
    }
    judo_json_end_object(writer);
    judo_json_put_double(writer, "total", values->total);
    write_code(writer, "predicted_answer", values->predicted_answer);
    write_code(writer, "think_answer", values->think_answer);
    (void)judo_cells_format(&values->predicted, ", ", "None", cells, sizeof cells);
    judo_json_put_string(writer, "cells", cells);
    judo_json_put_string(writer, "cells_state", states[values->cells_state]);
    judo_json_put_float(writer, "cosine", values->cosine);
}

judo_status judo_reward_filter_row(const judo_reward_rules *rules,
                                   const judo_embedder *embedder, const judo_json *request,
                                   const char *source, judo_json_writer *writer)
{
    judo_completion_facts facts = {0};
    judo_reward_values values;
    JUDO_TRY(read_facts(request, source, &facts));
    JUDO_TRY(judo_rewards_score(rules, &facts, 1, embedder, &values));
    judo_json_begin_object(writer, NULL);
    const judo_json *id = judo_json_get(request, "id");
    if (judo_json_is_string(id)) {
        const char *text = NULL;
        JUDO_TRY(judo_json_get_string(request, "id", source, &text));
        judo_json_put_string(writer, "id", text);
    } else if (judo_json_is_number(id)) {
        double number = 0;
        JUDO_TRY(judo_json_get_double(request, "id", source, &number));
        judo_json_put_double(writer, "id", number);
    }
    judo_reward_values_write(&values, writer);
    judo_json_end_object(writer);
    return judo_json_writer_check(writer);
}
