# tests/faults/replica.sh: class 17: a bit flips in one rank's copy of the weights.
whole replica 3 steps=7
fresh
train 3 steps=7 do=flip step=6 rank=1
[ $code = 17 ] && [ "$(errors)" = 1 ] && says 'weights of unit block.0 on rank 1 are not those of the others' ||
    complain "a flipped bit: exit code $code"
spent=$ms
done_before=$(last_step "$work/out")
resume "a flipped bit" replica 3 steps=7
row 17 "a bit flips in rank 1's copy of the weights" "rank and unit named, resumed to the bit" "$spent" "$lost steps"
fresh
train 2 steps=7 do=flip step=6 rank=1
[ $code = 17 ] && [ "$(errors)" = 1 ] && says 'ranks hold different weights of unit block.0' || complain "a flipped bit of two: exit code $code"
row 17 "the same with two ranks" "unit named; two cannot outvote" "$ms" "since the last save"
