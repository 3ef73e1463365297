/* runtime/ops/cuda/cudnn_plan.c: descriptors, and from a graph of operations to its plan (see
 * cudnn_graph.h). */
#include "runtime/ops/cuda/cudnn_descriptor.h"

#include <stdio.h>
#include <string.h>

enum { MOST_CONFIGS = 16 };

/* --- descriptors --- */

void judo_cudnn_graph_note(judo_cudnn_graph *graph, cudnnStatus_t status, const char *what)
{
    if (status != CUDNN_STATUS_SUCCESS && !graph->failed) {
        graph->failed = what;
        graph->status = status;
    }
}

cudnnBackendDescriptor_t judo_cudnn_graph_make(judo_cudnn_graph *graph,
                                               cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t made = NULL;
    if (graph->failed) {
        return NULL;
    }
    if (graph->num_owned == JUDO_CUDNN_DESCRIPTORS) {
        judo_cudnn_graph_note(graph, CUDNN_STATUS_INTERNAL_ERROR, "too many descriptors");
        return NULL;
    }
    judo_cudnn_graph_note(graph, judo_cudnn.create_descriptor(type, &made),
                          "create a descriptor");
    if (made) {
        graph->owned[graph->num_owned++] = made;
    }
    return made;
}

void judo_cudnn_graph_set(judo_cudnn_graph *graph, cudnnBackendDescriptor_t descriptor,
                          cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                          int64_t count, const void *values)
{
    if (!graph->failed) {
        judo_cudnn_graph_note(graph,
                              judo_cudnn.set_attribute(descriptor, name, type, count, values),
                              "set an attribute");
    }
}

void judo_cudnn_graph_set_part(judo_cudnn_graph *graph, cudnnBackendDescriptor_t descriptor,
                               cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part)
{
    judo_cudnn_graph_set(graph, descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                         (const void *)&part);
}

void judo_cudnn_graph_finish(judo_cudnn_graph *graph, cudnnBackendDescriptor_t descriptor,
                             const char *what)
{
    if (!graph->failed) {
        judo_cudnn_graph_note(graph, judo_cudnn.finalize(descriptor), what);
    }
}

void judo_cudnn_graph_clear(judo_cudnn_graph *graph)
{
    for (int i = graph->num_owned; i > 0; i--) {
        (void)judo_cudnn.destroy_descriptor(graph->owned[i - 1]);
    }
    graph->num_owned = 0;
}

/* --- plans --- */

static void finish_graph(judo_cudnn_graph *graph, const char *device_json)
{
    if (device_json) {
        graph->device = judo_cudnn_graph_make(graph, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
        judo_cudnn_graph_set(graph, graph->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                             CUDNN_TYPE_CHAR, (int64_t)strlen(device_json), device_json);
        judo_cudnn_graph_finish(graph, graph->device, "a device's description");
    }
    graph->graph = judo_cudnn_graph_make(graph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    judo_cudnn_graph_set(graph, graph->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS,
                         CUDNN_TYPE_BACKEND_DESCRIPTOR, graph->num_operations,
                         (const void *)graph->operations);
    if (!device_json) {
        judo_cudnn_graph_set(graph, graph->graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE,
                             CUDNN_TYPE_HANDLE, 1, (const void *)&judo_cudnn.handle);
    }
    judo_cudnn_graph_finish(graph, graph->graph, "the graph");
}

/* Whether a configuration's engine does not say that its bits differ from run to run. (9.19
 * does not say it of a backward pass that adds dq up in the order of arrival either: that this
 * graph asks for another form, and the comparison of two runs, are what counts.) */
static bool is_deterministic(judo_cudnn_graph *graph, cudnnBackendDescriptor_t config)
{
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = 0;
    cudnnBackendDescriptor_t engine =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    if (graph->failed ||
        judo_cudnn.get_attribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                                 (void *)&engine) != CUDNN_STATUS_SUCCESS ||
        judo_cudnn.get_attribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT,
                                 &count, notes) != CUDNN_STATUS_SUCCESS) {
        return false;
    }
    for (int64_t i = 0; i < count && i < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; i++) {
        if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) {
            return false;
        }
    }
    return true;
}

/* A plan of one of the heuristics' configurations; NULL: it cannot be built or takes too much.
 */
static cudnnBackendDescriptor_t try_config(judo_cudnn_graph *graph,
                                           cudnnBackendDescriptor_t config, int64_t most)
{
    int64_t bytes = 0;
    int64_t count = 0;
    cudnnBackendDescriptor_t built =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    judo_cudnn_graph_set_part(graph, built, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (graph->device) {
        judo_cudnn_graph_set_part(graph, built, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                  graph->device);
    } else {
        judo_cudnn_graph_set(graph, built, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE,
                             1, (const void *)&judo_cudnn.handle);
    }
    if (graph->failed) {
        return NULL;
    }
    graph->status = judo_cudnn.finalize(built);
    if (graph->status == CUDNN_STATUS_SUCCESS) {
        graph->status =
            judo_cudnn.get_attribute(built, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                     CUDNN_TYPE_INT64, 1, &count, &bytes);
    }
    if (graph->status != CUDNN_STATUS_SUCCESS || bytes < 0 || bytes > most) {
        return NULL;
    }
    graph->bytes = bytes;
    return built;
}

/* The heuristics' configurations, the most promising first; how many. */
static int64_t find_configs(judo_cudnn_graph *graph,
                            cudnnBackendDescriptor_t configs[MOST_CONFIGS])
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    int64_t count = 0;
    cudnnBackendDescriptor_t rule =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    judo_cudnn_graph_set_part(graph, rule, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph->graph);
    judo_cudnn_graph_set(graph, rule, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1,
                         &mode);
    if (graph->device) {
        judo_cudnn_graph_set_part(graph, rule, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, graph->device);
    }
    judo_cudnn_graph_finish(graph, rule, "the heuristics");
    for (int i = 0; i < MOST_CONFIGS; i++) {
        configs[i] = judo_cudnn_graph_make(graph, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    }
    if (!graph->failed) {
        judo_cudnn_graph_note(graph,
                              judo_cudnn.get_attribute(rule, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                       CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                                       MOST_CONFIGS, &count, (void *)configs),
                              "the heuristics' results");
    }
    return graph->failed ? 0 : count < MOST_CONFIGS ? count : MOST_CONFIGS;
}

bool judo_cudnn_graph_plan(judo_cudnn_graph *graph, int64_t most, const char *device_json,
                           char reason[JUDO_CUDNN_REASON])
{
    cudnnBackendDescriptor_t configs[MOST_CONFIGS];
    finish_graph(graph, device_json);
    int64_t count = find_configs(graph, configs);
    bool deterministic = count == 0;
    if (!graph->failed) {
        graph->status = CUDNN_STATUS_NOT_SUPPORTED;
    }
    for (int64_t i = 0; i < count && !graph->failed && !graph->plan; i++) {
        if (is_deterministic(graph, configs[i])) {
            deterministic = true;
            graph->plan = try_config(graph, configs[i], most);
        }
    }
    if (!graph->plan && !graph->failed) {
        graph->failed = !deterministic ? "no configuration is deterministic"
                        : graph->status == CUDNN_STATUS_SUCCESS
                            ? "no configuration has so small a workspace"
                            : "no configuration can be built";
    }
    if (graph->failed) {
        (void)snprintf(reason, JUDO_CUDNN_REASON, "%s: %s", graph->failed,
                       judo_cudnn.error_string(graph->status));
    }
    return !graph->failed;
}
