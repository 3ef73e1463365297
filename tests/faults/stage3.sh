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
cp "$work/run/model/model.safetensors" "$work/model"
losses() { grep -oE '"step":[0-9]+,|"(loss|grad_norm|reward)":[^,}]*' "$work/run/metrics.jsonl"; }
losses >"$work/losses"
total=$(wc -l <"$work/calls")
points=8
[ $quick = 0 ] || points=1
start=$(milliseconds)
for ((i = 1; i <= points; i++)); do
    k=$((total * i / (points + 1)))
    fresh
    fault_path= inject 1 kill ,message, $k
    stage 2 3 "${settings[@]}"
    [ $code != 0 ] || complain "killed at message $k: ended well"
    stage 2 3 "${settings[@]}"
    [ $code = 0 ] || complain "killed at message $k: does not go on"
    cmp -s "$work/run/model/model.safetensors" "$work/model" || complain "killed at message $k: another model"
    cmp -s <(losses) "$work/losses" || complain "killed at message $k: other losses"
done
row 1 "SIGKILL in judo_stage3, $points of $total messages" "same model, same losses" $((($(milliseconds) - start) / points)) "since the last save"
