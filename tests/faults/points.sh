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

# die_at RANK DEED K "what" [ALSO]: what is left is a state of the uninterrupted run; with ALSO the job goes on from it.
die_at() {
    fresh
    inject "$1" "$2" $calls "$3"
    train 2 "${settings[@]}"
    [ $code != 0 ] || complain "$4: the job ended well"
    done_before=$(last_step "$work/out")
    good_state "$4" points
    [ -z "${5-}" ] || resume "$4" points 2 "${settings[@]}"
}

# die_at_all RANK DEED STRIDE "name": at every STRIDEth call; every fourth time the job also goes on.
die_at_all() {
    local rank=$1 deed=$2 stride=$3 name=$4 total k
    total=$(count_calls "$rank")
    [ "$total" -gt 20 ] || complain "$name: only $total calls were counted"
    for ((k = 1; k <= total; k += stride)); do
        trial die_at "$rank" "$deed" "$k" "$name at call $(sed -n "${k}p" "$work/calls" | sed 's|/.*/checkpoints|checkpoints|')" \
            $([ $((k / stride % 4)) != 0 ] || echo also)
    done
    trials_done
    # In five steps a save begins behind the second and the fourth.
    [ "$worst" -lt 5 ] || complain "$name: $worst steps were lost"
    row 2 "$name of rank $rank, $tried of $total calls" "each time a state of the unbroken run" "$ms" "at most $worst steps"
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

lose_power_at() {
    lose_power "$1"
    [ $code = 137 ] || complain "power loss at call $1: ended with $code"
    done_before=$(last_step "$work/out")
    good_state "power loss at call $1" alone
}

# lose_unsynced K KIND: adds a line to $home/bad if what is left is not good.
lose_unsynced() {
    lose_power "$1" "JUDO_FAULT_UNSYNCED=$2"
    [ -z "$(is_good alone)" ] || echo "$1" >>"$home/bad"
}

# lose_power_at_all STRIDE: every state must be good. Then the same with syncs that do nothing, of files or of folders: if no state
# is bad now, the test sees nothing.
lose_power_at_all() {
    local stride=$1 total k kind
    rm -f "$work/calls"
    lose_power 0
    cp "$work/out" "$home/alone"
    total=$(wc -l <"$work/calls")
    for ((k = 1; k <= total; k += stride)); do trial lose_power_at $k; done
    trials_done
    row 2 "power loss of one process, $tried of $total calls" "what was complete loads" "$ms" "what was not complete"
    for kind in file folder; do
        : >"$home/bad"
        for ((k = total / 2; k <= total; k += 2)); do trial lose_unsynced $k $kind; done
        trials_done
        [ -s "$home/bad" ] || complain "without syncs of ${kind}s nothing is lost: the test sees nothing"
        row 2 "control: syncs of ${kind}s do nothing" "seen: $(wc -l <"$home/bad") bad states" "$ms" "as it must be"
    done
}
if [ $quick = 1 ]; then
    die_at_all 0 kill 23 SIGKILL
    lose_power_at_all 5
else
    die_at_all 0 kill 1 SIGKILL
    die_at_all 1 kill 1 SIGKILL
    lose_power_at_all 1
fi
