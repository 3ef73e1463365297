/* tests/bench/gpu/limits/main.c: the rows of whole models with every op at the limit of one
 * H200: what is left of a bar when kernels are perfect. Computed, not measured; needs no GPU.
 */
#include <stdio.h>

#include "tests/bench/gpu/bench.h"
#include "tests/bench/gpu/limits/ledger.h"

typedef struct limit_row {
    const char *title, *bar;
    judo_status (*measure)(bench *b, bench_result *result);
} limit_row;

static const limit_row rows[] = {
    {"text SFT, sequence 2048, bf16, fp32 AdamW", ">= 474 TFLOP/s", bench_text},
    {"stage-1 shape: 2 x 504 px, 1.2k tokens", ">= 10 sequences/s", bench_pictures},
    {"decode, 32 completions of 2 prompts", ">= 7k tokens/s", bench_decode_32},
    {"decode, 256 completions of 16 prompts", ">= 25k tokens/s", bench_decode_256},
    {"GRPO step, 8 prompts x 16, 256 new tokens", "<= 6.5 s", bench_grpo},
};

static void print_shares(void)
{
    const double *seconds = ledger_seconds();
    double sum = 0.0;
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        sum += seconds[kind];
    }
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        (void)printf("%s%s %.1f %%", kind == 0 ? "" : ", ", ledger_kind_name((ledger_kind)kind),
                     100.0 * seconds[kind] / sum);
    }
}

static bool print_row(bench *b, const limit_row *row)
{
    bench_result result = {.measured = false};
    ledger_clear();
    if (row->measure(b, &result) != JUDO_OK) {
        (void)printf("| %s | failed: %s | %s | | |\n", row->title, judo_error_message(),
                     row->bar);
        return false;
    }
    (void)printf("| %s | %s | %s | ", row->title, result.text, row->bar);
    print_shares();
    (void)printf(" | %s |\n", result.remark);
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        (void)fprintf(stderr,
                      "usage: %s\nPrints what the GPU table's rows of whole models would be on "
                      "one H200 if every kernel ran at its limit. Computed, not measured.\n",
                      argv[0]);
        return JUDO_ERROR_ARGUMENT;
    }
    bench b = {.device = ledger_device(), .unreal = true};
    bool well = true;
    if (judo_device_check(b.device) != JUDO_OK) {
        (void)fprintf(stderr, "%s\n", judo_error_message());
        return JUDO_ERROR_INTERNAL;
    }
    (void)printf(
        "%s: computed, not measured\n"
        "products %.0f TFLOP/s, attention %.0f and %.0f, memory %.1f TB/s, host %.0f "
        "GB/s, %.1f us from kernel to kernel\n\n"
        "| row | with every kernel at its limit | bar | where the time goes | remark |\n"
        "|---|---|---|---|---|\n",
        b.device->description, 1e-12 * LEDGER_PRODUCT_RATE,
        1e-12 * LEDGER_ATTENTION_FORWARD_RATE, 1e-12 * LEDGER_ATTENTION_BACKWARD_RATE,
        1e-12 * LEDGER_MEMORY_RATE, 1e-9 * LEDGER_HOST_RATE, 1e6 * LEDGER_START_SECONDS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        well = print_row(&b, &rows[i]) && well;
    }
    return well ? 0 : 1;
}
