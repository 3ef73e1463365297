/* tests/parity/filter/run.c: a command whose only option is where its requests come from. */
#include "tests/parity/filter/filters.h"

judo_status judo_parity_run(int argc, char **argv, judo_filter_answer answer)
{
    const char *input = NULL;
    int count;
    const judo_option options[] = {{"input", JUDO_OPTION_STRING, &input}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 1, 0, 0, NULL, &count));
    return judo_filter_run(input, answer, NULL);
}
