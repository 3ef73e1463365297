/* runtime/device_feed.c: two halves that take turns. */
#include "runtime/device_feed.h"

static void free_parts(judo_device_feed *feed)
{
    for (int i = 0; i < 2 && feed->device; i++) {
        feed->device->release_staging(feed->halves[i]);
        feed->device->event_destroy(feed->sent[i]);
    }
    *feed = (judo_device_feed){0};
}

static judo_status take_parts(judo_device_feed *feed)
{
    for (int i = 0; i < 2; i++) {
        void *memory = NULL;
        JUDO_TRY(feed->device->allocate_staging(&memory, JUDO_FEED_PIECE));
        feed->halves[i] = memory;
        JUDO_TRY(feed->device->event_create(&feed->sent[i]));
    }
    return JUDO_OK;
}

judo_status judo_feed_open(const judo_device *device, judo_device_feed *out)
{
    judo_device_feed feed = {.device = device};
    judo_status status = device->separate ? take_parts(&feed) : JUDO_OK;
    if (status != JUDO_OK) {
        free_parts(&feed);
        return status;
    }
    *out = feed;
    return JUDO_OK;
}

judo_status judo_feed_place(judo_device_feed *feed, void *to, void **place)
{
    if (!feed->halves[0]) {
        *place = to;
        return JUDO_OK;
    }
    bool left = false;
    JUDO_TRY(feed->device->event_done(feed->sent[feed->turn], &left));
    if (!left) {
        JUDO_TRY(feed->device->stream_finish(NULL));
    }
    *place = feed->halves[feed->turn];
    return JUDO_OK;
}

judo_status judo_feed_send(judo_device_feed *feed, void *to, int64_t bytes)
{
    if (!feed->halves[0]) {
        return JUDO_OK;
    }
    JUDO_TRY(feed->device->copy(to, feed->halves[feed->turn], bytes, NULL));
    JUDO_TRY(feed->device->event_record(feed->sent[feed->turn], NULL));
    feed->turn = 1 - feed->turn;
    return JUDO_OK;
}

judo_status judo_feed_close(judo_device_feed *feed)
{
    judo_status status =
        feed->halves[0] ? feed->device->stream_finish(NULL) : JUDO_OK; /* all have left */
    free_parts(feed);
    return status;
}
