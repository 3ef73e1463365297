/* tests/parallel/test_checkpoint.c: state on disk, at other numbers of ranks, and damaged. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel/comm_mpi.h"
#include "tests/parallel/trainer.h"

static const char state_text[] = "{\"cursor\":17,\"seed\":\"0xfeed\",\"note\":\"a \\\"b\\\"\"}";

static void open_sharded(trainer *t, judo_comm *comm, const judo_zero3_options *options)
{
    open_on(t, comm, test_device(), options);
}

static void open_trainer(trainer *t, judo_comm *comm)
{
    const judo_zero3_options options = {0};
    open_sharded(t, comm, &options);
}

static void test_checkpoint__resumes_to_the_bit_on_as_many_ranks(void **state)
{
    char folder[128];
    trainer straight;
    trainer resumed;
    judo_checkpoint_info info;
    bool exists = true;
    (void)state;
    make_folder(folder);
    assert_ok(judo_checkpoint_exists(process.comm, folder, &exists));
    assert_false(exists);
    open_trainer(&straight, process.comm);
    train(&straight, 1, 5);
    assert_ok(judo_checkpoint_save(process.comm, straight.zero3, folder, 5, state_text));
    open_trainer(&resumed, process.comm);
    assert_ok(judo_checkpoint_exists(process.comm, folder, &exists));
    assert_true(exists);
    assert_ok(judo_checkpoint_load(process.comm, resumed.zero3, folder, false, &info));
    assert_int_equal(info.step, 5);
    assert_int_equal(info.world_size, process.comm->size);
    assert_string_equal(info.state, state_text);
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&resumed), fingerprint(&straight));
    for (int64_t step = 6; step <= 9; step++) {
        double expected = train(&straight, step, step);
        double loss = train(&resumed, step, step);
        assert_memory_equal(&loss, &expected, sizeof loss);
    }
    assert_int_equal(fingerprint(&resumed), fingerprint(&straight));
    close_trainer(&straight);
    close_trainer(&resumed);
    remove_folder(folder);
}

/* Loads `folder` on the first `num_ranks` ranks, compares all bits, trains on, saves again. */
static void resume_on(int num_ranks, const char *folder, int64_t expected, double expected_loss)
{
    MPI_Comm part = MPI_COMM_NULL;
    bool member = process.comm->rank < num_ranks;
    (void)MPI_Comm_split(MPI_COMM_WORLD, member ? 0 : MPI_UNDEFINED, process.comm->rank, &part);
    if (!member) {
        return;
    }
    trainer t;
    judo_comm *comm = NULL;
    judo_checkpoint_info info;
    char own_folder[256];
    assert_ok(judo_comm_mpi_create(part, 0, &comm));
    judo_comm_set_deadline(comm, 20);
    open_trainer(&t, comm);
    assert_ok(judo_checkpoint_load(comm, t.zero3, folder, false, &info));
    assert_int_equal(info.world_size, process.comm->size);
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&t), expected);
    (void)snprintf(own_folder, sizeof own_folder, "%s-%d", folder, num_ranks);
    assert_ok(judo_checkpoint_save(comm, t.zero3, own_folder, 5, state_text));
    double loss = train(&t, 6, 20);
    assert_true(fabs(loss - expected_loss) <= 1e-5 * fabs(expected_loss));
    close_trainer(&t);
    judo_comm_destroy(&comm);
    (void)MPI_Comm_free(&part);
}

static void test_checkpoint__resumes_on_any_other_number_of_ranks(void **state)
{
    char folder[128];
    trainer t;
    judo_checkpoint_info info;
    (void)state;
    if (!process.is_mpi) {
        skip();
    }
    make_folder(folder);
    open_trainer(&t, process.comm);
    train(&t, 1, 5);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 5, state_text));
    int64_t expected = fingerprint(&t);
    double expected_loss = train(&t, 6, 20);
    for (int n = 1; n <= process.comm->size; n++) {
        char other[256];
        resume_on(n, folder, expected, expected_loss);
        /* And what n ranks saved comes back on all. */
        assert_ok(judo_comm_barrier(process.comm));
        (void)snprintf(other, sizeof other, "%s-%d", folder, n);
        assert_ok(judo_checkpoint_load(process.comm, t.zero3, other, false, &info));
        judo_checkpoint_info_free(&info);
        assert_int_equal(fingerprint(&t), expected);
        remove_folder(other);
    }
    close_trainer(&t);
    remove_folder(folder);
}

/* Saves from one sharding, resumes under it to the bit, and has the same state under stage 3.
 */
static void check_sharding(const judo_zero3_options *options)
{
    char folder[128];
    trainer straight;
    trainer resumed;
    trainer other;
    judo_checkpoint_info info;
    make_folder(folder);
    open_sharded(&straight, process.comm, options);
    train(&straight, 1, 3);
    assert_ok(judo_checkpoint_save(process.comm, straight.zero3, folder, 3, "{}"));
    int64_t expected = fingerprint(&straight);
    open_sharded(&resumed, process.comm, options);
    train(&resumed, 7, 8); /* so that stale copies are there */
    assert_ok(judo_checkpoint_load(process.comm, resumed.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&resumed), expected);
    double expected_loss = train(&straight, 4, 5);
    double loss = train(&resumed, 4, 5);
    assert_memory_equal(&loss, &expected_loss, sizeof loss);
    assert_int_equal(fingerprint(&resumed), fingerprint(&straight));
    open_trainer(&other, process.comm);
    assert_ok(judo_checkpoint_load(process.comm, other.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&other), expected);
    close_trainer(&straight);
    close_trainer(&resumed);
    close_trainer(&other);
    remove_folder(folder);
}

static void test_checkpoint__is_the_same_under_any_sharding(void **state)
{
    (void)state;
    for (int stage = 0; stage <= 3; stage++) {
        judo_zero3_options options = judo_zero3_stage(stage);
        check_sharding(&options);
        options.compute_dtype = JUDO_BF16;
        check_sharding(&options);
    }
    if (process.comm->size % 2 == 0) {
        const judo_zero3_options hybrid = {.group_size = 2};
        check_sharding(&hybrid);
        const judo_zero3_options offloaded = {.group_size = 2, .offload = true};
        check_sharding(&offloaded);
    }
}

static void shard_path(char out[256], const char *folder, int rank)
{
    (void)snprintf(out, 256, "%s/step-000002/shard-%05d-of-%05d.judo", folder, rank,
                   process.comm->size);
}

static void flip_byte(const char *path, int64_t from_end)
{
    struct stat info;
    unsigned char byte;
    int file = open(path, O_RDWR);
    assert_true(file >= 0 && fstat(file, &info) == 0);
    off_t at = (off_t)(from_end < 0 ? -from_end : info.st_size - from_end);
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    (void)close(file);
}

typedef enum damage {
    FLIP_DATA,
    FLIP_HEADER,
    CUT_SHARD,
    LOSE_SHARD,
    FOREIGN_SHARD,
    FLIP_MANIFEST,
    LOSE_MANIFEST,
    DAMAGES
} damage;

static void inflict(damage kind, const char *folder)
{
    int rank = process.comm->size / 2;
    char shard[256];
    char other[256];
    char manifest[256];
    shard_path(shard, folder, rank);
    (void)snprintf(manifest, sizeof manifest, "%s/step-000002/manifest.json", folder);
    (void)snprintf(other, sizeof other, "%s/step-000001/shard-%05d-of-%05d.judo", folder, rank,
                   process.comm->size);
    switch (kind) {
    case FLIP_DATA:
        flip_byte(shard, 5);
        break;
    case FLIP_HEADER:
        flip_byte(shard, -100);
        break;
    case CUT_SHARD:
        assert_int_equal(truncate(shard, 5000), 0);
        break;
    case LOSE_SHARD:
        assert_int_equal(unlink(shard), 0);
        break;
    case FOREIGN_SHARD: /* the same rank's file of another step: the same size */
        assert_int_equal(rename(other, shard), 0);
        break;
    case FLIP_MANIFEST:
        flip_byte(manifest, 60);
        break;
    case LOSE_MANIFEST:
        assert_int_equal(unlink(manifest), 0);
        break;
    case DAMAGES:
        break;
    }
}

/* Saves steps 1 (left whole unless foreign) and 2, damages step 2 and expects a named error. */
static void check_damage(damage kind)
{
    char folder[128];
    trainer t;
    judo_checkpoint_info info;
    make_folder(folder);
    open_trainer(&t, process.comm);
    train(&t, 1, 1);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 1, state_text));
    int64_t first = fingerprint(&t);
    train(&t, 2, 2);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 2, state_text));
    if (process.comm->rank == 0) {
        inflict(kind, folder);
    }
    assert_ok(judo_comm_barrier(process.comm));
    judo_status status = judo_checkpoint_load(process.comm, t.zero3, folder, false, &info);
    assert_int_not_equal(status, JUDO_OK);
    const char *file =
        kind >= FLIP_MANIFEST ? "step-000002/manifest.json" : "step-000002/shard-";
    if (strstr(judo_error_message(), file) == NULL) {
        print_error("damage %d: %s\n", (int)kind, judo_error_message());
    }
    assert_non_null(strstr(judo_error_message(), file));
    if (kind != FOREIGN_SHARD) {
        judo_log_setup(process.comm->rank, process.comm->size, JUDO_LOG_ERROR);
        assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, true, &info));
        judo_log_setup(process.comm->rank, process.comm->size, JUDO_LOG_WARNING);
        assert_int_equal(info.step, 1);
        judo_checkpoint_info_free(&info);
        assert_int_equal(fingerprint(&t), first);
    }
    close_trainer(&t);
    remove_folder(folder);
}

static void test_checkpoint__names_what_is_damaged_and_falls_back(void **state)
{
    (void)state;
    for (damage kind = 0; kind < DAMAGES; kind++) {
        check_damage(kind);
    }
}

static void test_checkpoint__refuses_another_model(void **state)
{
    char folder[128];
    trainer t;
    judo_param_layout other;
    judo_zero3 *zero3 = NULL;
    judo_zero3_options options = {0};
    judo_checkpoint_info info;
    (void)state;
    make_folder(folder);
    open_trainer(&t, process.comm);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 3, "{}"));
    assert_ok(toy_layout_create(5, &other));
    assert_ok(judo_zero3_create(process.comm, &other, test_device(), &options, &zero3));
    assert_int_equal(judo_checkpoint_load(process.comm, zero3, folder, true, &info),
                     JUDO_ERROR_MISMATCH);
    judo_zero3_destroy(&zero3);
    toy_layout_destroy(&other);
    /* A reference model takes the weights and leaves the moments. */
    options.frozen = true;
    assert_ok(judo_zero3_create(process.comm, &t.layout, test_device(), &options, &zero3));
    assert_ok(judo_checkpoint_load(process.comm, zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    judo_zero3_destroy(&zero3);
    close_trainer(&t);
    remove_folder(folder);
}

static judo_checkpoint_writer *open_writer(trainer *t, const char *folder,
                                           judo_checkpoint_options options)
{
    judo_checkpoint_writer *writer = NULL;
    assert_ok(judo_checkpoint_writer_open(t->comm, t->zero3, folder, &options, &writer));
    return writer;
}

/* The complete checkpoints are these, newest first; 0 ends the list. */
static void assert_steps(const char *folder, const int64_t *expected)
{
    int64_t *steps = NULL;
    int num_steps = 0;
    int count = 0;
    if (process.comm->rank != 0) {
        return;
    }
    assert_ok(judo_checkpoint_list(folder, &steps, &num_steps));
    while (expected[count] != 0) {
        count++;
    }
    assert_int_equal(num_steps, count);
    assert_memory_equal(steps, expected, (size_t)count * sizeof *steps);
    free(steps);
}

static void test_checkpoint__keeps_the_newest_and_replaces_a_repeated_step(void **state)
{
    char folder[128];
    char leftover[256];
    trainer t;
    judo_checkpoint_info info;
    (void)state;
    make_folder(folder);
    open_trainer(&t, process.comm);
    (void)snprintf(leftover, sizeof leftover, "%s/step-000001.tmp", folder);
    assert_true(process.comm->rank != 0 || mkdir(leftover, 0777) == 0);
    judo_checkpoint_writer *writer =
        open_writer(&t, folder, (judo_checkpoint_options){.keep = {.last = 2}});
    for (int64_t step = 1; step <= 4; step++) {
        train(&t, step, step);
        assert_ok(judo_checkpoint_writer_save(writer, step, "{}"));
        assert_int_equal(judo_checkpoint_writer_saved(writer), step);
    }
    assert_ok(judo_checkpoint_writer_save(writer, 4, "{\"again\":1}"));
    assert_steps(folder, (const int64_t[]){4, 3, 0});
    assert_true(process.comm->rank != 0 || access(leftover, F_OK) == -1);
    assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, false, &info));
    assert_string_equal(info.state, "{\"again\":1}");
    judo_checkpoint_info_free(&info);
    /* A run set back to step 3: what it saves is the latest, though step 4 is there. */
    assert_ok(judo_checkpoint_writer_save(writer, 3, "{}"));
    assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, false, &info));
    assert_int_equal(info.step, 3);
    judo_checkpoint_info_free(&info);
    judo_checkpoint_writer_close(&writer);
    close_trainer(&t);
    remove_folder(folder);
}

static void test_checkpoint__keeps_the_first_behind_each_multiple_for_good(void **state)
{
    char folder[128];
    trainer t;
    (void)state;
    make_folder(folder);
    open_trainer(&t, process.comm);
    judo_checkpoint_writer *writer =
        open_writer(&t, folder, (judo_checkpoint_options){.keep = {.last = 1, .every = 10}});
    for (int64_t step = 4; step <= 36; step += 4) {
        assert_ok(judo_checkpoint_writer_save(writer, step, "{}"));
    }
    assert_steps(folder, (const int64_t[]){36, 32, 20, 12, 0});
    judo_checkpoint_writer_close(&writer);
    close_trainer(&t);
    remove_folder(folder);
}

static void test_checkpoint__in_the_background_holds_the_moment_of_the_save(void **state)
{
    char folder[128];
    trainer t;
    judo_checkpoint_info info;
    (void)state;
    make_folder(folder);
    open_trainer(&t, process.comm);
    judo_checkpoint_writer *writer =
        open_writer(&t, folder, (judo_checkpoint_options){.background = true});
    assert_true(judo_checkpoint_writer_bytes(writer) > 0);
    train(&t, 1, 2);
    int64_t second = fingerprint(&t);
    assert_ok(judo_checkpoint_writer_save(writer, 2, state_text));
    train(&t, 3, 3); /* while it is written */
    int64_t third = fingerprint(&t);
    assert_int_not_equal(second, third);
    assert_ok(judo_checkpoint_writer_poll(writer));
    /* At most one at a time: the next save completes the one before. */
    assert_ok(judo_checkpoint_writer_save(writer, 3, state_text));
    assert_int_equal(judo_checkpoint_writer_saved(writer), 2);
    train(&t, 4, 4);
    assert_ok(judo_checkpoint_writer_finish(writer));
    assert_int_equal(judo_checkpoint_writer_saved(writer), 3);
    judo_checkpoint_writer_close(&writer);
    assert_steps(folder, (const int64_t[]){3, 2, 0});
    assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&t), third);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/step-000002", folder);
    assert_ok(judo_checkpoint_load_from(process.comm, t.zero3, path, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&t), second);
    close_trainer(&t);
    remove_folder(folder);
}

/* Renames on rank 0, seen by all. */
static void rename_in(const char *folder, const char *from, const char *to)
{
    char old_path[256];
    char new_path[256];
    (void)snprintf(old_path, sizeof old_path, "%s/%s", folder, from);
    (void)snprintf(new_path, sizeof new_path, "%s/%s", folder, to);
    assert_true(process.comm->rank != 0 || rename(old_path, new_path) == 0);
    assert_ok(judo_comm_barrier(process.comm));
}

static void test_checkpoint__recovers_one_whose_replacement_never_got_the_name(void **state)
{
    char folder[128];
    trainer t;
    judo_checkpoint_info info;
    (void)state;
    make_folder(folder);
    open_trainer(&t, process.comm);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 3, "{}"));
    rename_in(folder, "step-000003", "step-000003.old");
    assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, false, &info));
    assert_int_equal(info.step, 3);
    judo_checkpoint_info_free(&info);
    close_trainer(&t);
    remove_folder(folder);
}

static void test_checkpoint__a_save_that_fails_leaves_the_old_one(void **state)
{
    char folder[128];
    char outer[200];
    char blocker[256];
    trainer t;
    judo_checkpoint_info info;
    (void)state;
    make_folder(folder);
    open_trainer(&t, process.comm);
    train(&t, 1, 1);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 1, "{}"));
    /* What is half removed holds a folder that is not judo's to remove. */
    (void)snprintf(outer, sizeof outer, "%s/step-000002.gone", folder);
    (void)snprintf(blocker, sizeof blocker, "%s/inner", outer);
    if (process.comm->rank == 0) {
        assert_int_equal(mkdir(outer, 0777), 0);
        assert_int_equal(mkdir(blocker, 0777), 0);
        judo_log_setup(0, process.comm->size, JUDO_LOG_ERROR);
    }
    judo_checkpoint_writer *strict =
        open_writer(&t, folder, (judo_checkpoint_options){.background = true});
    assert_int_equal(judo_checkpoint_writer_save(strict, 2, "{}"), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "step-000002"));
    judo_checkpoint_writer_close(&strict);
    judo_checkpoint_writer *tolerant = open_writer(
        &t, folder, (judo_checkpoint_options){.background = true, .tolerant = true});
    assert_ok(judo_checkpoint_writer_save(tolerant, 2, "{}"));
    assert_ok(judo_checkpoint_writer_finish(tolerant));
    assert_int_equal(judo_checkpoint_writer_saved(tolerant), -1);
    if (process.comm->rank == 0) {
        judo_log_setup(0, process.comm->size, JUDO_LOG_WARNING);
        assert_int_equal(rmdir(blocker), 0);
    }
    assert_ok(judo_checkpoint_load(process.comm, t.zero3, folder, false, &info));
    assert_int_equal(info.step, 1);
    judo_checkpoint_info_free(&info);
    /* The next one goes well. */
    assert_ok(judo_checkpoint_writer_save(tolerant, 2, "{}"));
    assert_ok(judo_checkpoint_writer_finish(tolerant));
    assert_int_equal(judo_checkpoint_writer_saved(tolerant), 2);
    judo_checkpoint_writer_close(&tolerant);
    close_trainer(&t);
    remove_folder(folder);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_checkpoint__resumes_to_the_bit_on_as_many_ranks),
    cmocka_unit_test(test_checkpoint__resumes_on_any_other_number_of_ranks),
    cmocka_unit_test(test_checkpoint__is_the_same_under_any_sharding),
    cmocka_unit_test(test_checkpoint__names_what_is_damaged_and_falls_back),
    cmocka_unit_test(test_checkpoint__refuses_another_model),
    cmocka_unit_test(test_checkpoint__keeps_the_newest_and_replaces_a_repeated_step),
    cmocka_unit_test(test_checkpoint__keeps_the_first_behind_each_multiple_for_good),
    cmocka_unit_test(test_checkpoint__in_the_background_holds_the_moment_of_the_save),
    cmocka_unit_test(test_checkpoint__recovers_one_whose_replacement_never_got_the_name),
    cmocka_unit_test(test_checkpoint__a_save_that_fails_leaves_the_old_one),
};

JUDO_MPI_TEST_MAIN(tests)
