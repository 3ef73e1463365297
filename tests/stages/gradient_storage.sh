#!/usr/bin/env bash
# gradient_storage.sh GUARD: jobs that keep their gradients in bf16 go as those that keep them in fp32 but for a rounding a
# pass, take less memory and leave checkpoints that both resume. GUARD: the module of tests/guard.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
steps=(train.batch_size=8 train.micro_batch=1 optimizer.schedule=constant)
wide=("${steps[@]}" train.max_steps=4)
narrow=("${wide[@]}" zero.gradient_storage=bf16)
gathered=(zero.resident_weights=no zero.persistence_threshold=0)
least=(model.dtype=bf16 zero.split_master=true)

train 2 1 wide "${wide[@]}" zero.stage=1
train 1 1 alone "${narrow[@]}"
train 4 1 stage-3 "${narrow[@]}" "${gathered[@]}"
train 4 1 stage-1 "${narrow[@]}" zero.stage=1
train 4 1 groups "${narrow[@]}" zero.group_size=2 zero.gradient_dtype=bf16
for run in alone stage-3 stage-1 groups; do
    compare wide $run 1e-2 loss grad_norm entropy
done

# 14 bytes a weight, on a device; and where its optimizer is elsewhere.
train 2 2 least "${narrow[@]}" "${least[@]}"
JUDO_DEVICE_MODULE=$1 train 2 2 device "${narrow[@]}" "${least[@]}" device=cuda
JUDO_DEVICE_MODULE=$1 train 2 2 offloaded "${narrow[@]}" model.dtype=bf16 device=cuda zero.offload_optimizer=cpu
for run in device offloaded; do
    grep -q "device .*guarded" "$work/$run.log" || complain "$run: not on the device"
done
compare least device 0 loss grad_norm entropy
compare least offloaded 2e-2 loss grad_norm entropy

# A checkpoint says nothing of them.
train 2 1 moved "${steps[@]}" zero.gradient_storage=bf16 train.max_steps=2
train 4 1 moved "${steps[@]}" train.max_steps=3
train 1 1 moved "${narrow[@]}"
compare wide moved 1e-2 loss grad_norm

# Beside a frozen reference.
train 2 3 drawn train.max_steps=2 zero.gradient_storage=bf16 grpo.prompts_per_step=2 grpo.max_new_tokens=12

grep -q "BF16 *gradients of weights, summed over passes" "$work/alone.log" || complain "the table of dtypes does not name them"
gradients() { sed -n 's/.* gradients  *\([0-9.]*\) MB$/\1/p' "$work/$1.log" | head -1; }
awk -v a="$(gradients stage-1)" -v b="$(gradients wide)" 'BEGIN { exit !(a > 0 && a < 0.67 * b) }' ||
    complain "the plan has gradients of $(gradients wide) MB in fp32 and $(gradients stage-1) in bf16"

"$JUDO_PROGRAMS/judo_stage1" stage1.yaml run.folder="$work/refused" "${narrow[@]}" train.deterministic=true >"$work/refused.log" 2>&1 &&
    complain "a tree of gradients was accepted in bf16"
grep -q "zero.gradient_storage: .*choose one of the two" "$work/refused.log" || { complain "no word about it"; cat "$work/refused.log"; }
finish "gradient storage"
