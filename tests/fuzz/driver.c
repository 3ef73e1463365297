/* tests/fuzz/driver.c: mutates the seeds a given number of times, always the same way.
 * Usage: fuzz_NAME ITERATIONS [FIRST]: the number of a failure is printed, FIRST repeats it. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime/random.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_INPUT_BYTES = 4096 };

static volatile sig_atomic_t iteration;

static void tell_iteration(int number)
{
    char text[64];
    int length = snprintf(text, sizeof text, "fuzz: failed in iteration %d\n", (int)iteration);
    (void)!write(STDERR_FILENO, text, (size_t)length);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

typedef struct dice {
    uint64_t iteration;
    uint32_t draws;
} dice;

static uint32_t roll(dice *d, size_t bound)
{
    return judo_random_below(1, JUDO_STREAM_TEST, d->iteration, d->draws++, 0, (uint32_t)bound);
}

typedef struct input {
    uint8_t bytes[MAX_INPUT_BYTES];
    size_t length;
} input;

/* Replaces [at, at + removed) by `inserted` bytes; nothing if that would be too long. */
static void splice(input *in, size_t at, size_t removed, const void *inserted, size_t bytes)
{
    if (in->length - removed + bytes > MAX_INPUT_BYTES) {
        return;
    }
    uint8_t copy[MAX_INPUT_BYTES];
    memcpy(copy, inserted, bytes);
    memmove(in->bytes + at + bytes, in->bytes + at + removed, in->length - at - removed);
    memcpy(in->bytes + at, copy, bytes);
    in->length += bytes - removed;
}

static void mutate(input *in, dice *d)
{
    static const char *const words[] = {
        "{",          "}",        "[",    "]",    "\"",    ":",
        ",",          "0",        "-1",   "null", "1e999", "\\u0000",
        "\xff",       "\n",       "${A}", "&a ",  "  ",    "9223372036854775808",
        "4294967296", "\xc3\xa9", "'",    "!",
    };
    size_t at = roll(d, in->length + 1);
    size_t run = roll(d, 16);
    run = run > in->length - at ? in->length - at : run;
    const char *word = words[roll(d, sizeof words / sizeof words[0])];
    switch (roll(d, 6)) {
    case 0:
        if (run > 0) {
            in->bytes[at] ^= (uint8_t)(1u << roll(d, 8));
        }
        break;
    case 1:
        if (run > 0) {
            in->bytes[at] = (uint8_t)roll(d, 256);
        }
        break;
    case 2:
        splice(in, at, run, "", 0);
        break;
    case 3:
        splice(in, at, 0, word, strlen(word));
        break;
    case 4:
        splice(in, at, run, word, strlen(word));
        break;
    default:
        splice(in, roll(d, in->length + 1), 0, in->bytes + at, run);
        break;
    }
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    long first = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    size_t num_seeds = 0;
    while (fuzz_seeds[num_seeds].bytes != NULL) {
        num_seeds++;
    }
    (void)signal(SIGABRT, tell_iteration);
    (void)signal(SIGSEGV, tell_iteration);
    static input in;
    for (long i = first; i < first + count; i++) {
        iteration = (sig_atomic_t)i;
        dice d = {.iteration = (uint64_t)i};
        const fuzz_seed *seed = &fuzz_seeds[(size_t)i % num_seeds];
        in.length = seed->length;
        memcpy(in.bytes, seed->bytes, seed->length);
        /* The first round runs the seeds as they are. */
        uint32_t mutations = (size_t)i < num_seeds ? 0 : 1 + roll(&d, 6);
        for (uint32_t m = 0; m < mutations; m++) {
            mutate(&in, &d);
        }
        /* At its exact size, so that a read beyond the end shows. */
        uint8_t *exact = malloc(in.length + (in.length == 0));
        FUZZ_CHECK(exact != NULL);
        memcpy(exact, in.bytes, in.length);
        (void)LLVMFuzzerTestOneInput(exact, in.length);
        free(exact);
    }
    return 0;
}
