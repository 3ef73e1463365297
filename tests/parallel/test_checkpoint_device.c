/* tests/parallel/test_checkpoint_device.c: state goes from one device to another. */
#include "tests/parallel/trainer.h"

/* Trains on `device` from where the checkpoint of `from` steps left off (0: from the start) to
 * step `to`, and saves that. */
static int64_t train_leg(const char *folder, const judo_device *device,
                         const judo_zero3_options *options, int64_t from, int64_t to,
                         double *loss)
{
    trainer t;
    judo_checkpoint_info info;
    open_on(&t, process.comm, device, options);
    if (from > 0) {
        assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, false, &info));
        assert_int_equal(info.step, from);
        judo_checkpoint_info_free(&info);
    }
    *loss = train(&t, from + 1, to);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, to, "{}"));
    int64_t sum = fingerprint(&t);
    close_trainer(&t);
    return sum;
}

/* The toy computes on the host: both devices owe the same bits. */
static void test_checkpoint_device__goes_from_the_cpu_to_the_device_and_back(void **state)
{
    static const judo_zero3_options options[] = {
        {0}, {.offload = true}, {.compute_dtype = JUDO_BF16, .offload = true}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const judo_device *const legs[3] = {judo_device_cpu(), test_device(),
                                            judo_device_cpu()};
        char folders[2][128];
        double loss[2];
        int64_t sums[2];
        for (int run = 0; run < 2; run++) {
            make_folder(folders[run]);
            for (int64_t leg = 0; leg < 3; leg++) {
                sums[run] = train_leg(folders[run], run == 0 ? judo_device_cpu() : legs[leg],
                                      &options[i], 2 * leg, 2 * leg + 2, &loss[run]);
            }
            remove_folder(folders[run]);
        }
        assert_int_equal(sums[0], sums[1]);
        assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_checkpoint_device__goes_from_the_cpu_to_the_device_and_back),
};

JUDO_MPI_TEST_MAIN(tests)
