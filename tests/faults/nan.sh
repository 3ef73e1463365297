# tests/faults/nan.sh: class 7: one rank's gradient is not a number: all skip that step, nothing changes.
fresh
train 2 steps=4 every=1 do=nan phase=reduction step=3 rank=1
[ $code = 0 ] && grep -q '^3 .* skipped$' "$work/out" && [ "$(grep -c skipped "$work/out")" = 1 ] || complain "nan: not skipped just once"
state() { grep "^state $1 " "$work/out" | head -n 1 | cut -d' ' -f3; }
[ -n "$(state 2)" ] && [ "$(state 2)" = "$(state 3)" ] && [ "$(state 3)" != "$(state 4)" ] || complain "nan: the skipped step changed something"
row 7 "NaN in rank 1's gradient, step 3" "skipped by all, no bit changed" "$ms" "that step"
