# tests/faults/points.sh: class 2: death at every open, write, sync, rename, truncate, unlink and mkdir of the checkpoints, by SIGKILL
# and by a loss of power that forgets what was not synced.
calls=,open,write,sync,rename,truncate,unlink,mkdir,
settings=(steps=5 keep=1)
whole points 2 "${settings[@]}"

# count_calls RANK: how many there are in the whole job.
count_calls() {
    fresh
    inject "$1" none $calls 0
    fault+=(-x "JUDO_FAULT_LOG=$work/calls")
    rm -f "$work/calls"
    train 2 "${settings[@]}"
    wc -l <"$work/calls"
}

# die_at_all RANK DEED STRIDE "name": at every STRIDEth call. After each, what is left is a state of the uninterrupted run; every
# fourth time the job also goes on from it.
die_at_all() {
    local rank=$1 deed=$2 stride=$3 name=$4 total k worst=0 tried=0 what
    total=$(count_calls "$rank")
    [ "$total" -gt 20 ] || complain "$name: only $total calls were counted"
    local start
    start=$(milliseconds)
    for ((k = 1; k <= total; k += stride)); do
        what="$name at call $(sed -n "${k}p" "$work/calls" | sed 's|/.*/checkpoints|checkpoints|')"
        fresh
        inject "$rank" "$deed" $calls "$k"
        train 2 "${settings[@]}"
        [ $code != 0 ] || complain "$what: the job ended well"
        done_before=$(last_step "$work/out")
        good_state "$what" points
        [ $((tried % 4)) != 0 ] || resume "$what" points 2 "${settings[@]}"
        [ "$lost" -le $worst ] || worst=$lost
        tried=$((tried + 1))
    done
    # In five steps a save begins behind the second and the fourth.
    [ $worst -lt 5 ] || complain "$name: $worst steps were lost"
    row 2 "$name of rank $rank, $tried of $total calls" "each time a state of the unbroken run" \
        $((($(milliseconds) - start) / tried)) "at most $worst steps"
}
if [ $quick = 1 ]; then
    die_at_all 0 kill 23 SIGKILL
    die_at_all 0 powerloss 29 "power loss"
else
    die_at_all 0 kill 1 SIGKILL
    die_at_all 1 kill 3 SIGKILL
    die_at_all 0 powerloss 1 "power loss"
fi
