/* launch/judo_eval.c: the program judo_eval: accuracy by subtask, segmentation F1, rewards and
 * domain loss of a model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/banned_ids.h"
#include "eval/evaluate.h"
#include "launch/eval_memory.h"
#include "launch/local_model.h"
#include "launch/program.h"
#include "models/dtype_table.h"
#include "parallel/agree.h"
#include "rewards/text_embedder.h"
#include "runtime/device_choice.h"
#include "runtime/device_pool.h"
#include "runtime/dtype_choice.h"
#include "runtime/log.h"

typedef struct eval_config {
    char model[JUDO_CONFIG_STRING_BYTES], data[JUDO_CONFIG_STRING_BYTES],
        folder[JUDO_CONFIG_STRING_BYTES];
    char title[JUDO_CONFIG_STRING_BYTES], minilm[JUDO_CONFIG_STRING_BYTES];
    int device, dtype, prompts, options, targets, answers;
    bool use_domain_text, official;
    int64_t pre_resize, limit, batch, max_new_tokens, examples, max_tokens, max_patches;
    double deadline_seconds;
    judo_reward_config rewards;
} eval_config;

#define AT(member) offsetof(eval_config, member)

static const judo_config_field fields[] = {
    {"device", JUDO_CONFIG_CHOICE, AT(device), "auto", 0, 0, JUDO_DEVICE_CHOICES,
     "what the model computes on: CUDA, the CPU, or auto: CUDA where it works", NULL},
    {"model.path", JUDO_CONFIG_STRING, AT(model), NULL, 0, 0, NULL,
     "Hugging Face directory of a Qwen2.5-VL model", NULL},
    {"model.dtype", JUDO_CONFIG_CHOICE, AT(dtype), "f32", 0, 0, JUDO_DTYPE_CHOICES,
     "what the model computes in", "torch_dtype"},
    {"data.path", JUDO_CONFIG_STRING, AT(data), NULL, 0, 0, NULL,
     "dataset file written by `judo pack`", NULL},
    {"data.prompts", JUDO_CONFIG_CHOICE, AT(prompts), "judo", 0, 0, "judo|compact",
     "prompt wording, as in training", NULL},
    {"data.options", JUDO_CONFIG_CHOICE, AT(options), "lines", 0, 0, "dict|lines",
     "how a question lists its options", NULL},
    {"data.targets", JUDO_CONFIG_CHOICE, AT(targets), "reference", 0, 0, "reference|paper",
     "spacing of the tags in stage 1's texts, as in training", NULL},
    {"data.domain_text", JUDO_CONFIG_BOOL, AT(use_domain_text), "false", 0, 0, NULL,
     "put the domain snippet into the prompt (the paper's RAG row)", NULL},
    {"data.pre_resize", JUDO_CONFIG_INT, AT(pre_resize), "0", 0, 4096, NULL,
     "square that pictures were first resized to when packed; 0: none", NULL},
    {"data.limit", JUDO_CONFIG_INT, AT(limit), "0", 0, 1e12, NULL,
     "samples of each kind, chosen at random once and for all; 0: all", NULL},
    {"eval.folder", JUDO_CONFIG_STRING, AT(folder), NULL, 0, 0, NULL,
     "where metrics.json, samples.jsonl and overlays/ go", NULL},
    {"eval.title", JUDO_CONFIG_STRING, AT(title), "", 0, 0, NULL,
     "what the report calls this model; default: its path", NULL},
    {"eval.batch", JUDO_CONFIG_INT, AT(batch), "16", 1, 65536, NULL,
     "prompts completed at once on each rank", NULL},
    {"eval.max_new_tokens", JUDO_CONFIG_INT, AT(max_new_tokens), "1024", 1, 1e6, NULL,
     "longest completion", NULL},
    {"eval.max_tokens", JUDO_CONFIG_INT, AT(max_tokens), "8192", 16, 1e7, NULL,
     "most prompt tokens of one pass; memory is planned for it", NULL},
    {"eval.max_patches", JUDO_CONFIG_INT, AT(max_patches), "16384", 4, 1e7, NULL,
     "most image patches of one pass; memory is planned for it", NULL},
    {"eval.examples", JUDO_CONFIG_INT, AT(examples), "24", 0, 1e6, NULL,
     "samples of each kind drawn with mask and predicted cells", NULL},
    {"eval.answers", JUDO_CONFIG_CHOICE, AT(answers), "judo", 0, 0, "judo|mmad",
     "how a letter is read: JUDO's rule, or MMAD's (last letter, else the closest option)",
     NULL},
    {"eval.official", JUDO_CONFIG_BOOL, AT(official), "false", 0, 0, NULL,
     "leave unreadable answers out, as MMAD's script does, instead of counting them wrong",
     NULL},
    {"rewards.minilm", JUDO_CONFIG_STRING, AT(minilm), "", 0, 0, NULL,
     "folder of all-MiniLM-L6-v2 (launch/get-minilm); empty: no domain reward", NULL},
    {"run.deadline_seconds", JUDO_CONFIG_FLOAT, AT(deadline_seconds), "3600", 1, 1e6, NULL,
     "how long a rank waits for the others", NULL},
    {NULL, JUDO_CONFIG_INT, 0, NULL, 0, 0, NULL, NULL, NULL},
};

/* Everything that an evaluation stands on. */
typedef struct eval_parts {
    const judo_device *device;
    judo_tokenizer *tokenizer;
    judo_image_processor processor;
    judo_dataset *dataset;
    judo_local_model local;
    judo_text_embedder *encoder;
    judo_embedder embedder;
    judo_device_scorer *scorer;
    uint8_t *banned;
    judo_evaluation evaluation;
} eval_parts;

/* The plan of memory comes before the first of it is taken. */
static judo_status open_model(const eval_config *config, int local_rank, eval_parts *parts)
{
    const judo_device *chosen = NULL;
    const judo_dtype dtype = judo_dtype_of_choice(config->dtype);
    JUDO_TRY(judo_device_choose((judo_device_choice)config->device, local_rank, &chosen));
    parts->device = chosen;
    if (chosen->separate) {
        JUDO_TRY(judo_device_pool_open(chosen, &parts->device));
    }
    JUDO_TRY(judo_local_model_prepare(config->model, parts->device, config->max_tokens,
                                      config->max_patches, dtype, &parts->local));
    const judo_eval_memory memory = {.model = parts->local.model,
                                     .dtype = dtype,
                                     .minilm = config->minilm,
                                     .batch = config->batch,
                                     .max_tokens = config->max_tokens,
                                     .max_new_tokens = config->max_new_tokens};
    JUDO_TRY(judo_eval_memory_reserve(&memory));
    return judo_local_model_load(config->model, dtype, &parts->local);
}

static judo_status open_parts(const eval_config *config, int local_rank, eval_parts *parts)
{
    judo_evaluation *e = &parts->evaluation;
    char path[JUDO_CONFIG_STRING_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", config->model);
    JUDO_TRY(judo_tokenizer_open(config->model, &parts->tokenizer));
    JUDO_TRY(judo_tokenizer_specials(parts->tokenizer, &e->specials));
    JUDO_TRY(judo_image_processor_load(path, (int32_t)config->pre_resize, &parts->processor));
    JUDO_TRY(judo_dataset_open(config->data, parts->processor.fingerprint, &parts->dataset));
    JUDO_TRY(judo_reward_rules_resolve(&config->rewards, &e->rules));
    JUDO_TRY(open_model(config, local_rank, parts));
    JUDO_TRY(judo_banned_ids(parts->tokenizer, &e->specials,
                             judo_model_config(parts->local.model)->text.vocab_size,
                             &parts->banned));
    JUDO_TRY(judo_device_scorer_open(parts->device, parts->tokenizer, &parts->scorer));
    e->scorer = parts->scorer;
    if (config->minilm[0]) {
        JUDO_TRY(
            judo_text_embedder_open(config->minilm, JUDO_F32, parts->device, &parts->encoder));
        parts->embedder = judo_text_embedder_base(parts->encoder);
        e->embedder = &parts->embedder;
    }
    return JUDO_OK;
}

static void close_parts(eval_parts *parts)
{
    judo_text_embedder_close(&parts->encoder);
    judo_device_scorer_close(&parts->scorer);
    judo_local_model_close(&parts->local);
    judo_device_pool_close(&parts->device);
    judo_dataset_close(&parts->dataset);
    judo_tokenizer_close(&parts->tokenizer);
    free(parts->banned);
}

static void fill(const eval_config *config, judo_comm *comm, eval_parts *parts)
{
    judo_evaluation *e = &parts->evaluation;
    e->comm = comm;
    e->model = parts->local.model;
    e->params = judo_local_params_base(parts->local.params);
    e->text = (judo_sample_text){.tokenizer = parts->tokenizer,
                                 .processor = &parts->processor,
                                 .style = (judo_prompt_style)config->prompts,
                                 .options = (judo_option_layout)config->options,
                                 .targets = (judo_target_style)config->targets,
                                 .use_domain_text = config->use_domain_text};
    e->dataset = parts->dataset;
    e->banned = parts->banned;
    e->answer_mode = (judo_answer_mode)config->answers;
    e->limit = config->limit;
    e->batch = config->batch;
    e->max_new_tokens = config->max_new_tokens;
    e->num_examples = config->examples;
    e->folder = config->folder;
}

static void print_result(const eval_config *config, const judo_eval_result *result)
{
    judo_mmad_table table;
    judo_mmad_table_of(&result->counts, result->num_datasets, config->official, &table);
    judo_segmentation_metrics cells = judo_mmad_segmentation(&result->counts);
    JUDO_INFO("%s", result->title);
    for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS && result->num_datasets > 0; c++) {
        JUDO_INFO("  %-24s %6.2f %%", judo_mmad_column_titles[c],
                  table.percent[result->num_datasets][c]);
    }
    JUDO_INFO("  %-24s %6.3f mean over %lld pictures, %.0f %% well formed", "Segmentation F1",
              cells.mean_f1, (long long)cells.completions, 100 * cells.well_formed);
    JUDO_INFO("  %-24s %6.3f", "Mean reward", result->total_reward);
    for (int r = 0; r < JUDO_NUM_REWARDS; r++) {
        JUDO_INFO("    %-22s %6.3f", judo_rewards[r].name, result->rewards[r]);
    }
    JUDO_INFO("  %-24s %6.3f nats per token", "Domain loss", result->qa_loss);
}

static judo_status write_result(const eval_config *config, const judo_eval_result *result)
{
    char path[JUDO_CONFIG_STRING_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/metrics.json", config->folder);
    print_result(config, result);
    return judo_eval_result_write(path, result);
}

static judo_status evaluate(judo_comm *comm, void *target, int threads)
{
    (void)threads;
    const eval_config *config = target;
    eval_parts parts = {0};
    judo_topology topology;
    JUDO_TRY(comm->ops->topology(comm, &topology)); /* collective: before anything can fail */
    judo_eval_result *result = malloc(sizeof *result);
    judo_status status = result ? open_parts(config, topology.local_rank, &parts)
                                : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for an evaluation");
    judo_comm_set_deadline(comm, config->deadline_seconds);
    status = judo_agree(comm, status);
    if (status == JUDO_OK && result != NULL) {
        fill(config, comm, &parts);
        judo_dtype_table_log(judo_dtype_of_choice(config->dtype));
        judo_eval_result_clear(result);
        (void)snprintf(result->title, sizeof result->title, "%.127s",
                       config->title[0] ? config->title : config->model);
        (void)snprintf(result->model, sizeof result->model, "%s", config->model);
        (void)snprintf(result->answer_mode, sizeof result->answer_mode, "%s",
                       config->answers == 0 ? "judo" : "mmad");
        result->official = config->official;
        status = judo_evaluate(&parts.evaluation, result);
        if (status == JUDO_OK) {
            status = judo_agree(comm, comm->rank == 0 ? write_result(config, result) : JUDO_OK);
        }
    }
    close_parts(&parts);
    free(result);
    return status;
}

int main(int argc, char **argv)
{
    static judo_config_field reward_fields[JUDO_REWARD_CONFIG_NUM_FIELDS + 1];
    static eval_config config;
    judo_reward_config_fields(AT(rewards), reward_fields);
    const judo_config_field *const parts[] = {fields, reward_fields};
    judo_config_table table = {.parts = parts, .num_parts = 2};
    return judo_program_run("judo_eval",
                            "what a model makes of a packed dataset: MMAD accuracy, "
                            "segmentation, rewards, domain loss",
                            &table, &config, sizeof config, evaluate, argc, argv);
}
