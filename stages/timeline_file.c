/* stages/timeline_file.c: every rank's spans, gathered and written by rank 0. */
#include "stages/timeline_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "parallel/agree.h"
#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/timeline.h"

/* Units, collectives and batches of a step of a 7B model are about a thousand spans. */
enum { CAPACITY = 200000 };

static int64_t first_recorded(const judo_job *job)
{
    return job->first_step + job->config->run.timeline_from;
}

/* The step at whose end the recording is written: the last one wanted, or of the run. */
static int64_t last_recorded(const judo_job *job)
{
    int64_t last = first_recorded(job) + job->config->run.timeline_steps - 1;
    return last < job->total_steps ? last : job->total_steps - 1;
}

judo_status judo_timeline_file_before(judo_job *job, int64_t step)
{
    if (job->config->run.timeline_steps == 0 || step != first_recorded(job)) {
        return JUDO_OK;
    }
    return judo_agree(job->comm, judo_timeline_start(job->comm->rank, CAPACITY));
}

/* Joins the ranks' pieces, each a list of events without its brackets. */
static judo_status write_joined(const char *path, const char *pieces, const int64_t *offsets,
                                int num_ranks)
{
    static const char head[] = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
    size_t room = sizeof head + (size_t)offsets[num_ranks] + 2 * (size_t)num_ranks + 8;
    char *text = malloc(room);
    if (text == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s (%zu bytes)", path, room);
    }
    size_t length = (size_t)snprintf(text, room, "%s", head);
    for (int r = 0; r < num_ranks; r++) {
        int64_t bytes = offsets[r + 1] - offsets[r];
        length += (size_t)snprintf(text + length, room - length, "%.*s%s", (int)bytes,
                                   pieces + offsets[r], r + 1 < num_ranks ? ",\n" : "\n");
    }
    length += (size_t)snprintf(text + length, room - length, "]}\n");
    judo_status status = judo_file_replace(path, text, length);
    free(text);
    return status;
}

/* This rank's events; the caller frees the writer. */
static judo_status write_own(judo_json_writer *events)
{
    judo_timeline_stop();
    judo_json_begin_array(events, NULL);
    judo_timeline_write(events);
    judo_json_end_array(events);
    if (judo_timeline_dropped() > 0) {
        JUDO_WARNING("the timeline is full: %lld spans are missing; lower run.timeline_steps",
                     (long long)judo_timeline_dropped());
    }
    return judo_json_writer_check(events);
}

static judo_status gather_and_write(judo_job *job, const judo_json_writer *events)
{
    char path[JUDO_CONFIG_STRING_BYTES + 32];
    char *pieces = NULL;
    int64_t *offsets = NULL;
    (void)snprintf(path, sizeof path, "%s/timeline.json", job->config->run.folder);
    /* Without the brackets: [ at the front, ] at the end. */
    JUDO_TRY(judo_comm_gather_bytes(job->comm, events->text + 1, (int64_t)events->length - 2,
                                    &pieces, &offsets));
    judo_status status = JUDO_OK;
    if (pieces != NULL) {
        status = write_joined(path, pieces, offsets, job->comm->size);
        if (status == JUDO_OK) {
            JUDO_INFO("timeline   %s: open it at https://ui.perfetto.dev", path);
        }
    }
    free(pieces);
    free(offsets);
    return judo_agree(job->comm, status);
}

judo_status judo_timeline_file_after(judo_job *job, int64_t step)
{
    if (job->config->run.timeline_steps == 0 || step < first_recorded(job) ||
        step != last_recorded(job)) {
        return JUDO_OK;
    }
    judo_json_writer events = {0};
    judo_status status = judo_agree(job->comm, write_own(&events));
    if (status == JUDO_OK) {
        status = gather_and_write(job, &events);
    }
    judo_json_writer_free(&events);
    judo_timeline_forget();
    return status;
}

judo_status judo_communication_metrics(judo_job *job)
{
    if (job->comm->size == 1) {
        return JUDO_OK;
    }
    judo_comm_times now = judo_comm_times_so_far(job->comm);
    double sums[2] = {now.in_flight - job->comm_times.in_flight,
                      now.waited - job->comm_times.waited};
    job->comm_times = now;
    JUDO_TRY(judo_comm_sum_f64(job->comm, sums, 2));
    judo_metrics_put(job->metrics, "comm/wait_time", sums[1] / job->comm->size);
    judo_metrics_put(job->metrics, "comm/hidden", sums[0] > 0 ? 1 - sums[1] / sums[0] : 0);
    return JUDO_OK;
}
