/* models/schedule.h: the order in which units are acquired, fixed when the model is made. Each
 * acquire names the unit that comes next, so that its weights can travel meanwhile. */
#ifndef JUDO_MODELS_SCHEDULE_H
#define JUDO_MODELS_SCHEDULE_H

#include <stdbool.h>

#include "models/layout.h"

/* How far a backward pass must go for the trainable parts. */
typedef struct judo_reach {
    bool decoder;    /* through the decoder blocks */
    bool embeddings; /* gradient of the embedding rows themselves */
    bool merger;     /* into the merger */
    bool tower;      /* through the vision blocks down to the patches */
} judo_reach;

judo_reach judo_reach_of(const judo_freeze *freeze);

typedef struct judo_schedule {
    int *units;
    int length;
} judo_schedule;

/* Acquisitions of one pass. Free with judo_schedule_destroy. */
judo_status judo_schedule_create(const judo_qwen_config *config, const judo_reach *reach,
                                 bool backward, judo_schedule *out) JUDO_MUST_CHECK;
void judo_schedule_destroy(judo_schedule *schedule);

#endif
