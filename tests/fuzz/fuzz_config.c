/* tests/fuzz/fuzz_config.c: a configuration that loads is printed as one that loads to the
 * same. */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/config.h"
#include "tests/fuzz/fuzz.h"

typedef struct sample {
    int64_t steps;
    double rate;
    bool shuffle;
    int precision;
    char name[JUDO_CONFIG_STRING_BYTES];
} sample;

static const judo_config_field fields[] = {
    {.key = "train.steps",
     .type = JUDO_CONFIG_INT,
     .offset = offsetof(sample, steps),
     .default_text = "1",
     .aliases = "max_steps"},
    {.key = "train.rate",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(sample, rate),
     .default_text = "1e-5"},
    {.key = "shuffle",
     .type = JUDO_CONFIG_BOOL,
     .offset = offsetof(sample, shuffle),
     .default_text = "true"},
    {.key = "precision",
     .type = JUDO_CONFIG_CHOICE,
     .offset = offsetof(sample, precision),
     .default_text = "fp32",
     .choices = "fp32|bf16"},
    {.key = "a.b.name",
     .type = JUDO_CONFIG_STRING,
     .offset = offsetof(sample, name),
     .default_text = ""},
    {.key = NULL},
};
static const judo_config_field *const parts[] = {fields};
static const judo_config_table table = {.parts = parts, .num_parts = 1};

const fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("train:\n  steps: 5\n  rate: 2.5e-3\nshuffle: false\na: {b: {name: x}}\n"),
    FUZZ_SEED("a.b.name: \"q\\n\\u00e9 $${x} \\\" # \"\nprecision: bf16\n"),
    FUZZ_SEED("# c\na:\n  b:\n    name: |\n      block\n      text\nmax_steps: -3\n"),
    FUZZ_SEED("a.b.name: 'it''s'\n"),
    FUZZ_SEED("? train.steps\n: 7\n"),
    {NULL, 0},
};

static judo_status load_bytes(const void *data, size_t size, sample *out)
{
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(descriptor >= 0 && write(descriptor, data, size) == (ssize_t)size);
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    judo_status status = judo_config_load(out, &table, path, NULL, 0);
    (void)close(descriptor);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sample first;
    static sample second;
    if (load_bytes(data, size, &first) != JUDO_OK) {
        return 0;
    }
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    FUZZ_CHECK(out != NULL && judo_config_print(out, &first, &table) == JUDO_OK);
    FUZZ_CHECK(fclose(out) == 0);
    FUZZ_CHECK(load_bytes(text, length, &second) == JUDO_OK);
    FUZZ_CHECK(first.steps == second.steps && first.shuffle == second.shuffle &&
               first.precision == second.precision &&
               memcmp(&first.rate, &second.rate, sizeof first.rate) == 0 &&
               strcmp(first.name, second.name) == 0);
    free(text);
    return 0;
}
