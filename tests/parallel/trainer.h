/* tests/parallel/trainer.h: a toy that trains and is saved, for tests of checkpoints.
 */
#ifndef JUDO_TESTS_PARALLEL_TRAINER_H
#define JUDO_TESTS_PARALLEL_TRAINER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/checkpoint.h"
#include "parallel/checkpoint_files.h"
#include "tests/parallel/mpi_main.h"
#include "tests/parallel/toy.h"

/* A fresh folder that all ranks know. */
static inline void make_folder(char folder[128])
{
    (void)snprintf(folder, 128, "/tmp/judo-checkpoint-XXXXXX");
    assert_true(process.comm->rank != 0 || mkdtemp(folder) != NULL);
    assert_ok(judo_comm_broadcast(process.comm, folder, 128, 0));
}

static inline void remove_folder(const char *folder)
{
    assert_ok(judo_comm_barrier(process.comm));
    if (process.comm->rank == 0) {
        int64_t *steps = NULL;
        int num_steps = 0;
        char path[320];
        assert_ok(judo_checkpoint_list(folder, &steps, &num_steps));
        for (int i = 0; i < num_steps; i++) {
            (void)snprintf(path, sizeof path, "%s/step-%06lld", folder, (long long)steps[i]);
            assert_ok(judo_checkpoint_remove(path));
        }
        free(steps);
        assert_ok(judo_checkpoint_remove(folder));
    }
}

static inline int64_t device_memory_left(void)
{
    int64_t left = 0;
    int64_t total = 0;
    assert_ok(test_device()->memory(&left, &total));
    return left;
}

typedef struct trainer {
    judo_comm *comm;
    judo_param_layout layout;
    judo_zero3 *zero3;
} trainer;

static inline void open_on(trainer *t, judo_comm *comm, const judo_device *device,
                           const judo_zero3_options *options)
{
    t->comm = comm;
    assert_ok(toy_layout_create(4, &t->layout));
    assert_ok(judo_zero3_create(comm, &t->layout, device, options, &t->zero3));
    judo_weight_source source = toy_source(&t->layout);
    assert_ok(judo_zero3_load(t->zero3, &source));
}

static inline void close_trainer(trainer *t)
{
    judo_zero3_destroy(&t->zero3);
    toy_layout_destroy(&t->layout);
}

static inline double train(trainer *t, int64_t from, int64_t to)
{
    double loss = 0;
    for (int64_t step = from; step <= to; step++) {
        assert_ok(toy_train_step(t->comm, t->zero3, step, &loss));
    }
    return loss;
}

/* free() it; NULL if there is no such kind. */
static inline float *kind_copy(judo_zero3 *zero3, int param, int kind)
{
    judo_zero3_owned part = judo_zero3_owned_part(zero3, param);
    float *there = judo_shard_kind_data(&part, kind);
    float *data = NULL;
    if (there != NULL) {
        data = test_device_get(there, part.count * 4);
    } else if (judo_shard_kind_is_kept(zero3, &part, kind)) {
        data = malloc((size_t)part.count * sizeof *data);
        assert_non_null(data);
        assert_ok(judo_zero3_get_weights(zero3, param, 0, part.count, data));
    }
    return data;
}

/* A sum over all state bits of all ranks that no two states share by accident: every element
 * counts with its place. */
static inline int64_t fingerprint(trainer *t)
{
    int64_t sum = 0;
    for (int p = 0; p < t->layout.num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(t->zero3, p);
        for (int kind = 0; part.count > 0 && kind < JUDO_SHARD_KINDS; kind++) {
            float *data = kind_copy(t->zero3, p, kind);
            for (int64_t i = 0; data && i < part.count; i++) {
                uint32_t bits;
                memcpy(&bits, &data[i], sizeof bits);
                uint64_t mixed = (uint64_t)bits * 0x9e3779b97f4a7c15u;
                mixed *= (uint64_t)((part.first + i) * 3 + kind) * 64 + (uint64_t)p + 1;
                sum = (int64_t)((uint64_t)sum + mixed);
            }
            free(data);
        }
    }
    int64_t halves[2] = {(int64_t)((uint64_t)sum & 0xffffffffu),
                         (int64_t)((uint64_t)sum >> 32)};
    assert_ok(judo_comm_sum_i64(t->comm, halves, 2));
    return (int64_t)((uint64_t)halves[0] + ((uint64_t)halves[1] << 32));
}

#endif
