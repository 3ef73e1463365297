/* stages/sharding.c: from the configuration to sharding options. */
#include "stages/sharding.h"

#include "parallel/agree.h"
#include "runtime/dtype_choice.h"
#include "stages/device_memory.h"

#define AT(member) offsetof(judo_train_config, zero.member)

enum { RESIDENT_AUTO, RESIDENT_YES, RESIDENT_NO };

enum { OFFLOAD_NONE, OFFLOAD_CPU };

const judo_config_field judo_sharding_fields[] = {
    {"zero.stage", JUDO_CONFIG_INT, AT(stage), "3", 0, 3, NULL,
     "sharded over the ranks: 0: nothing; 1: optimizer state; 2: and gradients; 3: and weights",
     "zero_optimization.stage|zero_stage"},
    {"zero.hybrid", JUDO_CONFIG_BOOL, AT(hybrid), "false", 0, 0, NULL,
     "shard among the ranks of a machine, replicate across machines", NULL},
    {"zero.group_size", JUDO_CONFIG_INT, AT(group_size), "0", 0, 65536, NULL,
     "shard among so many ranks, replicate across such groups; 0: all ranks, or a machine's",
     "zero_optimization.mics_shard_size|mics_shard_size"},
    {"zero.resident_weights", JUDO_CONFIG_CHOICE, AT(resident_weights), "auto", 0, 0,
     "auto|yes|no",
     "stage 3: keep weights gathered for the whole step; auto: if a third of memory stays free",
     NULL},
    {"zero.persistence_threshold", JUDO_CONFIG_INT, AT(persistence_threshold), "100000", 0,
     1e15, NULL, "units of fewer weights stay gathered in any case",
     "zero_optimization.stage3_param_persistence_threshold|stage3_param_persistence_threshold"},
    {"zero.prefetch", JUDO_CONFIG_INT, AT(prefetch), "1", 0, JUDO_MAX_PREFETCH, NULL,
     "units fetched ahead", NULL},
    {"zero.accumulate_locally", JUDO_CONFIG_BOOL, AT(accumulate_locally), "false", 0, 0, NULL,
     "stages 2 and 3: keep whole gradients and sum them over ranks once per step", NULL},
    {"zero.gradient_dtype", JUDO_CONFIG_CHOICE, AT(gradient_dtype), "f32", 0, 0,
     JUDO_DTYPE_CHOICES, "in which gradients travel; they are summed in f32",
     "communication_data_type"},
    {"zero.gradient_storage", JUDO_CONFIG_CHOICE, AT(gradient_storage), "f32", 0, 0,
     JUDO_DTYPE_CHOICES,
     "in which a rank's sums of gradients are kept between the passes of a step; bf16: rounded "
     "once a pass, 2 bytes a weight less but for a buffer of one unit: with zero.split_master "
     "14 "
     "bytes of state a weight, for a model that fits no other way (7B on one GPU: 116 GB)",
     "data_types.grad_accum_dtype|grad_accum_dtype"},
    {"zero.bucket", JUDO_CONFIG_INT, AT(bucket), "4194304", 1024, 5e8, NULL,
     "elements of gradients under way at a time; 4 bytes of scratch each",
     "zero_optimization.reduce_bucket_size|reduce_bucket_size"},
    {"zero.overlap", JUDO_CONFIG_BOOL, AT(overlap), "true", 0, 0, NULL,
     "sum a unit's gradient while the next one's is computed, in a second buffer",
     "zero_optimization.overlap_comm|overlap_comm"},
    {"zero.split_master", JUDO_CONFIG_BOOL, AT(split_master), "false", 0, 0, NULL,
     "with model.dtype=bf16: keep fp32 weights as their bf16 half and the 16 bits behind it, 2 "
     "bytes a weight less; the update stays fp32",
     NULL},
    {"zero.offload_optimizer", JUDO_CONFIG_CHOICE, AT(offload_optimizer), "none", 0, 0,
     "none|cpu",
     "cpu: fp32 weights and moments stay in host memory, where the CPU updates them (with "
     "device=cpu they are there anyway)",
     "zero_optimization.offload_optimizer.device|offload_optimizer.device"},
    {NULL, JUDO_CONFIG_INT, 0, NULL, 0, 0, NULL, NULL, NULL},
};

static judo_status check(const judo_train_config *config)
{
    if (config->zero.stage == 0 && (config->zero.hybrid || config->zero.group_size > 1)) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "zero.stage: 0 shards nothing, but zero.%s asks for groups that do; "
                         "take stage 1, 2 or 3",
                         config->zero.hybrid ? "hybrid" : "group_size");
    }
    if (config->zero.split_master && judo_dtype_of_choice(config->model.dtype) != JUDO_BF16) {
        return JUDO_FAIL(
            JUDO_ERROR_CONFIG,
            "zero.split_master: splits fp32 weights into the bf16 weights that are "
            "computed with and the bits behind them, but model.dtype is f32: "
            "there is one copy of the weights already; take model.dtype=bf16 or "
            "leave it out");
    }
    if (config->train.deterministic &&
        judo_dtype_of_choice(config->zero.gradient_storage) != JUDO_F32) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "zero.gradient_storage: with train.deterministic=true passes are "
                         "summed as a tree that is kept in fp32; choose one of the two");
    }
    if (config->zero.split_master && config->zero.offload_optimizer == OFFLOAD_CPU) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "zero.split_master: with zero.offload_optimizer=cpu the fp32 weights "
                         "are in host memory, and the device has only what it computes with; "
                         "choose one of the two");
    }
    return JUDO_OK;
}

/* How many passes a rank makes in a step whose sums no number of ranks changes; 0 where they
 * are taken as they come. */
static judo_status deterministic_passes(const judo_job *job, int64_t *out)
{
    const judo_train_config *config = job->config;
    int64_t pass = config->train.micro_batch * job->comm->size;
    *out = 0;
    if (config->train.deterministic && config->train.batch_size % pass != 0) {
        return JUDO_FAIL(
            JUDO_ERROR_CONFIG,
            "train.deterministic: the %lld samples of a step do not fill passes of "
            "%lld on each of %d ranks; choose train.batch_size and "
            "train.micro_batch that do",
            (long long)config->train.batch_size, (long long)config->train.micro_batch,
            job->comm->size);
    }
    if (config->train.deterministic) {
        *out = config->train.batch_size / pass;
    }
    return JUDO_OK;
}

/* Whether every rank's machine has the room that whole weights need beside what is `taken`. */
static judo_status whole_weights_fit(const judo_job *job, const judo_zero3_options *options,
                                     int64_t taken, bool *out)
{
    int64_t available = 0;
    judo_zero3_bytes bytes;
    judo_zero3_options whole = *options;
    whole.whole_weights = true;
    judo_status status =
        judo_zero3_plan(judo_model_layout(job->model), job->comm->size, &whole, &bytes);
    JUDO_TRY(judo_agree(job->comm, status));
    JUDO_TRY(judo_device_memory_available(job, &available));
    int64_t refused = bytes.total + taken > available / 3 * 2;
    JUDO_TRY(judo_comm_max_i64(job->comm, &refused, 1));
    *out = !refused;
    return JUDO_OK;
}

/* What the configuration says of a model's weights, or of a frozen set. */
static judo_zero3_options options_of(const judo_job *job, bool frozen)
{
    const judo_train_config *config = job->config;
    judo_zero3_options options = judo_zero3_stage((int)config->zero.stage);
    options.frozen = frozen;
    options.compute_dtype = judo_dtype_of_choice(config->model.dtype);
    options.no_prefetch = config->zero.prefetch == 0;
    options.prefetch = (int)config->zero.prefetch;
    options.no_overlap = !config->zero.overlap;
    options.whole_below = config->zero.persistence_threshold;
    options.gradient_dtype = judo_dtype_of_choice(config->zero.gradient_dtype);
    options.gradient_storage = judo_dtype_of_choice(config->zero.gradient_storage);
    options.offload = config->zero.offload_optimizer == OFFLOAD_CPU && job->device->separate;
    options.split_master = config->zero.split_master;
    options.whole_gradients = options.whole_gradients || config->zero.accumulate_locally;
    if (config->zero.group_size > 0) {
        options.group_size = (int)config->zero.group_size;
    } else if (config->zero.hybrid) {
        options.group_size = JUDO_GROUP_OF_NODE;
    }
    return options;
}

/* `taken`: what the device will hold beside. Collective. */
static judo_status choose(const judo_job *job, bool frozen, int64_t taken,
                          judo_zero3_options *out)
{
    const judo_train_config *config = job->config;
    judo_zero3_options options = options_of(job, frozen);
    if (!frozen) {
        JUDO_TRY(
            judo_agree(job->comm, deterministic_passes(job, &options.deterministic_passes)));
    }
    JUDO_TRY(judo_zero3_group_size(job->comm, &options, &options.group_size));
    if (config->zero.stage == 3 && config->zero.resident_weights == RESIDENT_YES) {
        options.whole_weights = true;
    } else if (config->zero.stage == 3 && config->zero.resident_weights == RESIDENT_AUTO) {
        JUDO_TRY(whole_weights_fit(job, &options, taken, &options.whole_weights));
    }
    *out = options;
    return JUDO_OK;
}

judo_status judo_sharding_choose(judo_job *job)
{
    const int64_t bucket = job->config->zero.bucket * (int64_t)sizeof(float);
    const int64_t activations = judo_model_activation_bytes(job->model);
    JUDO_TRY(judo_agree(job->comm, check(job->config)));
    JUDO_TRY(choose(job, false, activations, &job->sharding));
    if (job->stage->for_grpo) {
        judo_zero3_bytes model;
        JUDO_TRY(
            judo_agree(job->comm, judo_zero3_plan(judo_model_layout(job->model),
                                                  job->comm->size, &job->sharding, &model)));
        JUDO_TRY(choose(job, true, activations + model.total, &job->reference_sharding));
    }
    return judo_agree(job->comm, judo_comm_set_bucket(job->comm, bucket));
}
