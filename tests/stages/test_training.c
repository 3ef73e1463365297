/* tests/stages/test_training.c: twenty steps with clipping and a schedule, on any number of
 * ranks, against torch (tests/golden/make/training.py). */
#include "tests/parallel/mpi_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/checkpoint_directory.h"
#include "parallel/zero3.h"
#include "stages/schedule.h"
#include "tests/models/fixture.h"

enum { STEPS = 20 };

typedef struct recipe {
    const char *name;
    judo_adamw adamw; /* learning_rate: the peak */
    double clip_norm, minimum;
    judo_schedule_kind schedule;
    int64_t warmup;
} recipe;

typedef struct run {
    fixture fixture;
    judo_safetensors *trained; /* what torch made of it */
    judo_model *model;
    judo_zero3 *zero;
    built_batch batch;
} run;

static void open_run(run *r, const char *name)
{
    char path[320];
    judo_weight_source source;
    const judo_zero3_options options = {0};
    judo_model_options plan = fixture_options(true);
    fixture_open(&r->fixture, name);
    (void)snprintf(path, sizeof path, "%s/trained.safetensors", r->fixture.directory);
    assert_ok(judo_safetensors_open(path, &r->trained));
    assert_ok(judo_model_create(&r->fixture.config, judo_device_cpu(), &plan, &r->model));
    const judo_param_layout *layout = judo_model_layout(r->model);
    assert_ok(judo_zero3_create(process.comm, layout, judo_device_cpu(), &options, &r->zero));
    assert_ok(judo_model_source_open(r->fixture.directory, layout, &source));
    assert_ok(judo_zero3_load(r->zero, &source));
    judo_model_source_close(&source);
    r->batch = batch_pack(&r->fixture.config, &r->fixture.sequence, 1);
}

static void close_run(run *r)
{
    batch_free(&r->batch);
    judo_zero3_destroy(&r->zero);
    judo_model_destroy(&r->model);
    judo_safetensors_close(&r->trained);
    fixture_close(&r->fixture);
}

/* The targets are dealt to the ranks in turn: together they make the whole loss. */
static double accumulate(run *r)
{
    judo_token_loss loss = {
        .kind = JUDO_LOSS_NLL, .scale = 1.0 / r->batch.batch.num_targets, .temperature = 1.0f};
    judo_token_result result = {0};
    for (int32_t i = 0; i < r->batch.batch.num_targets; i++) {
        r->batch.target_weights[i] = i % process.comm->size == process.comm->rank;
    }
    assert_ok(judo_model_run(r->model, judo_zero3_params(r->zero), &r->batch.batch, &loss, true,
                             &result));
    assert_ok(judo_comm_sum_f64(process.comm, &result.loss, 1));
    return result.loss;
}

static void read_trained(const run *r, const char *name, int64_t first, int64_t count,
                         float *out)
{
    const judo_safetensors_entry *entry = judo_safetensors_find(r->trained, name);
    assert_non_null(entry);
    assert_ok(judo_safetensors_read(r->trained, entry, first, count, out));
}

/* Relative L2 over all ranks' parts of a weight. */
static double weight_error(const run *r, int param)
{
    double sums[2] = {0.0, 0.0};
    judo_zero3_owned part = judo_zero3_owned_part(r->zero, param);
    float *wanted = calloc((size_t)part.count + 1, sizeof *wanted);
    assert_non_null(wanted);
    read_trained(r, judo_model_layout(r->model)->params[param].name, part.first, part.count,
                 wanted);
    for (int64_t i = 0; i < part.count; i++) {
        double difference = (double)part.weights[i] - (double)wanted[i];
        sums[0] += difference * difference;
        sums[1] += (double)wanted[i] * (double)wanted[i];
    }
    free(wanted);
    assert_ok(judo_comm_sum_f64(process.comm, sums, 2));
    return sqrt(sums[0] / sums[1]);
}

static void check(const recipe *wanted)
{
    run r = {0};
    float losses[STEPS], norms[STEPS];
    open_run(&r, wanted->name);
    read_trained(&r, "losses", 0, STEPS, losses);
    read_trained(&r, "norms", 0, STEPS, norms);
    for (int64_t step = 0; step < STEPS; step++) {
        judo_zero3_update done;
        judo_adamw adamw = wanted->adamw;
        adamw.learning_rate *= judo_schedule_factor(wanted->schedule, step, wanted->warmup,
                                                    STEPS, wanted->minimum);
        adamw.step = step + 1;
        adamw.gradient_scale = 1.0f;
        assert_ok(judo_zero3_zero_gradients(r.zero));
        double loss = accumulate(&r);
        assert_true(fabs(loss - (double)losses[step]) <= 1e-5 * (double)losses[step]);
        assert_ok(judo_zero3_step(r.zero, &adamw, wanted->clip_norm, &done));
        assert_true(fabs(done.gradient_norm - (double)norms[step]) <=
                    1e-5 * (double)norms[step]);
    }
    const judo_param_layout *layout = judo_model_layout(r.model);
    double worst = 0.0;
    for (int p = 0; p < layout->num_params; p++) {
        double error = weight_error(&r, p);
        if (error > 1e-5) {
            print_message("%s: relative error %.3g\n", layout->params[p].name, error);
        }
        worst = fmax(worst, error);
    }
    if (process.comm->rank == 0) {
        print_message("  %s: worst relative error of a weight %.3g\n", wanted->name, worst);
    }
    assert_true(worst <= 1e-5);
    close_run(&r);
}

static void test_clipped_steps__equal_those_of_torch(void **state)
{
    (void)state;
    const recipe clipped = {.name = "grouped",
                            .adamw = {.learning_rate = 1e-3,
                                      .beta1 = 0.9,
                                      .beta2 = 0.98,
                                      .epsilon = 1e-8,
                                      .weight_decay = 0.1},
                            .clip_norm = 0.5,
                            .minimum = 0.1,
                            .schedule = JUDO_SCHEDULE_COSINE,
                            .warmup = 3};
    check(&clipped);
}

static void test_whole_steps__equal_those_of_torch(void **state)
{
    (void)state;
    const recipe whole = {.name = "text",
                          .adamw = {.learning_rate = 5e-4,
                                    .beta1 = 0.8,
                                    .beta2 = 0.999,
                                    .epsilon = 1e-6,
                                    .weight_decay = 0.01},
                          .schedule = JUDO_SCHEDULE_LINEAR};
    check(&whole);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_clipped_steps__equal_those_of_torch),
    cmocka_unit_test(test_whole_steps__equal_those_of_torch),
};
JUDO_MPI_TEST_MAIN(tests)
