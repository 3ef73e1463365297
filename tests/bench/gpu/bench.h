/* tests/bench/gpu/bench.h: what the rows of the GPU table share: the device, memory on it,
 * medians, and how a row says what it found. */
#ifndef JUDO_TESTS_BENCH_GPU_BENCH_H
#define JUDO_TESTS_BENCH_GPU_BENCH_H

#include "runtime/device.h"

enum { BENCH_TEXT = 160, BENCH_REMARK = 480, BENCH_REPEATS = 9 };

typedef struct bench {
    const judo_device *device;
    bool small;         /* shapes that any device runs in a moment: the program's own test */
    bool unreal;        /* a device that only counts (limits/): weights need not be there */
    const char *minilm; /* folder of the sentence encoder, or NULL */
    /* What rows measured that others compare with, and what peer_*.py did; 0: not measured. */
    double grpo_seconds;                      /* a step of all layers */
    double step_rate, peer_step_rate;         /* TFLOP/s of training on text */
    double generate_rate, peer_generate_rate; /* tokens/s of 32 completions, prompts included */
} bench;

/* What a row found: a number in the unit of its bar, and words. */
typedef struct bench_result {
    bool measured;
    double value;
    char text[BENCH_TEXT];     /* the number with its unit */
    char remark[BENCH_REMARK]; /* shapes that were changed, or why nothing was measured */
} bench_result;

typedef struct bench_row {
    const char *key, *title, *limit, *bar;
    double bound; /* of the bar, for one H200 */
    bool at_most; /* the bar is met from below */
    judo_status (*measure)(bench *b, bench_result *result);
} bench_row;

/* The rows of each file. */
judo_status bench_product(bench *b, bench_result *result);
judo_status bench_copy(bench *b, bench_result *result);
judo_status bench_attention_forward(bench *b, bench_result *result);
judo_status bench_attention_backward(bench *b, bench_result *result);
judo_status bench_rmsnorm_backward(bench *b, bench_result *result);
judo_status bench_adamw(bench *b, bench_result *result);
judo_status bench_text(bench *b, bench_result *result);
judo_status bench_pictures(bench *b, bench_result *result);
judo_status bench_decode_32(bench *b, bench_result *result);
judo_status bench_decode_256(bench *b, bench_result *result);
judo_status bench_grpo(bench *b, bench_result *result);
judo_status bench_rewards(bench *b, bench_result *result);
judo_status bench_peer_step(bench *b, bench_result *result);
judo_status bench_peer_generate(bench *b, bench_result *result);

/* Seconds of a call of `work`, which queues on the device: the median of repeats behind a
 * warm-up, each as many calls as take some milliseconds, between two moments when the queue is
 * empty. */
typedef judo_status (*bench_work)(const judo_device *device, void *context);
judo_status bench_time(const bench *b, bench_work work, void *context,
                       double *seconds) JUDO_MUST_CHECK;
double bench_now(void);

/* A tensor in the device's memory, filled with numbers in [-scale, scale). A failure leaves
 * data NULL. Free with bench_release. */
judo_status bench_tensor(const bench *b, judo_tensor *out, judo_dtype dtype, int num_dims,
                         const int64_t *dims, float scale) JUDO_MUST_CHECK;
void bench_release(const bench *b, judo_tensor *tensors, int count);

#endif
