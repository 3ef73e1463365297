/* stages/train_config.c: the field table of a training job. */
#include "stages/train_config.h"

#include "runtime/device.h"
#include "runtime/dtype_choice.h"
#include "stages/foreign_keys.h"
#include "stages/sharding.h"

#define AT(member) offsetof(judo_train_config, member)

static const judo_config_field common_fields[] = {
    {"device", JUDO_CONFIG_CHOICE, AT(device), "auto", 0, 0, JUDO_DEVICE_CHOICES,
     "what the model computes on: CUDA, the CPU, or auto: CUDA where it works", NULL},
    {"run.folder", JUDO_CONFIG_STRING, AT(run.folder), NULL, 0, 0, NULL,
     "where checkpoints, metrics, samples and the trained model go", "output_dir"},
    {"run.seed", JUDO_CONFIG_INT, AT(run.seed), "42", 0, 9e15, NULL,
     "data order and sampling are pure functions of it", "seed"},
    {"run.resume", JUDO_CONFIG_CHOICE, AT(run.resume), "auto", 0, 0, "auto|never|must",
     "auto: go on from the newest checkpoint if there is one", NULL},
    {"run.save_every", JUDO_CONFIG_INT, AT(run.save_every), "500", 0, 1e9, NULL,
     "checkpoint every so many steps; 0: only at the end", "save_steps"},
    {"run.save_at_end", JUDO_CONFIG_BOOL, AT(run.save_at_end), "true", 0, 0, NULL,
     "write the last checkpoint and the trained model; false: for measurements, keep neither",
     NULL},
    {"run.keep_last", JUDO_CONFIG_INT, AT(run.keep_last), "2", 1, 1e6, NULL,
     "checkpoints to keep", "save_total_limit"},
    {"run.keep_every", JUDO_CONFIG_INT, AT(run.keep_every), "0", 0, 1e12, NULL,
     "keep also, for good, the first checkpoint at or behind every so many steps; 0: none",
     NULL},
    {"run.async_checkpoint", JUDO_CONFIG_BOOL, AT(run.async_checkpoint), "true", 0, 0, NULL,
     "training waits only for a copy of the state in memory, which is written beside it", NULL},
    {"run.on_save_error", JUDO_CONFIG_CHOICE, AT(run.on_save_error), "stop", 0, 0,
     "stop|continue", "what a checkpoint that cannot be written means for training", NULL},
    {"run.log_every", JUDO_CONFIG_INT, AT(run.log_every), "10", 0, 1e9, NULL,
     "print the metrics every so many steps; 0: never", "logging_steps"},
    {"run.tensorboard", JUDO_CONFIG_BOOL, AT(run.tensorboard), "true", 0, 0, NULL,
     "write TensorBoard event files", NULL},
    {"run.timeline_steps", JUDO_CONFIG_INT, AT(run.timeline_steps), "0", 0, 1000, NULL,
     "record what every rank does in so many steps to timeline.json (Chrome trace); 0: none",
     NULL},
    {"run.timeline_from", JUDO_CONFIG_INT, AT(run.timeline_from), "2", 0, 1e9, NULL,
     "steps of this launch before the recording starts", NULL},
    {"run.deadline_seconds", JUDO_CONFIG_FLOAT, AT(run.deadline_seconds), "600", 1, 1e6, NULL,
     "how long a rank waits for the others before the job ends with a report", "ddp_timeout"},
    {"model.path", JUDO_CONFIG_STRING, AT(model.path), NULL, 0, 0, NULL,
     "Hugging Face directory of a Qwen2.5-VL model", "model_name_or_path"},
    {"model.freeze_vision", JUDO_CONFIG_BOOL, AT(model.freeze_vision), "false", 0, 0, NULL,
     "do not train the vision tower", NULL},
    {"model.freeze_merger", JUDO_CONFIG_BOOL, AT(model.freeze_merger), "false", 0, 0, NULL,
     "do not train the merger", NULL},
    {"model.freeze_text", JUDO_CONFIG_BOOL, AT(model.freeze_text), "false", 0, 0, NULL,
     "do not train embedding, decoder and head", NULL},
    {"model.activation_checkpointing", JUDO_CONFIG_CHOICE, AT(model.activation_checkpointing),
     "auto", 0, 0, "auto|none|selective|unit",
     "what backward computes again: unit: all of a block from its input; selective: norms and "
     "activations, no matrix product; auto: on a GPU the least that its memory allows, else "
     "unit",
     NULL},
    {"model.dtype", JUDO_CONFIG_CHOICE, AT(model.dtype), "f32", 0, 0, JUDO_DTYPE_CHOICES,
     "what the model computes in; masters, moments and gradients of weights are f32",
     "torch_dtype"},
    {"model.save_dtype", JUDO_CONFIG_CHOICE, AT(model.save_dtype), "f32", 0, 0, "f32|bf16",
     "dtype of the saved model's weights", NULL},
    {"data.path", JUDO_CONFIG_STRING, AT(data.path), NULL, 0, 0, NULL,
     "dataset file written by `judo pack`", NULL},
    {"data.prompts", JUDO_CONFIG_CHOICE, AT(data.prompts), "judo", 0, 0, "judo|compact",
     "prompt wording: the paper's, or a very short one for small models", NULL},
    {"data.options", JUDO_CONFIG_CHOICE, AT(data.options), "dict", 0, 0, "dict|lines",
     "options of a question as the reference code's dictionary, or as lettered lines", NULL},
    {"data.targets", JUDO_CONFIG_CHOICE, AT(data.targets), "reference", 0, 0, "reference|paper",
     "spacing of the tags to learn, and 'None' or nothing for no anomaly", NULL},
    {"data.domain_text", JUDO_CONFIG_BOOL, AT(data.use_domain_text), "false", 0, 0, NULL,
     "put the domain snippet into the prompt (the paper's RAG row)", NULL},
    {"data.pre_resize", JUDO_CONFIG_INT, AT(data.pre_resize), "0", 0, 4096, NULL,
     "square that pictures were first resized to when packed (the reference code: 512); 0: "
     "none",
     NULL},
    {"data.limit", JUDO_CONFIG_INT, AT(data.limit), "0", 0, 1e12, NULL,
     "use only the first so many samples; 0: all", NULL},
    {"data.workers", JUDO_CONFIG_INT, AT(data.workers), "1", 1, 64, NULL,
     "loader threads per rank", "dataloader_num_workers"},
    {"train.max_steps", JUDO_CONFIG_INT, AT(train.max_steps), "0", 0, 1e12, NULL,
     "optimizer steps; 0: from train.epochs", "max_steps"},
    {"train.epochs", JUDO_CONFIG_FLOAT, AT(train.epochs), "1", 0, 1e6, NULL,
     "passes over the data", "num_train_epochs"},
    {"train.max_skipped_steps", JUDO_CONFIG_INT, AT(train.max_skipped_steps), "10", 1, 1e9,
     NULL, "so many steps in a row whose gradient is not finite end the run", NULL},
    {"optimizer.learning_rate", JUDO_CONFIG_FLOAT, AT(optimizer.learning_rate), "1e-6", 0, 10,
     NULL, "peak learning rate", "learning_rate"},
    {"optimizer.beta1", JUDO_CONFIG_FLOAT, AT(optimizer.beta1), "0.9", 0, 0.9999999, NULL,
     "AdamW's first moment decay", "adam_beta1"},
    {"optimizer.beta2", JUDO_CONFIG_FLOAT, AT(optimizer.beta2), "0.999", 0, 0.9999999, NULL,
     "AdamW's second moment decay", "adam_beta2"},
    {"optimizer.epsilon", JUDO_CONFIG_FLOAT, AT(optimizer.epsilon), "1e-8", 1e-30, 1, NULL,
     "AdamW's epsilon", "adam_epsilon"},
    {"optimizer.weight_decay", JUDO_CONFIG_FLOAT, AT(optimizer.weight_decay), "0", 0, 10, NULL,
     "decoupled; never on norms and biases", "weight_decay"},
    {"optimizer.clip_norm", JUDO_CONFIG_FLOAT, AT(optimizer.clip_norm), "1", 0, 1e9, NULL,
     "largest global gradient norm; 0: no clipping", "max_grad_norm|gradient_clipping"},
    {"optimizer.schedule", JUDO_CONFIG_CHOICE, AT(optimizer.schedule), "linear", 0, 0,
     "linear|cosine|constant", "how the rate falls after warm-up", "lr_scheduler_type"},
    {"optimizer.warmup_steps", JUDO_CONFIG_INT, AT(optimizer.warmup_steps), "0", 0, 1e9, NULL,
     "steps of linear warm-up", "warmup_steps"},
    {"optimizer.warmup_ratio", JUDO_CONFIG_FLOAT, AT(optimizer.warmup_ratio), "0", 0, 1, NULL,
     "the same as a share of all steps, when warmup_steps is 0", "warmup_ratio"},
    {"optimizer.minimum_ratio", JUDO_CONFIG_FLOAT, AT(optimizer.minimum_ratio), "0", 0, 1, NULL,
     "the rate's floor as a share of the peak", NULL},
    {NULL, JUDO_CONFIG_INT, 0, NULL, 0, 0, NULL, NULL, NULL},
};

static const judo_config_field sft_fields[] = {
    {"train.batch_size", JUDO_CONFIG_INT, AT(train.batch_size), "4", 1, 1e6, NULL,
     "samples of one optimizer step, over all ranks", "train_batch_size"},
    {"train.micro_batch", JUDO_CONFIG_INT, AT(train.micro_batch), "1", 1, 1e6, NULL,
     "samples packed into one pass on one rank",
     "per_device_train_batch_size|train_micro_batch_size_per_gpu"},
    {"train.deterministic", JUDO_CONFIG_BOOL, AT(train.deterministic), "false", 0, 0, NULL,
     "sums of a step in an order that 1, 2, 4, .. ranks do not change: the same bits, for "
     "log2(passes of a rank) gradient shards of memory more",
     NULL},
    {"train.normalization", JUDO_CONFIG_CHOICE, AT(train.normalization), "sample", 0, 0,
     "token|sample",
     "loss is the mean over all tokens of a step, or the mean of the samples' means (as the "
     "reference)",
     NULL},
    {"train.max_tokens", JUDO_CONFIG_INT, AT(train.max_tokens), "4096", 16, 1e7, NULL,
     "most tokens of one micro-batch; memory is planned for it", "max_length"},
    {"train.max_patches", JUDO_CONFIG_INT, AT(train.max_patches), "16384", 4, 1e7, NULL,
     "most image patches of one micro-batch; memory is planned for it", NULL},
    {NULL, JUDO_CONFIG_INT, 0, NULL, 0, 0, NULL, NULL, NULL},
};

static const judo_config_field grpo_fields[] = {
    {"grpo.prompts_per_step", JUDO_CONFIG_INT, AT(grpo.prompts_per_step), "8", 1, 1e6, NULL,
     "prompts of one rollout, over all ranks", NULL},
    {"grpo.group_size", JUDO_CONFIG_INT, AT(grpo.group_size), "16", 2, 4096, NULL,
     "completions drawn for each prompt", "num_generations"},
    {"grpo.max_new_tokens", JUDO_CONFIG_INT, AT(grpo.max_new_tokens), "256", 1, 1e6, NULL,
     "longest completion", "max_completion_length"},
    {"grpo.updates_per_rollout", JUDO_CONFIG_INT, AT(grpo.updates_per_rollout), "1", 1, 1000,
     NULL, "optimizer steps on one rollout", "num_iterations"},
    {"grpo.temperature", JUDO_CONFIG_FLOAT, AT(grpo.temperature), "0.8", 0.01, 100, NULL,
     "sampling temperature", "temperature"},
    {"grpo.top_k", JUDO_CONFIG_INT, AT(grpo.top_k), "50", 0, 1e6, NULL,
     "sampling: keep the k likeliest tokens; 0: off", "top_k"},
    {"grpo.top_p", JUDO_CONFIG_FLOAT, AT(grpo.top_p), "0.95", 0, 1, NULL,
     "sampling: keep this much probability; 1: off", "top_p"},
    {"grpo.min_p", JUDO_CONFIG_FLOAT, AT(grpo.min_p), "0", 0, 1, NULL,
     "sampling: drop tokens below this share of the best; 0: off", "min_p"},
    {"grpo.repetition_penalty", JUDO_CONFIG_FLOAT, AT(grpo.repetition_penalty), "1", 0.01, 100,
     NULL, "sampling: 1: off", "repetition_penalty"},
    {"grpo.logprob_temperature", JUDO_CONFIG_FLOAT, AT(grpo.logprob_temperature), "1", 0.01,
     100, NULL,
     "logits are divided by it in the loss (the reference code: 1 whatever the sampling)",
     NULL},
    {"grpo.kl_beta", JUDO_CONFIG_FLOAT, AT(grpo.kl_beta), "0.04", 0, 100, NULL,
     "weight of the k3 KL to the reference model; 0: no reference is loaded", "beta"},
    {"grpo.clip_low", JUDO_CONFIG_FLOAT, AT(grpo.clip_low), "0.2", 0, 1, NULL,
     "ratio is clipped below 1 - clip_low", "epsilon"},
    {"grpo.clip_high", JUDO_CONFIG_FLOAT, AT(grpo.clip_high), "-1", -1, 10, NULL,
     "ratio is clipped above 1 + clip_high; -1: as clip_low", "epsilon_high"},
    {"grpo.delta", JUDO_CONFIG_FLOAT, AT(grpo.delta), "0", 0, 1e6, NULL,
     "the ratio of a disadvantage counts no more than this (two-sided clip); 0: no bound",
     "delta"},
    {"grpo.loss", JUDO_CONFIG_CHOICE, AT(grpo.loss), "grpo", 0, 0,
     "grpo|bnpo|dr_grpo|dapo|luspo|gspo",
     "grpo: mean of the completions' means; bnpo, dapo: mean over all tokens; dr_grpo: sum / "
     "(completions x max_new_tokens); luspo: mean of the completions' sums; gspo: grpo with "
     "grpo.importance=sequence",
     "loss_type"},
    {"grpo.importance", JUDO_CONFIG_CHOICE, AT(grpo.importance), "token", 0, 0,
     "token|sequence",
     "the ratio to clip: of each token, or one of the whole completion (GSPO; clip_low 3e-4, "
     "clip_high 4e-4 suit it)",
     "importance_sampling_level"},
    {"grpo.mask_truncated", JUDO_CONFIG_BOOL, AT(grpo.mask_truncated), "false", 0, 0, NULL,
     "completions that reached max_new_tokens take no part in the loss",
     "mask_truncated_completions"},
    {"grpo.advantage_scale", JUDO_CONFIG_CHOICE, AT(grpo.advantage_scale), "group", 0, 0,
     "group|batch|none", "what a group's centred rewards are divided by", "scale_rewards"},
    {"run.check_replicas_every", JUDO_CONFIG_INT, AT(run.check_replicas_every), "50", 0, 1e9,
     NULL,
     "compare the ranks' whole copies of the weights behind every so many rollouts; 0: never",
     NULL},
    {"grpo.keep_samples", JUDO_CONFIG_BOOL, AT(grpo.keep_samples), "true", 0, 0, NULL,
     "write every step's completions and rewards to samples/", "log_completions"},
    {"train.max_tokens", JUDO_CONFIG_INT, AT(train.max_tokens), "16384", 16, 1e7, NULL,
     "most tokens of one group (prompt and completions); memory is planned for it", NULL},
    {"train.max_patches", JUDO_CONFIG_INT, AT(train.max_patches), "16384", 4, 1e7, NULL,
     "most image patches of one pass; memory is planned for it", NULL},
    {"rewards.minilm", JUDO_CONFIG_STRING, AT(minilm_path), "", 0, 0, NULL,
     "folder of all-MiniLM-L6-v2 (launch/get-minilm); empty: no domain reward", NULL},
    {NULL, JUDO_CONFIG_INT, 0, NULL, 0, 0, NULL, NULL, NULL},
};

judo_config_table judo_train_config_table(bool for_grpo)
{
    static const judo_config_field *const sft_parts[] = {common_fields, judo_sharding_fields,
                                                         sft_fields};
    static const judo_config_field *grpo_parts[4];
    static judo_config_field reward_fields[JUDO_REWARD_CONFIG_NUM_FIELDS + 1];
    if (for_grpo) {
        grpo_parts[0] = common_fields;
        grpo_parts[1] = judo_sharding_fields;
        grpo_parts[2] = grpo_fields;
        judo_reward_config_fields(AT(rewards), reward_fields);
        grpo_parts[3] = reward_fields;
        return (judo_config_table){
            .parts = grpo_parts, .num_parts = 4, .hints = judo_foreign_keys};
    }
    return (judo_config_table){.parts = sft_parts, .num_parts = 3, .hints = judo_foreign_keys};
}
