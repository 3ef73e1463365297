/* tests/bench/minilm_bench.c: sentences per second of the sentence encoder.
 * Usage: judo_bench_minilm FOLDER [THREADS [DTYPE]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "models/minilm.h"
#include "runtime/dtype_choice.h"

enum { BATCH = 32 };

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static judo_status measure(judo_minilm *minilm, int32_t tokens)
{
    static int32_t ids[BATCH * JUDO_MINILM_MAX_TOKENS];
    static float embeddings[BATCH * JUDO_MINILM_WIDTH];
    int32_t offsets[BATCH + 1];
    for (int32_t i = 0; i < BATCH * tokens; i++) {
        ids[i] = 1000 + i * 7919 % 20000;
    }
    for (int32_t i = 0; i <= BATCH; i++) {
        offsets[i] = i * tokens;
    }
    JUDO_TRY(judo_minilm_embed(minilm, ids, offsets, BATCH, embeddings));
    double start = now();
    int rounds = 0;
    while (rounds < 3 || now() - start < 3.0) {
        JUDO_TRY(judo_minilm_embed(minilm, ids, offsets, BATCH, embeddings));
        rounds++;
    }
    (void)printf("%d tokens: %.1f sentences/s\n", tokens, rounds * BATCH / (now() - start));
    return JUDO_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: judo_bench_minilm FOLDER [THREADS [DTYPE]]\n");
        return JUDO_ERROR_ARGUMENT;
    }
    judo_ops_cpu_set_threads(argc > 2 ? atoi(argv[2]) : 2);
    judo_minilm *minilm = NULL;
    judo_dtype dtype = JUDO_F32;
    judo_status status = judo_dtype_parse(argc > 3 ? argv[3] : "f32", "DTYPE", &dtype);
    if (status == JUDO_OK) {
        status = judo_minilm_open(argv[1], dtype, judo_device_cpu(), &minilm);
    }
    const int32_t lengths[] = {32, 128};
    for (int i = 0; i < 2 && status == JUDO_OK; i++) {
        status = measure(minilm, lengths[i]);
    }
    judo_minilm_close(&minilm);
    if (status != JUDO_OK) {
        (void)fprintf(stderr, "%s\n", judo_error_message());
    }
    return (int)status;
}
