#!/usr/bin/env bash
# split_master.sh GUARD: jobs whose fp32 weights are kept as halves go as those that keep them whole, take less memory and
# leave checkpoints that both kinds resume. GUARD: the module of tests/guard.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
bf16=(model.dtype=bf16 train.batch_size=4 train.micro_batch=1 optimizer.schedule=constant)
split=("${bf16[@]}" zero.split_master=true)
gathered=(zero.resident_weights=no zero.persistence_threshold=0)

# same RUN RUN STEP: not a bit of the losses and of the saved weights and moments differs.
same() {
    compare "$1" "$2" 0 loss grad_norm entropy
    "$JUDO_PROGRAMS/compare_state" base/model 0 "$work/$1/checkpoints/step-$3" "$work/$2/checkpoints/step-$3" ||
        complain "$1 and $2 end with other bits"
}

# From weights that are bf16 numbers the first step has the same bits. Behind it a few of the 10^5 lie halfway between two
# such numbers and are not rounded alike: close, not the same.
train 1 2 start "${bf16[@]}" train.max_steps=1 model.save_dtype=bf16
for steps in 1 4; do
    train 2 2 whole "${bf16[@]}" train.max_steps=$steps model.path="$work/start/model"
    train 2 2 split "${split[@]}" train.max_steps=$steps model.path="$work/start/model"
    [ $steps = 1 ] && same whole split 000001
done
compare whole split 2e-2 loss grad_norm entropy

# However it is sharded and wherever it lies.
train 1 1 alone "${split[@]}" train.deterministic=true zero.stage=0 train.max_steps=4
train 4 1 together "${split[@]}" train.deterministic=true "${gathered[@]}" train.max_steps=4
same alone together 000004
JUDO_DEVICE_MODULE=$1 train 2 2 device "${split[@]}" device=cuda train.max_steps=4 \
    model.path="$work/start/model"
grep -q "device .*guarded" "$work/device.log" || complain "not on the device"
same split device 000004

# From one kind to the other and back, in the background and not.
train 2 2 moved "${split[@]}" train.max_steps=1 model.path="$work/start/model"
train 4 2 moved "${bf16[@]}" zero.group_size=2 train.max_steps=2 model.path="$work/start/model"
train 2 2 moved "${split[@]}" "${gathered[@]}" run.async_checkpoint=false train.max_steps=4 model.path="$work/start/model"
compare whole moved 2e-2 loss grad_norm entropy

# With a frozen reference beside it, and the replicas compared.
train 2 3 drawn model.dtype=bf16 zero.split_master=true zero.stage=1 train.max_steps=2 grpo.prompts_per_step=2 grpo.max_new_tokens=12 \
    run.check_replicas_every=1

weights() { sed -n 's/.* weights  *\([0-9.]*\) MB$/\1/p' "$work/$1.log" | head -1; }
awk -v a="$(weights whole)" -v b="$(weights split)" 'BEGIN { exit !(b > 0 && b < 0.75 * a) }' ||
    complain "the plan has weights of $(weights whole) MB whole and $(weights split) split"

refuse() { # refuse TEXT key=value ..
    "$JUDO_PROGRAMS/judo_stage1" stage1.yaml run.folder="$work/refused" zero.split_master=true "${@:2}" \
        >"$work/refused.log" 2>&1 && complain "${*:2} was accepted"
    grep -q "$1" "$work/refused.log" || { complain "${*:2}: no word about it"; cat "$work/refused.log"; }
}
refuse "model.dtype is f32" model.dtype=f32
refuse "choose one of the two" model.dtype=bf16 zero.offload_optimizer=cpu
finish "split master"
