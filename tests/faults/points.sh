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
# lose_power AT [VARIABLE]: the job as one process, so that nothing of another rank stays; sets code.
lose_power() {
    fresh
    # In a shell of its own, whose word on the killed process nobody needs.
    (env LD_PRELOAD="$bin/judo_interpose.so" JUDO_FAULT_DO=powerloss JUDO_FAULT_CALLS=$calls JUDO_FAULT_AT="$1" \
        JUDO_FAULT_PATH=/checkpoints JUDO_FAULT_LOG="$work/calls" "${2:-JUDO_FAULT_UNSYNCED=}" \
        "$bin/faults_job" train "$work/run/checkpoints" "${settings[@]}" >"$work/out" 2>"$work/err" </dev/null
        exit $?) 2>/dev/null
    code=$?
}

# lose_power_at_all STRIDE: every state must be good. Then the same with syncs that do nothing, of files or of folders: if no state
# is bad now, the test sees nothing.
lose_power_at_all() {
    local stride=$1 total k kind bad tried=0 start
    rm -f "$work/calls"
    lose_power 0
    cp "$work/out" "$work/alone"
    total=$(wc -l <"$work/calls")
    start=$(milliseconds)
    for ((k = 1; k <= total; k += stride)); do
        lose_power $k
        [ $code = 137 ] || complain "power loss at call $k: ended with $code"
        done_before=$(last_step "$work/out")
        good_state "power loss at call $k" alone
        tried=$((tried + 1))
    done
    row 2 "power loss of one process, $tried of $total calls" "what was complete loads" $((($(milliseconds) - start) / tried)) "what was not complete"
    for kind in file folder; do
        bad=0
        start=$(milliseconds)
        for ((k = total / 2; k <= total; k += 2)); do
            lose_power $k JUDO_FAULT_UNSYNCED=$kind
            [ -z "$(is_good alone)" ] || bad=$((bad + 1))
        done
        [ $bad -gt 0 ] || complain "without syncs of ${kind}s nothing is lost: the test sees nothing"
        row 2 "control: syncs of ${kind}s do nothing" "seen: $bad bad states" $((($(milliseconds) - start) * 2 / total)) "as it must be"
    done
}
if [ $quick = 1 ]; then
    die_at_all 0 kill 23 SIGKILL
    lose_power_at_all 5
else
    die_at_all 0 kill 1 SIGKILL
    die_at_all 1 kill 3 SIGKILL
    lose_power_at_all 1
fi
