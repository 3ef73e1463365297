#!/usr/bin/env bash
# device.sh GUARD: whole jobs on a device whose memory the host cannot reach have the CPU's numbers to the bit, and their
# checkpoints go to and fro. GUARD: the module of tests/guard.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
export JUDO_DEVICE_MODULE=$1

# both STAGE NAME [key=value ..]: the same job on the CPU and on the device.
both() {
    train 2 "$1" "$2-cpu" device=cpu "${@:3}"
    train 2 "$1" "$2-device" device=cuda "${@:3}"
    grep -q "device .*guarded" "$work/$2-device.log" || complain "$2: not on the device"
    asked_nothing "$2-device"
    compare "$2-cpu" "$2-device" 0 loss grad_norm entropy
    same_model "$2-cpu" "$2-device"
}

# asked_nothing RUN: the device's memory was planned, and neither it nor staging was asked for behind the first step.
asked_nothing() {
    grep -q "block of .* MB was used; 0 allocations behind the first step" "$work/$1.log" || complain "$1: memory was asked for"
    grep -q "memory was asked for" "$work/$1.log" && complain "$1: a rank asked for memory in the loop"
}

same_model() { # same_model RUN RUN: the same saved weights.
    local file found=0
    for file in "$work/$1"/model/*.safetensors; do
        found=1
        cmp -s "$file" "$work/$2/model/${file##*/}" || complain "$1 and $2: other weights in ${file##*/}"
    done
    [ $found = 1 ] || complain "$1: no model"
}

short=(train.batch_size=4 train.max_steps=3)
sharded=(zero.resident_weights=no zero.persistence_threshold=0 zero.bucket=4096)
both 1 stage-1 "${short[@]}" "${sharded[@]}"
both 2 stage-2 "${short[@]}" model.dtype=bf16 zero.stage=2 zero.offload_optimizer=cpu
grep -q "on the host: optimizer state" "$work/stage-2-device.log" || complain "no word about host memory"
grep -q "changes nothing on the CPU" "$work/stage-2-cpu.log" || complain "no word about an offload that changes nothing"
drawn=(train.max_steps=2 grpo.prompts_per_step=2 grpo.max_new_tokens=12 run.check_replicas_every=1)
both 3 stage-3 "${drawn[@]}" "${sharded[@]}"
same_samples stage-3-cpu stage-3-device

# On one rank, and what is done now and then: checkpoints in the foreground, reused rollouts, a late first look at the replicas.
alone=(device=cuda train.max_steps=5 run.save_every=2)
train 1 1 alone-1 "${alone[@]}" train.batch_size=4
train 1 2 alone-2 "${alone[@]}" train.batch_size=4 run.async_checkpoint=false
train 1 3 alone-3 "${alone[@]}" grpo.prompts_per_step=2 grpo.updates_per_rollout=2 grpo.max_new_tokens=12
train 2 3 late "${alone[@]}" "${sharded[@]}" grpo.prompts_per_step=3 grpo.max_new_tokens=12 run.check_replicas_every=3 \
    run.async_checkpoint=false grpo.kl_beta=0.04 model.dtype=bf16
for run in alone-1 alone-2 alone-3 late; do asked_nothing $run; done

# A run that changes its device on the way, in the background's copies and without.
legs=(train.batch_size=4 optimizer.schedule=constant "${sharded[@]}")
train 2 1 moved device=cpu train.max_steps=1 "${legs[@]}"
train 2 1 moved device=cuda train.max_steps=2 run.async_checkpoint=false "${legs[@]}"
train 2 1 moved device=cpu train.max_steps=3 "${legs[@]}"
train 2 1 whole device=cpu train.max_steps=3 "${legs[@]}"
compare whole moved 0 loss grad_norm
same_model whole moved

# Too little memory is found before the first step.
JUDO_GUARD_BYTES=3000000 "$JUDO_PROGRAMS/judo_stage1" stage1.yaml device=cuda run.folder="$work/small" train.max_tokens=64 \
    train.max_patches=16 >"$work/small.log" 2>&1 && complain "a device that is too small was accepted"
grep -q "memory is short by" "$work/small.log" || { complain "no plan of memory"; cat "$work/small.log"; }
finish device
