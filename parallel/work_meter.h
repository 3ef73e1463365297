/* parallel/work_meter.h: how long this rank has waited for others inside a communicator.
 */
#ifndef JUDO_PARALLEL_WORK_METER_H
#define JUDO_PARALLEL_WORK_METER_H

#include "parallel/comm.h"

/* Measures `comm` from now on: one communicator of a process. Not collective. */
void judo_work_meter_attach(judo_comm *comm);
/* Gives `comm` back what it had before. */
void judo_work_meter_detach(judo_comm *comm);
/* Seconds waited since attach. */
double judo_work_meter_waited(void);

#endif
