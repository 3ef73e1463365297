/* tests/bench/gpu/main.c: prints the table of issue 5 for a device: row, measured, limit, bar,
 * verdict. Without a GPU every row says "not measured". Run by tests/bench/gpu/run. */
#include "tests/bench/gpu/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 77 };

/* Bounds are those of one H200; anchors have none. */
static const bench_row rows[] = {
    {"product", "matrix product 8192^3, bf16", "790 TFLOP/s", "an anchor", 0.0, false,
     bench_product},
    {"copy", "copy of 2 GiB on the device", "4.3 TB/s", "an anchor", 0.0, false, bench_copy},
    {"text", "text SFT, sequence 2048, bf16, fp32 AdamW", "790 TFLOP/s",
     ">= 474 TFLOP/s (60 %; 15k tokens/s)", 474.0, false, bench_text},
    {"pictures", "stage-1 shape: 2 x 504 px, 1.2k tokens", "13.4 sequences/s", ">= 10", 10.0,
     false, bench_pictures},
    {"decode_32", "decode, 32 completions of 2 prompts", "9.5k tokens/s", ">= 7k", 7000.0,
     false, bench_decode_32},
    {"decode_256", "decode, 256 completions of 16 prompts", "56k tokens/s", ">= 25k", 25000.0,
     false, bench_decode_256},
    {"grpo", "GRPO step, 8 prompts x 16, 256 new tokens", "4.2-5.0 s", "<= 6.5 s", 6.5, true,
     bench_grpo},
    {"attention_forward", "attention forward, causal 2k, head 128", "cuDNN 484 TFLOP/s",
     ">= 460 TFLOP/s (95 %)", 460.0, false, bench_attention_forward},
    {"attention_backward", "attention backward, causal 2k, head 128", "cuDNN 370 TFLOP/s",
     ">= 352 TFLOP/s (95 %)", 352.0, false, bench_attention_backward},
    {"rmsnorm_backward", "RMSNorm backward, 16384 x 3584", "4.3 TB/s", ">= 3.66 TB/s (85 %)",
     3.66, false, bench_rmsnorm_backward},
    {"adamw", "AdamW, a decoder layer", "4.3 TB/s", ">= 3.66 TB/s (85 %)", 3.66, false,
     bench_adamw},
    {"rewards", "rewards of 128 completions, MiniLM included", "", "<= 1 % of the GRPO step",
     1.0, true, bench_rewards},
    {"peer_step", "the text step against PyTorch + Transformers, same GPU and shapes", "",
     ">= 1.5 x", 1.5, false, bench_peer_step},
    {"peer_generate", "32 completions against generate of Transformers, same prompts", "",
     ">= 8 x", 8.0, false, bench_peer_generate},
};

enum { NUM_ROWS = sizeof rows / sizeof *rows };

typedef struct request {
    judo_device_request device;
    const char *wanted; /* comma-separated keys, or NULL: all */
    bool probe;
} request;

static void usage(FILE *out)
{
    (void)fprintf(out,
                  "usage: judo_bench_gpu [--device cpu|cuda] [--small] [--rows KEY,..] "
                  "[--minilm FOLDER] [--peer-step TFLOPS] [--peer-generate TOKENS_PER_SECOND] "
                  "[--probe]\n"
                  "--probe: only says which device there is; exit code 77 where there is none\n"
                  "rows:");
    for (int i = 0; i < NUM_ROWS; i++) {
        (void)fprintf(out, " %s", rows[i].key);
    }
    (void)fprintf(out, "\n");
}

static bool take_value(const char *name, const char *value, request *r, bench *b)
{
    if (strcmp(name, "--device") == 0) {
        r->device.choice = strcmp(value, "cpu") == 0 ? JUDO_DEVICE_CPU : JUDO_DEVICE_CUDA;
        return strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0;
    }
    if (strcmp(name, "--rows") == 0) {
        r->wanted = value;
    } else if (strcmp(name, "--minilm") == 0) {
        b->minilm = value;
    } else if (strcmp(name, "--peer-step") == 0) {
        b->peer_step_rate = strtod(value, NULL);
    } else if (strcmp(name, "--peer-generate") == 0) {
        b->peer_generate_rate = strtod(value, NULL);
    } else {
        return false;
    }
    return true;
}

static bool parse(int argc, char **argv, request *r, bench *b)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--small") == 0) {
            b->small = true;
        } else if (strcmp(argv[i], "--probe") == 0) {
            r->probe = true;
        } else if (i + 1 >= argc || !take_value(argv[i], argv[i + 1], r, b)) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

static bool is_wanted(const request *r, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = r->wanted; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (strncmp(at, key, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return !r->wanted;
}

/* Bounds are those of a GPU: other devices and small shapes have no verdict. */
static const char *verdict_of(const bench *b, const bench_row *row, const bench_result *result)
{
    if (!result->measured) {
        return "not measured";
    }
    if (row->bound == 0.0 || b->small || !b->device->separate) {
        return "-";
    }
    bool met = row->at_most ? result->value <= row->bound : result->value >= row->bound;
    return met ? "ok" : "below";
}

/* A row that fails is one that was not measured; the others go on. */
static bool print_row(bench *b, const bench_row *row, const char *missing)
{
    bench_result result = {.measured = false};
    judo_status status = JUDO_OK;
    if (missing) {
        (void)snprintf(result.remark, sizeof result.remark, "%s", missing);
    } else {
        status = row->measure(b, &result);
    }
    if (status != JUDO_OK) {
        result.measured = false;
        (void)snprintf(result.remark, sizeof result.remark, "failed: %s", judo_error_message());
    }
    (void)printf("| %s%s | %s | %s | %s | %s | %s |\n", row->title,
                 b->small ? ", in small" : "", result.measured ? result.text : "not measured",
                 row->limit, row->bar, verdict_of(b, row, &result), result.remark);
    (void)fflush(stdout);
    return status == JUDO_OK;
}

/* Opens the device into b; `missing` (JUDO_DEVICE_REASON bytes) says why there is none. */
static void open_device(const request *r, bench *b, char *missing)
{
    missing[0] = '\0';
    if (judo_device_open(&r->device, &b->device, NULL) != JUDO_OK) {
        b->device = NULL;
        (void)snprintf(missing, JUDO_DEVICE_REASON, "%s", judo_error_message());
    }
}

int main(int argc, char **argv)
{
    request r = {.device = {.choice = JUDO_DEVICE_CUDA}};
    bench b = {.small = false};
    char missing[JUDO_DEVICE_REASON];
    if (!parse(argc, argv, &r, &b)) {
        usage(stderr);
        return JUDO_ERROR_ARGUMENT;
    }
    r.device.module = getenv("JUDO_DEVICE_MODULE");
    open_device(&r, &b, missing);
    (void)printf("device: %s\n", b.device ? b.device->description : missing);
    if (r.probe) {
        return b.device ? 0 : SKIPPED;
    }
    (void)printf("\n| row | measured | limit | bar | verdict | remark |\n"
                 "|---|---|---|---|---|---|\n");
    bool well = true;
    for (int i = 0; i < NUM_ROWS; i++) {
        if (is_wanted(&r, rows[i].key)) {
            well = print_row(&b, &rows[i], b.device ? NULL : "no device: see above") && well;
        }
    }
    return !b.device ? SKIPPED : well ? 0 : 1;
}
