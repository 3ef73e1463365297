#!/usr/bin/env bash
# resharding.sh: a run that goes on on another number of ranks (4, then 2, then 3, then 4) stays on its way to rounding, and what a
# number of ranks reads of another's checkpoint is the same bits.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
options=(optimizer.schedule=constant run.keep_last=4)
strict=(zero.resident_weights=no zero.persistence_threshold=0)
train 4 1 whole train.max_steps=24 "${options[@]}"
train 4 1 moved train.max_steps=6 "${options[@]}" "${strict[@]}"
train 2 1 moved train.max_steps=12 "${options[@]}"
train 3 1 moved train.max_steps=18 "${options[@]}" "${strict[@]}"
train 4 1 moved train.max_steps=24 "${options[@]}"
compare whole moved 1e-6 loss num_tokens
compare whole moved 1e-5 grad_norm entropy

# same_state STEP RANKS..: the run's checkpoint of a step, read and saved by each number of ranks in turn.
same_state() {
    local step first=$work/moved/checkpoints from ranks
    step=$(printf 'step-%06d' "$1")
    from=$first
    for ranks in "${@:2}"; do
        "$JUDO_MPIEXEC" -np "$ranks" "$JUDO_PROGRAMS/resave" base/model "$from/$step" "$work/by-$1-$ranks" ||
            complain "$step could not be read and saved by $ranks ranks"
        from=$work/by-$1-$ranks
        [ "$(find "$from/$step" -name 'shard-*.judo' | wc -l)" = "$ranks" ] || complain "$from has not $ranks shards"
        "$JUDO_PROGRAMS/compare_state" base/model 0 "$from/$step" "$first/$step" || complain "$ranks ranks hold another $step"
    done
}
same_state 6 2 3 4
same_state 12 3 4
same_state 18 4 1
finish resharding
