#!/usr/bin/env bash
# evaluation.sh MODULE: judo_eval on emulated GPUs, two ranks, has the rewards of the CPU, and it is the device that scored.
# MODULE: libjudo_cuda_emulated.so of tests/emulator.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
export JUDO_DEVICE_MODULE=$1

evaluate() { # evaluate DEVICE: into $work/DEVICE.
    "$JUDO_MPIEXEC" -np 2 "$JUDO_PROGRAMS/judo_eval" "device=$1" model.path=base/model data.path=all.h5 data.prompts=compact data.limit=6 \
        eval.folder="$work/$1" eval.title=x eval.batch=2 eval.max_new_tokens=32 eval.max_tokens=512 eval.max_patches=256 eval.examples=0 \
        >"$work/$1.log" 2>&1 || { complain "evaluation on $1: exit code $?"; cat "$work/$1.log"; }
}

rewards() { # rewards DEVICE: the means of its metrics.json.
    grep -o '"rewards":{[^}]*}' "$work/$1/metrics.json"
}

evaluate cpu
evaluate cuda
grep -q "device .*emulation" "$work/cuda.log" || complain "not on the emulated GPU"
drawn=$(wc -l <"$work/cuda/samples.jsonl")
[ "$drawn" -ge 12 ] || complain "only $drawn completions"
grep -q "the device scored $drawn completions" "$work/cuda.log" || complain "the device did not score all $drawn"
grep -q "the device scored" "$work/cpu.log" && complain "the CPU is said to have scored as a device"
rewards cpu | grep -qE '"choice":(1|0\.[0-9])' || complain "no question earned anything: $(rewards cpu)"
[ "$(rewards cpu)" = "$(rewards cuda)" ] || complain "rewards of the CPU $(rewards cpu), of the device $(rewards cuda)"
mean=$(grep -o '"mean_tokens":[0-9.]*' "$work/cpu/metrics.json" | cut -d: -f2)
awk -v mean="$mean" 'BEGIN { exit !(mean > 0 && mean <= 32) }' || complain "completions of at most 32 tokens have $mean on average"
cmp -s "$work/cpu/samples.jsonl" "$work/cuda/samples.jsonl" || complain "other completions or scores in samples.jsonl"
finish "evaluation on emulated GPUs"
