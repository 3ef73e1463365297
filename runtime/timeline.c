/* runtime/timeline.c: spans in one array, filled under a lock. */
#include "runtime/timeline.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/log.h"

enum { NAME_BYTES = 32, LOADER_LANES = 64 };

typedef struct span {
    double began, ended;
    int32_t lane; /* judo_lane; further loader threads count on from JUDO_LANE_LOADER */
    char name[NAME_BYTES];
} span;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static span *spans;
static int64_t capacity, count, dropped;
static int own_rank;
static bool recording;
static double epoch; /* seconds since 1970 at judo_clock() 0 */
static pthread_t loader_threads[LOADER_LANES];
static int num_loader_threads;

judo_status judo_timeline_start(int rank, int64_t max_spans)
{
    judo_timeline_forget();
    span *room = calloc((size_t)max_spans, sizeof *room);
    if (room == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a timeline of %lld spans",
                         (long long)max_spans);
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)pthread_mutex_lock(&lock);
    epoch = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - judo_clock();
    spans = room;
    capacity = max_spans;
    own_rank = rank;
    recording = true;
    (void)pthread_mutex_unlock(&lock);
    return JUDO_OK;
}

void judo_timeline_stop(void)
{
    (void)pthread_mutex_lock(&lock);
    recording = false;
    (void)pthread_mutex_unlock(&lock);
}

void judo_timeline_forget(void)
{
    (void)pthread_mutex_lock(&lock);
    free(spans);
    spans = NULL;
    capacity = count = dropped = 0;
    num_loader_threads = 0;
    recording = false;
    (void)pthread_mutex_unlock(&lock);
}

/* The calling thread's lane among the loader's. */
static int32_t loader_lane(void)
{
    pthread_t self = pthread_self();
    for (int i = 0; i < num_loader_threads; i++) {
        if (pthread_equal(loader_threads[i], self)) {
            return JUDO_LANE_LOADER + i;
        }
    }
    if (num_loader_threads < LOADER_LANES) {
        loader_threads[num_loader_threads++] = self;
    }
    return JUDO_LANE_LOADER + num_loader_threads - 1;
}

void judo_timeline_span(judo_lane lane, const char *name, double began, double ended)
{
    (void)pthread_mutex_lock(&lock);
    if (recording && count == capacity) {
        dropped++;
    } else if (recording) {
        span *place = &spans[count++];
        place->began = began;
        place->ended = ended;
        place->lane = lane == JUDO_LANE_LOADER ? loader_lane() : (int32_t)lane;
        (void)snprintf(place->name, sizeof place->name, "%s", name);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* A metadata event: the name of the process or of a lane. */
static void write_name(judo_json_writer *events, const char *kind, int32_t lane,
                       const char *name)
{
    judo_json_begin_object(events, NULL);
    judo_json_put_string(events, "name", kind);
    judo_json_put_string(events, "ph", "M");
    judo_json_put_int(events, "pid", own_rank);
    judo_json_put_int(events, "tid", lane);
    judo_json_begin_object(events, "args");
    judo_json_put_string(events, "name", name);
    judo_json_end_object(events);
    judo_json_end_object(events);
}

static const char *const lane_names[] = {
    [JUDO_LANE_STEP] = "step",     [JUDO_LANE_COMPUTE] = "compute",
    [JUDO_LANE_GATHER] = "gather", [JUDO_LANE_REDUCE] = "reduce",
    [JUDO_LANE_WAIT] = "wait",     [JUDO_LANE_LOADER] = "loader",
};

static void write_span(judo_json_writer *events, const span *item)
{
    int32_t lane = item->lane < JUDO_LANE_LOADER ? item->lane : JUDO_LANE_LOADER;
    judo_json_begin_object(events, NULL);
    judo_json_put_string(events, "name", item->name);
    judo_json_put_string(events, "cat", lane_names[lane]);
    judo_json_put_string(events, "ph", "X");
    judo_json_put_int(events, "pid", own_rank);
    judo_json_put_int(events, "tid", item->lane);
    judo_json_put_double(events, "ts", 1e6 * (epoch + item->began));
    judo_json_put_double(events, "dur", 1e6 * (item->ended - item->began));
    judo_json_end_object(events);
}

void judo_timeline_write(judo_json_writer *events)
{
    char name[NAME_BYTES];
    (void)pthread_mutex_lock(&lock);
    (void)snprintf(name, sizeof name, "rank %d", own_rank);
    write_name(events, "process_name", 0, name);
    for (int32_t lane = 0; lane < JUDO_LANE_LOADER + num_loader_threads; lane++) {
        (void)snprintf(name, sizeof name, "loader %d", lane - JUDO_LANE_LOADER + 1);
        write_name(events, "thread_name", lane,
                   lane < JUDO_LANE_LOADER ? lane_names[lane] : name);
    }
    for (int64_t i = 0; i < count; i++) {
        write_span(events, &spans[i]);
    }
    (void)pthread_mutex_unlock(&lock);
}

int64_t judo_timeline_dropped(void)
{
    (void)pthread_mutex_lock(&lock);
    int64_t number = dropped;
    (void)pthread_mutex_unlock(&lock);
    return number;
}
