/* rewards/reward_filter.h: `judo reward`: one JSON request in, its rewards out. */
#ifndef JUDO_REWARDS_REWARD_FILTER_H
#define JUDO_REWARDS_REWARD_FILTER_H

#include "rewards/score.h"
#include "runtime/json.h"

/* Request: {"completion": text, "answer": "B", "cells": "(3,7)-(3,8)" (absent, null, "" or
 * "None": a normal image), "rationale": text (optional), "cosine": number (optional), "id":
 * text or number (optional, copied)}. "reference" is read as "answer". Appends to `writer` one
 * object:
 * {"id", "rewards": {name: value ..}, "total", "predicted_answer", "think_answer", "cells",
 * "cells_state", "cosine"}; rewards that do not apply are null. `source` ("file:line") names
 * the request in errors (JUDO_ERROR_FORMAT). `embedder` may be NULL. */
judo_status judo_reward_filter_row(const judo_reward_rules *rules,
                                   const judo_embedder *embedder, const judo_json *request,
                                   const char *source,
                                   judo_json_writer *writer) JUDO_MUST_CHECK;

/* The breakdown part alone, for sample files too: members "rewards", "total",
 * "predicted_answer", "think_answer", "cells", "cells_state" and "cosine" into the object that
 * is open. */
void judo_reward_values_write(const judo_reward_values *values, judo_json_writer *writer);

#endif
