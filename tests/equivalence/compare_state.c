/* tests/equivalence/compare_state.c: do two model directories, or two checkpoints of any number
 * of shards, hold the same numbers? */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/checkpoint_directory.h"
#include "models/layout.h"
#include "parallel/checkpoint.h"

static const char usage[] =
    "usage: compare_state MODEL TOLERANCE FIRST SECOND [TENSORS]\n"
    "Compares two model directories (weights) or two checkpoints (weights and moments) of a\n"
    "model that is laid out like the directory MODEL. A tensor's difference is the norm of\n"
    "a - b over that of b; more than TOLERANCE ends with exit code 1; TOLERANCE 0 asks for "
    "the\n"
    "same bits. Its largest |a - b| over its largest |b| is printed beside it. TENSORS: lists\n"
    "the so many tensors that differ most.\n";

enum { WEIGHTS, FIRST_MOMENT, SECOND_MOMENT, NUM_KINDS };

static const char *const kind_names[NUM_KINDS] = {"weights", "first moments", "second moments"};

/* Of one tensor. Both are infinite beside a NaN or a tensor of zeros, and 0 only for the same
 * bits. */
typedef struct tensor_difference {
    double norm, element;
    int param;
} tensor_difference;

/* On one rank everything is owned. */
static judo_status load(judo_comm *comm, const judo_param_layout *layout, const char *path,
                        judo_zero3 **out, bool *is_checkpoint)
{
    char manifest[4096];
    judo_zero3_options options = {0};
    judo_checkpoint_info info = {0};
    judo_weight_source source;
    (void)snprintf(manifest, sizeof manifest, "%s/manifest.json", path);
    *is_checkpoint = access(manifest, F_OK) == 0;
    options.frozen = !*is_checkpoint;
    JUDO_TRY(judo_zero3_create(comm, layout, judo_device_cpu(), &options, out));
    if (*is_checkpoint) {
        JUDO_TRY(judo_checkpoint_load_from(comm, *out, path, &info));
        judo_checkpoint_info_free(&info);
        return JUDO_OK;
    }
    JUDO_TRY(judo_model_source_open(path, layout, &source));
    judo_status status = judo_zero3_load(*out, &source);
    judo_model_source_close(&source);
    return status;
}

static double ratio(double difference, double scale)
{
    double value = fmax(difference, 1e-300) / scale; /* zeros of two signs differ, too */
    return isnan(difference) || isnan(value) ? INFINITY : value;
}

static tensor_difference compare_tensor(int param, const float *a, const float *b,
                                        int64_t count)
{
    double squares[2] = {0};
    double most[2] = {0};
    if (memcmp(a, b, (size_t)count * sizeof *a) == 0) {
        return (tensor_difference){.param = param};
    }
    for (int64_t i = 0; i < count; i++) {
        double distance = (double)a[i] - (double)b[i];
        squares[0] += distance * distance;
        squares[1] += (double)b[i] * (double)b[i];
        most[0] = fmax(most[0], fabs(distance));
        most[1] = fmax(most[1], fabs((double)b[i]));
    }
    return (tensor_difference){.norm = ratio(sqrt(squares[0]), sqrt(squares[1])),
                               .element = ratio(most[0], most[1]),
                               .param = param};
}

static const float *kind_of(const judo_zero3_owned *part, int kind)
{
    const float *const values[NUM_KINDS] = {part->weights, part->first_moment,
                                            part->second_moment};
    return values[kind];
}

static int by_norm(const void *a, const void *b)
{
    double x = ((const tensor_difference *)a)->norm;
    double y = ((const tensor_difference *)b)->norm;
    return (x < y) - (x > y);
}

/* Prints the largest difference of one kind and those that are asked for. */
static judo_status compare_kind(judo_zero3 *const sets[2], int kind, double tolerance,
                                int num_listed, bool *good)
{
    const judo_param_layout *layout = judo_zero3_layout(sets[0]);
    tensor_difference *all = calloc((size_t)layout->num_params + 1, sizeof *all);
    if (all == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d tensors", layout->num_params);
    }
    double element = 0;
    for (int p = 0; p < layout->num_params; p++) {
        judo_zero3_owned a = judo_zero3_owned_part(sets[0], p);
        judo_zero3_owned b = judo_zero3_owned_part(sets[1], p);
        all[p] = compare_tensor(p, kind_of(&a, kind), kind_of(&b, kind), a.count);
        element = fmax(element, all[p].element);
    }
    qsort(all, (size_t)layout->num_params, sizeof *all, by_norm);
    bool holds = all[0].norm <= tolerance;
    *good = *good && holds;
    printf(
        "%-14s differ by at most %.3g of a tensor's norm (%s), %.3g of a largest element%s\n",
        kind_names[kind], all[0].norm,
        all[0].norm > 0 ? layout->params[all[0].param].name : "same bits", element,
        holds ? "" : ": too much");
    for (int i = 0; i < num_listed && i < layout->num_params; i++) {
        printf("  %.3g  %.3g  %s\n", all[i].norm, all[i].element,
               layout->params[all[i].param].name);
    }
    free(all);
    return JUDO_OK;
}

static judo_status compare(judo_comm *comm, const judo_param_layout *layout, char **argv,
                           int num_listed, bool *good)
{
    judo_zero3 *sets[2] = {NULL, NULL};
    bool is_checkpoint[2] = {false, false};
    judo_status status = JUDO_OK;
    for (int i = 0; i < 2 && status == JUDO_OK; i++) {
        status = load(comm, layout, argv[3 + i], &sets[i], &is_checkpoint[i]);
    }
    int num_kinds = is_checkpoint[0] && is_checkpoint[1] ? NUM_KINDS : 1;
    for (int kind = 0; kind < num_kinds && status == JUDO_OK; kind++) {
        status = compare_kind(sets, kind, strtod(argv[2], NULL), num_listed, good);
    }
    judo_zero3_destroy(&sets[0]);
    judo_zero3_destroy(&sets[1]);
    return status;
}

static judo_status run(int argc, char **argv, bool *good)
{
    judo_qwen_config config;
    judo_freeze freeze = {0};
    judo_param_layout *layout = NULL;
    judo_comm *comm = NULL;
    JUDO_TRY(judo_qwen_config_load(argv[1], &config));
    JUDO_TRY(judo_qwen_layout_create(&config, &freeze, &layout));
    judo_status status = judo_comm_self_create(&comm);
    if (status == JUDO_OK) {
        int num_listed = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 0;
        status = compare(comm, layout, argv, num_listed, good);
    }
    judo_comm_destroy(&comm);
    judo_qwen_layout_destroy(&layout);
    return status;
}

int main(int argc, char **argv)
{
    bool good = true;
    if (argc < 5 || argc > 6) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (run(argc, argv, &good) != JUDO_OK) {
        (void)fprintf(stderr, "compare_state: %s\n", judo_error_message());
        return 2;
    }
    return good ? 0 : 1;
}
