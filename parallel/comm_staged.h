/* parallel/comm_staged.h: the inside of the staged communicator, shared by comm_staged*.c. */
#ifndef JUDO_PARALLEL_COMM_STAGED_H
#define JUDO_PARALLEL_COMM_STAGED_H

#include "parallel/comm_device.h"

enum {
    JUDO_STAGED_JOBS = 9,  /* collectives outstanding at once: gathers and one reduction */
    JUDO_STAGED_PIECES = 3 /* one leaves the device, one travels, one comes back */
};

/* A collective that is under way. */
typedef struct judo_staged_job {
    bool used, is_reduction;
    bool complete;    /* all of it is queued to come back */
    int64_t turn;     /* jobs are served in this order, on every rank the same */
    int64_t sequence; /* of the flight recorder */
    const char *from; /* a gather's slice, */
    char *to;         /* result, */
    int64_t length;   /* and bytes of a slice; a reduction's elements of a slice */
    judo_reduction reduction;
    int64_t width; /* bytes or elements of every slice in one piece */
    int64_t num_pieces, num_taken, num_returned;
    judo_event *begun; /* the compute queue came to the start */
    judo_event *ended; /* the result is there */
} judo_staged_job;

/* A part of a job in staging memory. */
typedef struct judo_staged_piece {
    judo_staged_job *job;
    int64_t at, count; /* of every slice */
    char *memory;
    int request;      /* of the exchange, for a gather */
    judo_event *left; /* it is in staging memory */
    judo_event *back; /* it is out of it again */
} judo_staged_piece;

/* Piece number n lies in pieces[n % JUDO_STAGED_PIECES]. */
typedef struct judo_comm_staged {
    judo_comm base;
    const judo_device *device;
    judo_comm *wire;        /* host memory among the same ranks; carries nothing else */
    judo_stream *down, *up; /* from the device, and to it */
    judo_staged_job jobs[JUDO_STAGED_JOBS];
    int64_t num_turns;
    judo_staged_job *reduction; /* not yet finished; NULL: none */
    judo_staged_piece pieces[JUDO_STAGED_PIECES];
    int64_t piece_bytes;
    int64_t num_taken, num_sent, num_returned;
} judo_comm_staged;

/* comm_staged_pieces.c: moves all jobs on as far as they go without waiting. */
judo_status judo_staged_advance(judo_comm_staged *self) JUDO_MUST_CHECK;

#endif
