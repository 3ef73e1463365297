# tests/faults/stage3.sh: class 1 with the real program: rank 1 of judo_stage3 is killed at one of its messages, from the start
# through rollouts, forward, backward, reductions and saves to the end; then the same command again.
need_world
settings=(train.max_steps=4 run.save_every=2 grpo.max_new_tokens=12 grpo.prompts_per_step=2)
fresh
fault_path= inject 1 none ,message, 0
fault+=(-x "JUDO_FAULT_LOG=$work/calls")
rm -f "$work/calls"
stage 2 3 "${settings[@]}"
[ $code = 0 ] || complain "stage 3 ends with $code without a fault"
cp "$work/run/model/model.safetensors" "$home/model"
losses() { grep -oE '"step":[0-9]+,|"(loss|grad_norm|reward)":[^,}]*' "$work/run/metrics.jsonl"; }
losses >"$home/losses"
total=$(wc -l <"$work/calls")
points=8
[ $quick = 0 ] || points=1

killed_at() { # killed_at MESSAGE
    fresh
    fault_path= inject 1 kill ,message, "$1"
    stage 2 3 "${settings[@]}"
    [ $code != 0 ] || complain "killed at message $1: ended well"
    stage 2 3 "${settings[@]}"
    [ $code = 0 ] || complain "killed at message $1: does not go on"
    cmp -s "$work/run/model/model.safetensors" "$home/model" || complain "killed at message $1: another model"
    cmp -s <(losses) "$home/losses" || complain "killed at message $1: other losses"
}
for ((i = 1; i <= points; i++)); do trial killed_at $((total * i / (points + 1))); done
trials_done
row 1 "SIGKILL in judo_stage3, $points of $total messages" "same model, same losses" "$ms" "since the last save"
