/* stages/foreign_keys.c: what to write instead. */
#include "stages/foreign_keys.h"

#include <stddef.h>

const judo_config_hint judo_foreign_keys[] = {
    /* DeepSpeed */
    {"zero_hpz_partition_size", "judo calls it zero.group_size (or zero.hybrid, for machines); "
                                "optimizer state is sharded in the group as well"},
    {"stage3_prefetch_bucket_size",
     "judo calls it zero.prefetch and counts units of the model"},
    {"prefetch_bucket_size", "judo calls it zero.prefetch and counts units of the model"},
    {"allgather_bucket_size", "judo has one bucket for all messages, zero.bucket"},
    {"stage3_max_live_parameters",
     "judo holds the largest units and zero.prefetch more; see zero.resident_weights"},
    {"stage3_max_reuse_distance", "judo keeps what fits; see zero.resident_weights"},
    {"param_persistence_threshold", "judo calls it zero.persistence_threshold"},
    {"stage3_gather_16bit_weights_on_model_save",
     "all ranks write the model together; its dtype is model.save_dtype"},
    {"offload_param", "weights stay on the device; zero.stage=3 shards them, and "
                      "zero.offload_optimizer=cpu moves all else"},
    {"contiguous_gradients", "they always are; leave it out"},
    {"reduce_scatter", "gradients are always reduced so; leave it out"},
    {"allgather_partitions", "weights are always gathered so; leave it out"},
    {"round_robin_gradients", "every unit is sharded over all ranks; leave it out"},
    {"sub_group_size", "the optimizer works in place on the shards; leave it out"},
    {"gradient_accumulation_steps",
     "it follows from train.batch_size (over all ranks), train.micro_batch and the ranks"},
    {"bf16", "judo calls it model.dtype=bf16"},
    {"fp16", "judo computes in f32 or bf16: model.dtype"},
    {"prescale_gradients", "gradients travel as zero.gradient_dtype and are summed in f32"},
    {"gradient_predivide_factor", "gradients travel as zero.gradient_dtype, summed in f32"},
    {"wall_clock_breakdown", "judo calls it run.timeline_steps"},
    {"steps_per_print", "judo calls it run.log_every"},
    /* Transformers */
    {"gradient_checkpointing",
     "judo calls it model.activation_checkpointing: auto, none, selective or unit"},
    {"resume_from_checkpoint", "judo calls it run.resume, and resumes by itself"},
    {"report_to", "judo calls it run.tensorboard; metrics.jsonl is always written"},
    {"logging_dir", "it lies in run.folder"},
    {"dataset_name", "judo calls it data.path: a file written by `judo pack`"},
    {"freeze_vision_modules", "judo calls it model.freeze_vision"},
    {"use_cpu", "judo calls it device=cpu"},
    {"no_cuda", "judo calls it device=cpu"},
    {"deepspeed", "what its file says are keys of judo's own file: zero.*"},
    /* TRL's GRPO trainer */
    {"per_device_train_batch_size",
     "judo counts prompts over all ranks, grpo.prompts_per_step, of grpo.group_size each"},
    {"generation_batch_size", "judo calls it grpo.prompts_per_step and counts prompts"},
    {"steps_per_generation", "judo calls it grpo.updates_per_rollout"},
    {"max_prompt_length", "judo cuts no prompt; train.max_tokens bounds a whole group"},
    {"reward_weights",
     "judo calls them rewards.choice.weight, rewards.domain.weight and so on"},
    {"use_vllm", "judo draws completions itself; leave it out"},
    {"sync_ref_model", "the reference model is the one that the stage began with"},
    {NULL, NULL},
};
