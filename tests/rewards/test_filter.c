/* tests/rewards/test_filter.c: `judo reward` requests and responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "rewards/reward_filter.h"

static judo_status filter(const char *request, judo_json_writer *writer)
{
    judo_reward_config config =
        judo_reward_config_of(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE);
    judo_reward_rules rules;
    judo_json *document = NULL;
    JUDO_TRY(judo_reward_rules_resolve(&config, &rules));
    JUDO_TRY(judo_json_parse(request, strlen(request), "in:1", &document));
    judo_status status = judo_reward_filter_row(&rules, NULL, document, "in:1", writer);
    judo_json_free(&document);
    return status;
}

static void test_filter__answers_with_the_breakdown(void **state)
{
    (void)state;
    judo_json_writer writer = {0};
    assert_int_equal(filter("{\"id\": 7, \"completion\": \"<seg>(1,2)</seg><think>so it is "
                            "B.</think><answer>B</answer>\", \"answer\": \"B\", \"cells\": "
                            "\"(1,2)-(1,3)\", \"cosine\": 0.5}",
                            &writer),
                     JUDO_OK);
    assert_string_equal(
        writer.text,
        "{\"id\":7,\"rewards\":{\"choice\":1,\"format\":0.2,\"structure\":1,"
        "\"segmentation\":0.7333333333333334,\"domain\":0.05},\"total\":2.9833333333333334,"
        "\"predicted_answer\":\"B\",\"think_answer\":\"B\",\"cells\":\"(1,2)\","
        "\"cells_state\":\"read\",\"cosine\":0.5}");
    judo_json_writer_free(&writer);
}

static void test_filter__explains_bad_requests(void **state)
{
    (void)state;
    const char *requests[] = {
        "{}",
        "{\"completion\": 3, \"answer\": \"A\"}",
        "{\"completion\": \"\", \"answer\": \"Q\"}",
        "{\"completion\": \"\", \"answer\": \"AB\"}",
        "{\"completion\": \"\", \"answer\": \"A\", \"cells\": \"(0,1)\"}",
        "{\"completion\": \"\", \"answer\": \"A\", \"cosine\": \"x\"}",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        judo_json_writer writer = {0};
        assert_int_equal(filter(requests[i], &writer), JUDO_ERROR_FORMAT);
        judo_json_writer_free(&writer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter__answers_with_the_breakdown),
        cmocka_unit_test(test_filter__explains_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
