/* runtime/device_feed.h: what the host makes for a device's memory piece by piece: one half of
 * some staging memory is filled while the other travels. Where the device's memory is the
 * host's own it is written in place and nothing travels. */
#ifndef JUDO_RUNTIME_DEVICE_FEED_H
#define JUDO_RUNTIME_DEVICE_FEED_H

#include "runtime/device.h"

enum { JUDO_FEED_PIECE = 4 << 20 }; /* bytes of a piece at most */

typedef struct judo_device_feed {
    const judo_device *device;
    char *halves[2]; /* NULL where nothing travels */
    judo_event *sent[2];
    int turn;
} judo_device_feed;

judo_status judo_feed_open(const judo_device *device, judo_device_feed *out) JUDO_MUST_CHECK;
/* Where the host writes a piece of at most JUDO_FEED_PIECE bytes that is meant for `to`. */
judo_status judo_feed_place(judo_device_feed *feed, void *to, void **place) JUDO_MUST_CHECK;
/* Sends what was written there. */
judo_status judo_feed_send(judo_device_feed *feed, void *to, int64_t bytes) JUDO_MUST_CHECK;
/* Waits until all of it is there, then frees; to be called after failures, too. */
judo_status judo_feed_close(judo_device_feed *feed) JUDO_MUST_CHECK;

#endif
