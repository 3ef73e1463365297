# tests/faults/disk.sh: classes 3 and 16: calls that fail, in part or for good, a full disk seen beforehand, and a slow one.
calls=,open,write,sync,rename,truncate,unlink,mkdir,
whole disk 2 steps=5 keep=1

# fail_at DEED K EXPECTED SETTINGS..: adds a line to $home/stopped if the job stopped.
fail_at() {
    local what="$1 at call $2" deed=$1 k=$2 expected=$3
    shift 3
    fresh
    inject 0 "$deed" $calls "$k"
    train 2 steps=5 keep=1 "$@"
    if [ $code = 0 ]; then
        [ -z "$(unlike disk)" ] || complain "$what: other numbers"
    else
        echo "$k" >>"$home/stopped"
        [ "$expected" = stops ] && [ $code = 12 ] && [ "$(errors)" = 1 ] && says 'checkpoints.*(space|error|Read-only)' ||
            complain "$what: ended with $code"
    fi
    [ -z "$(find "$work/run/checkpoints" -name '*.tmp' -o -name '*.partial.*' 2>/dev/null)" ] || complain "$what: left files behind"
    done_before=$(last_step "$work/out")
    good_state "$what" disk
}

# each_call DEED STRIDE EXPECTED SETTINGS..: the deed at every STRIDEth call of rank 0. EXPECTED: "goes on" or "stops" (the calls
# behind a complete checkpoint only warn).
each_call() {
    local deed=$1 stride=$2 expected=$3 k stopped
    shift 3
    : >"$home/stopped"
    for ((k = 1; k <= 70; k += stride)); do trial fail_at "$deed" "$k" "$expected" "$@"; done
    trials_done
    stopped=$(wc -l <"$home/stopped")
    [ "$expected" != stops ] || [ "$stopped" -gt $((tried / 2)) ] || complain "$deed: only $stopped of $tried stopped the job"
    row 3 "$deed, $tried calls${*:+, $*}" "$expected; old state loads" "$ms" "nothing complete"
}
stride=3
[ $quick = 0 ] || stride=37
each_call enospc $stride stops tolerant=0
each_call enospc $stride "goes on" tolerant=1
each_call eio $stride stops background=1
each_call short $stride "goes on"
calls=,write,sync,truncate,
each_call eintr 10 "goes on"
calls=,open,write,sync,rename,truncate,unlink,mkdir,
[ $quick = 1 ] || each_call erofs 10 stops

fresh
fault=(-x "LD_PRELOAD=$bin/judo_interpose.so" -x JUDO_FAULT_FREE=10000)
train 2 steps=5
[ $code = 12 ] && says 'needs [0-9]+ bytes, but the file system has only 10000 free' || complain "full disk: ended with $code"
[ -z "$(ls "$work/run/checkpoints")" ] || complain "full disk: something was written"
row 3 "10000 bytes free" "says both numbers before it writes" "$ms" "steps since the last save"

# Every sync takes a while: saves follow faster than the disk, and training waits for the one before.
fresh
inject 0 slow ,sync, 60
train 2 steps=8 every=1 background=1
[ $code = 0 ] && says 'training waits: checkpoint step-00000. is still being written' || complain "slow disk: ended with $code"
row 16 "syncs of 60 ms, a save per step" "one at a time, says that it waits" "$ms" nothing
