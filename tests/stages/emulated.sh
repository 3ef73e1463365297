#!/usr/bin/env bash
# emulated.sh MODULE: whole jobs on emulated GPUs, one for each rank, whose memory comes from one block each. MODULE:
# libjudo_cuda_emulated.so of tests/emulator.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
export JUDO_DEVICE_MODULE=$1

small=(device=cuda train.max_steps=3 train.max_tokens=512 train.max_patches=256 run.save_every=2 run.deadline_seconds=600)
sharded=(zero.resident_weights=no zero.persistence_threshold=0)
train 1 1 one "${small[@]}" train.batch_size=1 run.async_checkpoint=false
train 2 2 two "${small[@]}" train.batch_size=2 model.dtype=bf16 zero.stage=2
train 2 3 three "${small[@]}" "${sharded[@]}" grpo.prompts_per_step=2 grpo.group_size=2 grpo.max_new_tokens=9 grpo.kl_beta=0.04
for run in one two three; do
    grep -q "device .*emulation" "$work/$run.log" || complain "$run: not on the emulated GPU"
    asked_nothing $run
done
for run in two three; do grep -q "exchange device memory by NCCL" "$work/$run.log" || complain "$run: not by NCCL"; done
finish "emulated jobs"
