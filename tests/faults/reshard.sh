# tests/faults/reshard.sh: class 6: a checkpoint of two ranks has the same bits on 1, 2, 3 and 4, and back.
whole two 2 steps=5 background=0
state=$(tail -n 2 "$work/two" | head -n 1)
start=$(milliseconds)
for ranks in 1 3 4 2; do
    launch $ranks "$bin/faults_job" check "$work/run/checkpoints"
    [ "$(tail -n 1 "$work/out")" = "$(grep '^state 4 ' "$work/two")" ] || complain "$ranks ranks load another state"
    launch $ranks "$bin/faults_job" train "$work/run/checkpoints" steps=5
    [ $code = 0 ] || complain "$ranks ranks do not go on"
    paste <(grep '^5 ' "$work/two") <(grep '^5 ' "$work/out") | while read -r _ a _ b; do printf '%.12f %.12f\n' "$a" "$b"; done |
        awk '{d = $1 - $2; if (d < 0) d = -d; if (d > 1e-6 * $1) exit 1; n++} END {exit n != 1}' || complain "$ranks ranks: another loss"
done
[ -n "$state" ] || complain "no state"
row 6 "2 ranks, then 1, 3, 4, 2" "same state bits, next loss within 1e-6" $(($(milliseconds) - start)) nothing
