#!/usr/bin/env bash
# restart.sh STAGE RANKS STEPS [key=value ...]: a job whose rank is killed, and one that a signal stops, go on from their last
# checkpoint as if nothing had been: the same numbers to the last bit.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
stage=$1
ranks=$2
steps=$3
shift 3
options=("train.max_steps=$steps" run.save_every=4 "$@")
keys=(loss grad_norm entropy learning_rate num_tokens)
[ "$stage" != 3 ] || keys+=(kl reward reward_std)
train "$ranks" "$stage" whole "${options[@]}"

# interrupt RUN SIGNAL EXPECTED: sends the signal to the last rank in the middle of the run.
interrupt() {
    local code
    begin "$ranks" "$stage" "$1" "${options[@]}"
    wait_for "$1" 12
    kill "-$2" "$(rank_process "$job" $((ranks - 1)))"
    wait "$job"
    code=$?
    [[ $code =~ ^($3)$ ]] || { complain "$1: exit code $code, expected $3"; cat "$work/$1.log"; }
    [ ! -e "$work/$1/model/config.json" ] || complain "$1: came to its end"
}

interrupt killed KILL '[1-9][0-9]*'
cp "$work/killed/metrics.jsonl" "$work/before"
train "$ranks" "$stage" killed "${options[@]}"
compare whole killed 0 "${keys[@]}"
grep -Eq 'resuming .* at step (12|16|20|24) ' "$work/killed.log" || complain "killed: did not resume near step 12"
# Steps that were done twice had the same numbers the first time, too.
losses() { grep -o '"step":[0-9]*,\|"loss":[^,]*' "$1"; }
cmp -s <(losses "$work/before") <(losses "$work/killed/metrics.jsonl" | head -n "$(losses "$work/before" | wc -l)") ||
    complain "killed: other losses before the kill"

interrupt stopped USR1 75
train "$ranks" "$stage" stopped run.resume=must "${options[@]}"
compare whole stopped 0 "${keys[@]}"

for run in killed stopped; do
    cmp -s "$work/whole/model/model.safetensors" "$work/$run/model/model.safetensors" || complain "$run: another model in the end"
    [ "$stage" != 3 ] || same_samples whole $run
done
finish "stage $stage restarted on $ranks ranks"
