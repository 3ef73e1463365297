# tests/faults/stop.sh: class 8: a rank that hangs is found within the deadline and named; in time, it may come back. And ranks that
# disagree on what comes next.
whole three 3 steps=7
phases=(forward save)
[ $quick = 0 ] || phases=(forward)

stopped_in() { # stopped_in PHASE
    fresh
    train 3 steps=7 deadline=3 do=stop phase="$1" step=4 rank=2
    [ $code = 19 ] || complain "stopped in $1: exit code $code, expected 19"
    [ "$ms" -lt 20000 ] || complain "stopped in $1: found after $ms ms"
    says "OUTSTANDING" || complain "stopped in $1: no record of collectives"
    [ "$1" != forward ] || says 'wait for collective #[0-9]+ all_gather of block.[0-9], ' || complain "stopped in $1: no unit named"
    says "rank 2 did not answer" || complain "stopped in $1: nobody names the rank"
    good_state "stopped in $1" three
    row 8 "SIGSTOP of rank 2 of 3 in $1, deadline 3 s" "found, named, all ended" "$ms" "since the last save"
}

continued() {
    local job start process
    fresh
    "$mpirun" -np 2 "$bin/faults_job" train "$work/run/checkpoints" steps=7 deadline=20 do=stop phase=forward step=4 rank=1 \
        >"$work/out" 2>"$work/err" </dev/null &
    job=$!
    start=$(milliseconds)
    wait_until 60 grep -q '^3 ' "$work/out"
    sleep 1
    for process in $(pgrep -P $job); do kill -CONT "$process"; done
    wait $job
    code=$?
    [ $code = 0 ] && [ -z "$(unlike hang)" ] || complain "continued: ends with $code"
    row 8 "the same, SIGCONT before the deadline" "goes on, same bits" $(($(milliseconds) - start)) nothing
}

# Rank 1 leaves out one agreement: what it calls next is another collective than the others'.
diverged() {
    fresh
    train 3 steps=7 deadline=3 do=skip phase=data step=4 rank=1
    [ $code = 19 ] && says "diverged: rank 1 waits for collective #[0-9]+ all_gather of embed, .* but others for collective #[0-9]+ max_i64" ||
        complain "a collective left out: exit code $code"
    good_state "a collective left out" three
    row 8 "rank 1 of 3 leaves out a collective" "found, said who is where" "$ms" "since the last save"
}

whole hang 2 steps=7
for phase in "${phases[@]}"; do trial stopped_in "$phase"; done
trial continued
trial diverged
