/* launch/doctor/probes.h: what `judo doctor` looks at. Each probe runs in a process of its own
 * with a time limit, says its findings to `out`, and changes nothing that stays. */
#ifndef JUDO_LAUNCH_DOCTOR_PROBES_H
#define JUDO_LAUNCH_DOCTOR_PROBES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/device.h"

typedef struct judo_doctor_request {
    const char *const *folders; /* [num_folders] where data or runs will lie */
    int num_folders;
    int64_t ranks; /* that a job will have on this machine; 0: not said */
    judo_device_choice device;
    int index; /* which folder, or which GPU; set for each call */
} judo_doctor_request;

void judo_doctor_build(FILE *out, const judo_doctor_request *request);
void judo_doctor_processor(FILE *out, const judo_doctor_request *request);
void judo_doctor_memory(FILE *out, const judo_doctor_request *request);
void judo_doctor_mpi(FILE *out, const judo_doctor_request *request);
void judo_doctor_slurm(FILE *out, const judo_doctor_request *request);
/* Of request->folders[request->index]. */
void judo_doctor_folder(FILE *out, const judo_doctor_request *request);
/* GPU request->index as a rank with that number on this machine would open it; tells whether it
 * could, and there may be one more. Says nothing of one behind the last that no rank needs. */
bool judo_doctor_gpu(FILE *out, const judo_doctor_request *request);

/* What each of the ranks does that the MPI probe starts: meets the others and says what it has;
 * the exit code of the process. */
int judo_doctor_rank(void);

/* The first line of a small file of the system; "" if it cannot be read. */
void judo_doctor_read_line(const char *path, char *out, int bytes);

/* Whether PATH has it. */
bool judo_doctor_has_command(const char *name);

#endif
