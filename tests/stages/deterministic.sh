#!/usr/bin/env bash
# deterministic.sh: with train.deterministic, 1, 2 and 4 ranks have the same bits in every loss, gradient norm, weight and moment,
# however the state is sharded, also where a run moves between numbers of ranks.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
options=(train.deterministic=true train.batch_size=12 optimizer.schedule=constant)
gathered=(zero.resident_weights=no zero.persistence_threshold=0)

# same RUN RUN: nothing differs.
same() {
    compare "$1" "$2" 0 loss grad_norm entropy mean_token_accuracy
    "$JUDO_PROGRAMS/compare_state" base/model 0 "$work/$1/checkpoints/step-000012" "$work/$2/checkpoints/step-000012" ||
        complain "$1 and $2 end with other bits"
}

train 1 2 one "${options[@]}" train.micro_batch=3 zero.stage=0 train.max_steps=12
train 2 2 two "${options[@]}" train.micro_batch=3 "${gathered[@]}" zero.bucket=2000 train.max_steps=12
train 4 2 four "${options[@]}" train.micro_batch=3 zero.stage=2 train.max_steps=12
same one two
same one four
train 4 2 moved "${options[@]}" train.micro_batch=3 train.max_steps=4 "${gathered[@]}"
train 1 2 moved "${options[@]}" train.micro_batch=3 train.max_steps=8
train 2 2 moved "${options[@]}" train.micro_batch=3 zero.overlap=false train.max_steps=12
same one moved

# Three passes on each of four ranks, twelve on one: sums that wait for their other halves.
train 1 1 alone "${options[@]}" train.micro_batch=1 model.dtype=bf16 train.max_steps=12
train 4 1 together "${options[@]}" train.micro_batch=1 model.dtype=bf16 "${gathered[@]}" train.max_steps=12
same alone together

refuse() { # refuse RANKS TEXT key=value ..
    "$JUDO_MPIEXEC" -np "$1" "$JUDO_PROGRAMS/judo_stage1" stage1.yaml run.folder="$work/refused" train.deterministic=true \
        train.batch_size=12 "${@:3}" >"$work/refused.log" 2>&1 && complain "$1 ranks with ${*:3} were accepted"
    grep -q "$2" "$work/refused.log" || { complain "$1 ranks with ${*:3}: no word about it"; cat "$work/refused.log"; }
}
refuse 3 "not for 3"
refuse 2 "do not fill passes of 4" train.micro_batch=4
refuse 2 "ZeRO stage 2 or 3 without groups" zero.stage=1
refuse 4 "ZeRO stage 2 or 3 without groups" zero.group_size=2
finish deterministic
