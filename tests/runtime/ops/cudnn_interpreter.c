/* tests/runtime/ops/cudnn_interpreter.c: the descriptors of cudnn_interpreter.h. */
#include "tests/runtime/ops/cudnn_interpreter.h"

#include "runtime/ops/cuda/cudnn_scores.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of_type(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
        return 1;
    default:
        return sizeof(int); /* enumerations */
    }
}

const attribute *interpreter_find(const descriptor *d, cudnnBackendAttributeName_t name)
{
    for (int i = 0; i < d->num_attributes; i++) {
        if (d->attributes[i].name == name) {
            return &d->attributes[i];
        }
    }
    return NULL;
}

descriptor *interpreter_part(const descriptor *d, cudnnBackendAttributeName_t name)
{
    const attribute *found = interpreter_find(d, name);
    return found ? *(descriptor *const *)found->values : NULL;
}

int interpreter_number(const descriptor *d, cudnnBackendAttributeName_t name)
{
    const attribute *found = interpreter_find(d, name);
    return found ? *(const int *)found->values : -1;
}

static cudnnStatus_t create_descriptor(cudnnBackendDescriptorType_t type,
                                       cudnnBackendDescriptor_t *out)
{
    descriptor *d = calloc(1, sizeof *d);
    if (!d) {
        return CUDNN_STATUS_ALLOC_FAILED;
    }
    d->type = type;
    *out = d;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t destroy_descriptor(cudnnBackendDescriptor_t of)
{
    descriptor *d = of;
    for (int i = 0; i < d->num_attributes; i++) {
        free(d->attributes[i].values);
    }
    free(d->values);
    free(d);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t set_attribute(cudnnBackendDescriptor_t of,
                                   cudnnBackendAttributeName_t name,
                                   cudnnBackendAttributeType_t type, int64_t count,
                                   const void *values)
{
    descriptor *d = of;
    size_t bytes = size_of_type(type) * (size_t)count;
    if (d->num_attributes == MOST_ATTRIBUTES || interpreter_find(d, name)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    void *copy = malloc(bytes + 1);
    if (!copy) {
        return CUDNN_STATUS_ALLOC_FAILED;
    }
    memcpy(copy, values, bytes);
    d->attributes[d->num_attributes++] = (attribute){name, count, copy};
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t get_attribute(cudnnBackendDescriptor_t of,
                                   cudnnBackendAttributeName_t name,
                                   cudnnBackendAttributeType_t type, int64_t count,
                                   int64_t *found, void *values)
{
    const descriptor *d = of;
    (void)type;
    *found = 1;
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && count >= 2) {
        descriptor *const *configs = values;
        configs[0]->deterministic = false;
        configs[1]->deterministic = true;
        configs[0]->graph = configs[1]->graph =
            interpreter_part(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
        *found = 2;
    } else if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
        (*(descriptor *const *)values)->deterministic = d->deterministic;
    } else if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
        *(cudnnBackendNumericalNote_t *)values = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
        *found = !d->deterministic;
    } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
        *(int64_t *)values = 512;
    } else {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize(cudnnBackendDescriptor_t of)
{
    (void)of;
    return CUDNN_STATUS_SUCCESS;
}

/* --- runs: cuDNN reads what is bound by value when a run is queued --- */

interpreter_fault interpreter_manner;
int interpreter_runs;

static struct {
    void *stream;
    cudnnStatus_t status; /* of runs that are done at once */
} queue;

typedef struct job {
    const descriptor *graph;
    descriptor *pack;
    float scale;
    double factor;
} job;

static void do_job(void *state)
{
    job *j = state;
    queue.status = interpreter_run(j->graph, j->pack, j->factor);
    (void)destroy_descriptor(j->pack);
    free(j);
}

static descriptor *copy_pack(const descriptor *from, float *scale)
{
    cudnnBackendDescriptor_t to = NULL;
    (void)create_descriptor(from->type, &to);
    for (int i = 0; i < from->num_attributes; i++) {
        const attribute *a = &from->attributes[i];
        (void)set_attribute(to, a->name, CUDNN_TYPE_INT64, a->count, a->values);
    }
    const attribute *ids = interpreter_find(to, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    void **pointers = interpreter_find(to, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)->values;
    for (int64_t i = 0; i < ids->count; i++) {
        if (((const int64_t *)ids->values)[i] == JUDO_CUDNN_SCALE) {
            *scale = *(const float *)pointers[i];
            pointers[i] = scale;
        }
    }
    return to;
}

static cudnnStatus_t execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                             cudnnBackendDescriptor_t pack)
{
    const descriptor *config = interpreter_part(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    job *j = malloc(sizeof *j);
    (void)handle;
    if (!j || !config->deterministic || interpreter_manner == INTERPRETER_REFUSING) {
        free(j);
        return CUDNN_STATUS_EXECUTION_FAILED;
    }
    interpreter_runs++;
    j->graph = config->graph;
    j->pack = copy_pack(pack, &j->scale);
    j->factor = interpreter_manner == INTERPRETER_WRONG ? 2.0
                : interpreter_manner == INTERPRETER_CHANGING
                    ? 1.0 + interpreter_runs % 2 / 128.0
                    : 1.0;
    queue.status = CUDNN_STATUS_SUCCESS;
    interpreter_queue(queue.stream, do_job, j);
    return queue.status;
}

static cudnnStatus_t set_stream(cudnnHandle_t handle, cudaStream_t stream)
{
    (void)handle;
    queue.stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

static const char *error_string(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_SUCCESS ? "success" : "a failure";
}

judo_cudnn_library judo_cudnn = {.version = 91900,
                                 .set_stream = set_stream,
                                 .error_string = error_string,
                                 .create_descriptor = create_descriptor,
                                 .destroy_descriptor = destroy_descriptor,
                                 .set_attribute = set_attribute,
                                 .get_attribute = get_attribute,
                                 .finalize = finalize,
                                 .execute = execute};

bool judo_cudnn_load(char reason[JUDO_CUDNN_REASON])
{
    reason[0] = '\0';
    return true;
}

bool judo_cudnn_open(char reason[JUDO_CUDNN_REASON])
{
    return judo_cudnn_load(reason);
}

int64_t judo_cudnn_version(void)
{
    return judo_cudnn.version;
}
