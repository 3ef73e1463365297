/* tests/runtime/ops/cudnn_interpreter.h: in cudnn_library.c's place, a cuDNN that does graphs
 * of operations on the host, one after the other, by plain loops over doubles. Of each graph it
 * offers two configurations, the first of which says that it is not deterministic and cannot
 * be run. */
#ifndef JUDO_TESTS_RUNTIME_OPS_CUDNN_INTERPRETER_H
#define JUDO_TESTS_RUNTIME_OPS_CUDNN_INTERPRETER_H

#include "runtime/ops/cuda/cudnn_library.h"

enum { MOST_ATTRIBUTES = 16 };

typedef struct attribute {
    cudnnBackendAttributeName_t name;
    int64_t count;
    void *values;
} attribute;

typedef struct descriptor {
    cudnnBackendDescriptorType_t type;
    attribute attributes[MOST_ATTRIBUTES];
    int num_attributes;
    bool deterministic;       /* of configurations and engines */
    struct descriptor *graph; /* of configurations */
    double *values;           /* of a tensor in a graph that is being done */
    unsigned run;             /* whose they are */
} descriptor;

/* What was set; NULL: nothing. */
const attribute *interpreter_find(const descriptor *d, cudnnBackendAttributeName_t name);
descriptor *interpreter_part(const descriptor *d, cudnnBackendAttributeName_t name);
int interpreter_number(const descriptor *d, cudnnBackendAttributeName_t name);

/* Does `work` at once or in a stream's turn; every program has its own. */
void interpreter_queue(void *stream, void (*work)(void *state), void *state);

/* How graphs are done from now on, and how many were. */
typedef enum interpreter_fault {
    INTERPRETER_RIGHT,
    INTERPRETER_WRONG,    /* results are doubled */
    INTERPRETER_CHANGING, /* each run's are a little larger than the last one's */
    INTERPRETER_REFUSING, /* cudnnBackendExecute fails */
} interpreter_fault;

extern interpreter_fault interpreter_manner;
extern int interpreter_runs;

/* Does the operations of a graph with the memory of a variant pack. */
cudnnStatus_t interpreter_run(const descriptor *graph, const descriptor *pack, double factor);

#endif
