/* tests/stages/check_json.c: check_json FILE: exit code 0 if it is one JSON document. */
#include <stdio.h>

#include "runtime/json.h"

int main(int argc, char **argv)
{
    judo_json *document = NULL;
    if (argc != 2 || judo_json_load(argv[1], &document) != JUDO_OK) {
        (void)fprintf(stderr, "%s\n", argc == 2 ? judo_error_message() : "check_json FILE");
        return 1;
    }
    judo_json_free(&document);
    return 0;
}
