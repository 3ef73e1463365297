# tests/faults/clock.sh: class 16: the wall clock jumps by hours at every look, forth and back. Deadlines hold, checkpoints keep the
# order of their steps, and the numbers are the same.
whole clock 2 steps=7

jump() { # jump RANK: of all the clocks of that rank; the deadline is far below one jump
    fresh
    fault_path= inject "$1" jump "" 0
    train 2 steps=7 deadline=20 background=1 every=1 keep=2
    [ $code = 0 ] && [ "$(errors)" = 0 ] && [ -z "$(grep -v '^state' "$work/out" | grep -vxFf "$home/clock")" ] ||
        complain "a clock that jumps: ended with $code"
    [ "$(ls "$work/run/checkpoints")" = "$(printf 'latest\nstep-000006\nstep-000007')" ] ||
        complain "a clock that jumps: keeps $(ls "$work/run/checkpoints" | tr '\n' ' ')"
    [ "$(tail -n 1 "$work/out")" = "$(tail -n 1 "$home/clock")" ] || complain "a clock that jumps: another state"
    check && [ "$(cut -d' ' -f2 "$work/out")" = 7 ] || complain "a clock that jumps: loads $(cat "$work/out")"
    row 16 "wall clock of rank $1 jumps by 9 hours" "same bits, newest by step" "$ms" nothing
}

# A rank that stops is still found in the deadline's own seconds, though the others' clocks jump.
jump_and_stop() {
    fresh
    fault_path= inject 0 jump "" 0
    train 2 steps=7 deadline=3 do=stop phase=forward step=4 rank=1
    [ $code = 19 ] && says 'rank 1 did not answer' && says 'OUTSTANDING for 3\.' || complain "a clock that jumps, a rank that stops: ended with $code"
    row 16 "the same, rank 1 stopped, deadline 3 s" "found after 3 s, named" "$ms" "since the last save"
}

trial jump 0
trial jump 1
trial jump_and_stop
need_world
jumping_stage() {
    fresh
    stage 2 2 train.max_steps=4 run.save_every=2
    cp "$work/run/metrics.jsonl" "$work/before"
    fresh
    fault_path= inject 0 jump "" 0
    stage 2 2 train.max_steps=4 run.save_every=2
    losses() { grep -oE '"step":[0-9]+,|"(loss|grad_norm|learning_rate)":[^,}]*' "$1"; }
    [ $code = 0 ] && cmp -s <(losses "$work/before") <(losses "$work/run/metrics.jsonl") || complain "judo_stage2 by a jumping clock: $code"
    ! grep -qE '"(step_time|tokens_per_second|comm/[a-z_]*)":-' "$work/run/metrics.jsonl" || complain "a time below 0 in the metrics"
    row 16 "the same in judo_stage2" "same losses, no time below 0" "$ms" nothing
}
[ $quick = 1 ] || trial jumping_stage
