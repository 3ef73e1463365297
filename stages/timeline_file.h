/* stages/timeline_file.h: some steps of a run as one picture of all ranks, and how much of the
 * communication was hidden behind work. */
#ifndef JUDO_STAGES_TIMELINE_FILE_H
#define JUDO_STAGES_TIMELINE_FILE_H

#include "stages/stage.h"

/* Around every step: recording starts before step run.timeline_from of this launch and ends
 * run.timeline_steps later (or with the run) with RUN/timeline.json. Collective. */
judo_status judo_timeline_file_before(judo_job *job, int64_t step) JUDO_MUST_CHECK;
judo_status judo_timeline_file_after(judo_job *job, int64_t step) JUDO_MUST_CHECK;

/* Puts comm/wait_time (seconds that the ranks stood still for each other since the last call,
 * mean over ranks) and comm/hidden (share of the time that collectives were under way in which
 * the ranks worked) among the metrics. Nothing on one rank. Collective. */
judo_status judo_communication_metrics(judo_job *job) JUDO_MUST_CHECK;

#endif
