# tests/faults/slow.sh: class 9: a rank that is slow is reported with factor and phase; the results are the same.
whole slow 2 steps=5
fresh
train 2 steps=5 do=slow phase=backward rank=1
[ $code = 0 ] && [ -z "$(unlike slow)" ] || complain "a slow rank: other numbers"
row 9 "rank 1 sleeps in backward" "same bits" "$ms" nothing
need_world
fresh
fault_path= inject 1 slow ,message, 30
stage 2 1 train.max_steps=3 run.log_every=1
[ $code = 0 ] && says 'warning: step [0-9]+: rank 1 is slow: .* times the others. work .* in forward and backward' ||
    complain "a slow rank: not reported"
row 9 "each message of rank 1 takes 30 ms" "$(grep -oE 'rank 1 is slow: [0-9.e+]+ times' "$work/err" | tail -n 1), phase named" "$ms" nothing
