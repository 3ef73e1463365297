/* parallel/checkpoint_writer.c: all ranks write, agree, and only then the name appears.
 *
 * A save goes through two stages, each done by a thread and ended by an agreement: WRITING
 * (every rank its shard file) and PUBLISHING (rank 0: manifest, name, `latest`, and what may
 * now go). The thread touches neither MPI nor the log nor anything that training changes. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parallel/agree.h"
#include "parallel/checkpoint_files.h"
#include "runtime/file.h"
#include "runtime/memory.h"
#include "runtime/log.h"

typedef enum save_stage { IDLE, WRITING, PUBLISHING } save_stage;

enum { MESSAGE_BYTES = 2048 };

struct judo_checkpoint_writer {
    judo_comm *comm;
    judo_zero3 *zero3;
    char *folder;
    judo_checkpoint_options options;
    judo_snapshot snapshot;
    int64_t saved; /* the last complete step; -1: none */

    /* Of the save under way. */
    save_stage stage;
    judo_checkpoint_places places;
    judo_manifest manifest;
    double began, copied, moved; /* moved: when `last_progress` was last seen to grow */
    int64_t last_progress;

    /* The thread's; read by others after the join, except for the two atomics. */
    pthread_t thread;
    bool has_thread;
    atomic_bool done;
    _Atomic int64_t progress;
    judo_shard_seal seal;
    judo_status result;
    char message[MESSAGE_BYTES];
    char cleaning_message[MESSAGE_BYTES]; /* of a removal that failed; empty: none did */
};

static void keep_message(judo_checkpoint_writer *self, judo_status status)
{
    self->result = status;
    self->message[0] = '\0';
    if (status != JUDO_OK) {
        (void)snprintf(self->message, sizeof self->message, "%s", judo_error_message());
    }
}

static void *write_shard(void *context)
{
    judo_checkpoint_writer *self = context;
    keep_message(self,
                 judo_shard_file_write(self->places.temporary, &self->snapshot,
                                       self->comm->rank, self->comm->size, self->manifest.step,
                                       &self->progress, &self->seal));
    atomic_store(&self->done, true);
    return NULL;
}

/* What cannot be removed costs disk space, not the run. */
static judo_status clean_up(const judo_checkpoint_writer *self)
{
    JUDO_TRY(judo_checkpoint_remove_leftovers(self->folder));
    return judo_checkpoint_prune(self->folder, self->manifest.step, self->options.keep);
}

static void *publish(void *context)
{
    judo_checkpoint_writer *self = context;
    const judo_param_layout *layout = judo_zero3_layout(self->zero3);
    keep_message(self, judo_checkpoint_places_publish(&self->places, &self->manifest, layout));
    if (self->result == JUDO_OK && clean_up(self) != JUDO_OK) {
        (void)snprintf(self->cleaning_message, sizeof self->cleaning_message, "%s",
                       judo_error_message());
    }
    atomic_store(&self->done, true);
    return NULL;
}

/* Signals are the main thread's business. Where no thread is to be had, the work is done here.
 */
static void start(judo_checkpoint_writer *self, void *(*work)(void *))
{
    sigset_t all;
    sigset_t before;
    self->result = JUDO_OK;
    atomic_store(&self->done, work == NULL);
    self->has_thread = false;
    if (work == NULL) {
        return;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    self->has_thread = pthread_create(&self->thread, NULL, work, self) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!self->has_thread) {
        (void)work(self);
    }
}

static void join(judo_checkpoint_writer *self)
{
    if (self->has_thread) {
        (void)pthread_join(self->thread, NULL);
        self->has_thread = false;
    }
}

static void end_save(judo_checkpoint_writer *self)
{
    judo_snapshot_written(&self->snapshot);
    judo_manifest_free(&self->manifest);
    judo_checkpoint_places_free(&self->places);
    self->stage = IDLE;
}

/* The save has failed on some rank; the agreed cause stays the thread's message. Rank 0 removes
 * what was written. */
static judo_status give_up(judo_checkpoint_writer *self, judo_status cause)
{
    char message[MESSAGE_BYTES];
    (void)snprintf(message, sizeof message, "%s", judo_error_message());
    int64_t step = self->manifest.step;
    if (self->comm->rank == 0 && judo_checkpoint_remove_leftovers(self->folder) != JUDO_OK) {
        JUDO_WARNING("could not clean up checkpoints: %s", judo_error_message());
    }
    end_save(self);
    if (!self->options.tolerant || judo_comm_is_broken(self->comm)) {
        return judo_error_set(cause, message);
    }
    if (self->comm->rank == 0) {
        JUDO_WARNING("no checkpoint of step %lld, training goes on: %s", (long long)step,
                     message);
    }
    return JUDO_OK;
}

static judo_status begin_publishing(judo_checkpoint_writer *self)
{
    JUDO_TRY(judo_comm_all_gather(self->comm, &self->seal, (int64_t)sizeof self->seal,
                                  self->manifest.seals));
    self->stage = PUBLISHING;
    start(self, self->comm->rank == 0 ? publish : NULL);
    return JUDO_OK;
}

static void report(const judo_checkpoint_writer *self)
{
    if (self->cleaning_message[0] != '\0') {
        JUDO_WARNING("could not clean up checkpoints: %s", self->cleaning_message);
    }
    JUDO_INFO("checkpoint %s: complete after %.2f s, of which training waited %.2f s",
              self->places.name, judo_clock() - self->began, self->copied - self->began);
}

/* No rank's thread is at work any more. */
static judo_status next_stage(judo_checkpoint_writer *self)
{
    join(self);
    judo_status status =
        self->result == JUDO_OK ? JUDO_OK : judo_error_set(self->result, self->message);
    status = judo_agree(self->comm, status);
    if (status != JUDO_OK) {
        return give_up(self, status);
    }
    if (self->stage == WRITING) {
        return begin_publishing(self);
    }
    report(self);
    self->saved = self->manifest.step;
    end_save(self);
    return JUDO_OK;
}

static judo_status check_progress(judo_checkpoint_writer *self, int64_t progress, int64_t busy)
{
    double now = judo_clock();
    if (progress != self->last_progress) {
        self->last_progress = progress;
        self->moved = now;
    }
    if (now - self->moved <= self->comm->deadline_seconds) {
        return JUDO_OK;
    }
    judo_comm_break(self->comm); /* threads that cannot be ended are left behind */
    return JUDO_FAIL(JUDO_ERROR_TIMEOUT,
                     "%s: %s: %lld ranks wrote nothing for %g s: the file system does not "
                     "answer",
                     self->folder, self->places.name, (long long)busy,
                     self->comm->deadline_seconds);
}

judo_status judo_checkpoint_writer_poll(judo_checkpoint_writer *writer)
{
    if (writer->stage == IDLE) {
        return JUDO_OK;
    }
    int64_t sums[2] = {!atomic_load(&writer->done), atomic_load(&writer->progress)};
    JUDO_TRY(judo_comm_sum_i64(writer->comm, sums, 2));
    return sums[0] > 0 ? check_progress(writer, sums[1], sums[0]) : next_stage(writer);
}

judo_status judo_checkpoint_writer_finish(judo_checkpoint_writer *writer)
{
    static const struct timespec nap = {.tv_nsec = 2000000};
    if (writer->stage != IDLE) {
        judo_comm_set_phase(writer->comm, "checkpoint save");
        writer->moved = judo_clock();
    }
    while (writer->stage != IDLE) {
        JUDO_TRY(judo_checkpoint_writer_poll(writer));
        if (writer->stage != IDLE && !atomic_load(&writer->done)) {
            (void)nanosleep(&nap, NULL);
        }
    }
    return JUDO_OK;
}

static judo_status describe(judo_checkpoint_writer *self, int64_t step, const char *state)
{
    int ranks = self->comm->size;
    self->manifest = (judo_manifest){.step = step, .world_size = ranks, .state = strdup(state)};
    self->manifest.seals = calloc((size_t)ranks, sizeof *self->manifest.seals);
    if (self->manifest.state == NULL || self->manifest.seals == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the manifest", self->folder);
    }
    return judo_checkpoint_places_make(self->folder, step, &self->places);
}

/* Everything up to the first byte of a shard file. Collective. */
static judo_status prepare(judo_checkpoint_writer *self, int64_t step, const char *state)
{
    int64_t needed = judo_shard_file_most_bytes(&self->snapshot);
    JUDO_TRY(judo_agree(self->comm, describe(self, step, state)));
    JUDO_TRY(judo_comm_sum_i64(self->comm, &needed, 1));
    judo_status status = JUDO_OK;
    if (self->comm->rank == 0) {
        needed += judo_manifest_most_bytes(&self->manifest, judo_zero3_layout(self->zero3));
        status = judo_checkpoint_places_prepare(&self->places, needed);
    }
    return judo_agree(self->comm, status);
}

/* Disk slower than the interval between saves: training waits, and says so. Collective. */
static judo_status finish_earlier(judo_checkpoint_writer *self)
{
    if (self->stage != IDLE) {
        JUDO_INFO("training waits: checkpoint %s is still being written", self->places.name);
    }
    return judo_checkpoint_writer_finish(self);
}

judo_status judo_checkpoint_writer_save(judo_checkpoint_writer *writer, int64_t step,
                                        const char *state)
{
    JUDO_TRY(finish_earlier(writer));
    judo_comm_set_phase(writer->comm, "checkpoint save");
    writer->began = judo_clock();
    judo_status status = prepare(writer, step, state);
    if (status == JUDO_OK) {
        status = judo_agree(writer->comm, judo_snapshot_take(&writer->snapshot, writer->zero3));
    }
    if (status != JUDO_OK) {
        return give_up(writer, status);
    }
    writer->copied = writer->moved = judo_clock();
    atomic_store(&writer->progress, 0);
    writer->last_progress = 0;
    writer->cleaning_message[0] = '\0';
    writer->stage = WRITING;
    start(writer, write_shard);
    return writer->options.background ? JUDO_OK : judo_checkpoint_writer_finish(writer);
}

/* Turns the background off on all ranks where one machine has no room for its ranks' copies.
 * Collective. */
static judo_status choose_background(judo_checkpoint_writer *self)
{
    judo_topology topology;
    if (!self->options.background) {
        return JUDO_OK;
    }
    JUDO_TRY(self->comm->ops->topology(self->comm, &topology));
    int64_t available = judo_memory_available() / topology.local_size;
    int64_t missing = self->snapshot.data_bytes - available;
    JUDO_TRY(judo_comm_max_i64(self->comm, &missing, 1));
    if (missing > 0) {
        self->options.background = false;
        if (self->comm->rank == 0) {
            JUDO_WARNING("a copy of the state in memory (%lld bytes on rank 0) has no room, "
                         "%lld bytes are missing: training will wait for checkpoints",
                         (long long)self->snapshot.data_bytes, (long long)missing);
        }
    }
    return JUDO_OK;
}

/* A word in time: the first save may be hours away. Collective. */
static judo_status look_at_disk(judo_checkpoint_writer *self)
{
    int64_t needed = judo_shard_file_most_bytes(&self->snapshot);
    int64_t available;
    JUDO_TRY(judo_comm_sum_i64(self->comm, &needed, 1));
    if (self->comm->rank == 0 && judo_file_free_bytes(self->folder, &available) == JUDO_OK &&
        available < needed) {
        JUDO_WARNING("%s: a checkpoint needs %lld bytes, the file system has %lld free now",
                     self->folder, (long long)needed, (long long)available);
    }
    return JUDO_OK;
}

static judo_status take_memory(judo_checkpoint_writer *self, const char *folder)
{
    self->folder = strdup(folder);
    if (self->folder == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    return judo_snapshot_create(self->zero3, false, &self->snapshot);
}

static judo_status open_writer(judo_checkpoint_writer *self, const char *folder)
{
    JUDO_TRY(judo_agree(self->comm, take_memory(self, folder)));
    JUDO_TRY(look_at_disk(self));
    JUDO_TRY(choose_background(self));
    judo_status status = JUDO_OK;
    if (self->options.background || judo_snapshot_must_copy(self->zero3)) {
        judo_snapshot_free(&self->snapshot);
        status = judo_snapshot_create(self->zero3, true, &self->snapshot);
    }
    return judo_agree(self->comm, status);
}

judo_status judo_checkpoint_writer_open(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                        const judo_checkpoint_options *options,
                                        judo_checkpoint_writer **out)
{
    judo_checkpoint_writer *writer = calloc(1, sizeof *writer);
    judo_status status = JUDO_OK;
    if (writer == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to save checkpoints");
    } else {
        writer->comm = comm;
        writer->zero3 = zero3;
        writer->options = *options;
        writer->saved = -1;
    }
    status = judo_agree(comm, status);
    if (status == JUDO_OK && writer != NULL) {
        status = open_writer(writer, folder);
    }
    if (status != JUDO_OK) {
        judo_checkpoint_writer_close(&writer);
        return status;
    }
    *out = writer;
    return JUDO_OK;
}

int64_t judo_checkpoint_writer_bytes(const judo_checkpoint_writer *writer)
{
    return writer->snapshot.copy != NULL ? writer->snapshot.data_bytes : 0;
}

int64_t judo_checkpoint_writer_saved(const judo_checkpoint_writer *writer)
{
    return writer->saved;
}

void judo_checkpoint_writer_close(judo_checkpoint_writer **writer)
{
    judo_checkpoint_writer *self = *writer;
    *writer = NULL;
    if (self == NULL) {
        return;
    }
    if (self->has_thread && judo_comm_is_broken(self->comm) && !atomic_load(&self->done)) {
        (void)pthread_detach(self->thread);
        return; /* it may still use all of this */
    }
    join(self);
    judo_manifest_free(&self->manifest);
    judo_checkpoint_places_free(&self->places);
    judo_snapshot_free(&self->snapshot);
    free(self->folder);
    free(self);
}

judo_status judo_checkpoint_save(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                 int64_t step, const char *state)
{
    const judo_checkpoint_options options = {0};
    judo_checkpoint_writer *writer = NULL;
    JUDO_TRY(judo_checkpoint_writer_open(comm, zero3, folder, &options, &writer));
    judo_status status = judo_checkpoint_writer_save(writer, step, state);
    judo_checkpoint_writer_close(&writer);
    return status;
}
