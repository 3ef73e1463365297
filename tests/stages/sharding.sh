#!/usr/bin/env bash
# sharding.sh: a job's numbers do not depend on how it is sharded, nor does a checkpoint on who wrote it.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
options=(train.batch_size=8 train.micro_batch=1 train.max_steps=6)
strict=(zero.resident_weights=no zero.persistence_threshold=0)
train 4 1 stage-3 "${options[@]}" "${strict[@]}"
train 4 1 stage-3-ahead "${options[@]}" zero.resident_weights=no zero.prefetch=3 zero.overlap=false zero.bucket=2000
train 4 1 stage-2 "${options[@]}" zero_optimization.stage=2 # DeepSpeed's name
train 4 1 stage-1 "${options[@]}" zero.stage=1
train 4 1 stage-0 "${options[@]}" zero.stage=0
train 4 1 groups "${options[@]}" "${strict[@]}" zero.group_size=2
train 2 1 machines "${options[@]}" zero.hybrid=true zero.accumulate_locally=true
train 4 1 bf16 "${options[@]}" zero.gradient_dtype=bf16
for run in stage-3-ahead stage-2; do
    compare stage-3 $run 0 loss grad_norm entropy
done
for run in stage-1 stage-0 groups machines; do
    compare stage-3 $run 1e-5 loss grad_norm entropy
done
compare stage-3 bf16 1e-2 loss grad_norm

# A checkpoint goes from one sharding to another.
options=(train.batch_size=8 train.micro_batch=1 optimizer.schedule=constant)
train 4 1 moved "${options[@]}" train.max_steps=2 zero.group_size=2
train 2 1 moved "${options[@]}" train.max_steps=4 zero.stage=1
train 4 1 moved "${options[@]}" train.max_steps=6 zero.stage=0
train 4 1 whole "${options[@]}" train.max_steps=6 "${strict[@]}"
compare whole moved 1e-5 loss grad_norm

# Completions are drawn from lent weights as from copies.
for resident in no yes; do
    train 2 3 drawn-$resident train.max_steps=2 zero.resident_weights=$resident zero.persistence_threshold=0
done
compare drawn-no drawn-yes 0 loss grad_norm reward
same_samples drawn-no drawn-yes

# What is taken beside weights, gradients and moments is planned too.
planned() { # planned RUN WHAT: megabytes
    sed -n "s/.* $2  *\([0-9.]*\) MB\$/\1/p" "$work/$1.log" | head -1
}
holds() { # holds RUN CONDITION WHAT
    awk -v mb="$(planned "$1" "$3")" "BEGIN { exit !(mb + 0 $2) }" && return
    complain "$1: '$3' of '$(planned "$1" "$3")' MB is not $2" && grep " MB" "$work/$1.log"
}
holds drawn-no "> 0" "reference model"
holds drawn-no "> 0" "whole weights for drawing"
holds drawn-no "> 1" "keys, values, logits of drawing"
holds drawn-yes "== 0" "whole weights for drawing"
holds stage-3 "> 16" "exchange between ranks"
holds stage-3 "< 17" "exchange between ranks"
holds groups "> 50" "exchange between ranks" # two communicators more

refuse() { # refuse TEXT key=value ..
    "$JUDO_PROGRAMS/judo_stage1" stage1.yaml run.folder="$work/refused" "${@:2}" >"$work/refused.log" 2>&1 &&
        complain "$2 was accepted"
    grep -q "$1" "$work/refused.log" || { complain "$2: no word about it"; cat "$work/refused.log"; }
}
refuse "do not fill groups of 3" zero.group_size=3
refuse "shards nothing" zero.stage=0 zero.hybrid=true
finish sharding
