#!/usr/bin/env bash
# faults.sh PROGRAM MPIRUN: what becomes of a job of four ranks when one of them fails.
set -u
program=$1
mpirun=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
complain() { echo "FAILED $1"; cat "$work/err"; failures=$((failures + 1)); }

# launch EXPECTED-EXIT SECONDS MODE..: runs on four ranks; the exit code and the time must fit.
launch() {
    local expected=$1 limit=$2 begin=$SECONDS code
    shift 2
    "$mpirun" -np 4 "$program" "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ "$code" = "$expected" ] || complain "$*: exit code $code, expected $expected"
    [ $((SECONDS - begin)) -le "$limit" ] || complain "$*: took $((SECONDS - begin)) s"
}
errors() { grep -c 'error: ' "$work/err"; }

launch 12 10 agree
[ "$(errors)" = 1 ] && grep -q 'rank 3: no such picture' "$work/err" || complain "agree: one line that names the rank"

launch 75 10 signal
[ "$(errors)" = 0 ] || complain "signal: stopping on a signal is no error"

launch 19 20 sleep
grep -q "barrier,.*phase 'the test of sleep': OUTSTANDING" "$work/err" || complain "sleep: the record of collectives"
grep -q "did not complete within 1 s" "$work/err" || complain "sleep: the deadline's message"

launch 13 25 alone
grep -q "error: this rank met a bad file" "$work/err" || complain "alone: its own message"

# Killed in the middle and started again, the losses are the same to the last bit.
launch 0 20 train "$work/whole" 9
mv "$work/out" "$work/losses"
"$mpirun" -np 4 "$program" train "$work/broken" 9 6 >"$work/killed" 2>"$work/err"
[ $? != 0 ] || complain "train: the killed job ended well"
launch 0 20 train "$work/broken" 9
head -n 1 "$work/out" | grep -q '^5 ' || complain "train: did not resume behind step 4"
tail -n 5 "$work/losses" | cmp -s - "$work/out" || complain "train: other losses after the restart"
sort -n -u "$work/killed" "$work/out" | cmp -s - "$work/losses" || complain "train: other losses before the kill"

# On another number of ranks, to 1e-5.
for ranks in 1 2; do
    "$mpirun" -np $ranks "$program" train "$work/on-$ranks" 9 >"$work/out" 2>"$work/err" || complain "train on $ranks"
    paste <(cut -d' ' -f2 "$work/losses") <(cut -d' ' -f2 "$work/out") | while read -r a b; do
        printf '%.12f %.12f\n' "$a" "$b"
    done | awk '{d = $1 - $2; if (d < 0) d = -d; if (d > 1e-5 * $1) exit 1; n++} END {exit n != 9}' ||
        complain "train: other losses on $ranks ranks"
done

[ $failures = 0 ] && echo "faults: ok"
exit $((failures > 0))
