# tests/faults/stop.sh: class 8: a rank that hangs is found within the deadline and named; in time, it may come back.
whole three 3 steps=7
phases=(forward save)
[ $quick = 0 ] || phases=(forward)
for phase in "${phases[@]}"; do
    fresh
    train 3 steps=7 deadline=3 do=stop phase="$phase" step=4 rank=2
    [ $code = 19 ] || complain "stopped in $phase: exit code $code, expected 19"
    [ "$ms" -lt 20000 ] || complain "stopped in $phase: found after $ms ms"
    says "OUTSTANDING" || complain "stopped in $phase: no record of collectives"
    [ $phase != forward ] || says 'wait for collective #[0-9]+ all_gather of block.[0-9], ' || complain "stopped in $phase: no unit named"
    says "rank 2 did not answer" || complain "stopped in $phase: nobody names the rank"
    good_state "stopped in $phase" three
    row 8 "SIGSTOP of rank 2 of 3 in $phase, deadline 3 s" "found, named, all ended" "$ms" "since the last save"
done

whole hang 2 steps=7
fresh
"$mpirun" -np 2 "$bin/faults_job" train "$work/run/checkpoints" steps=7 deadline=20 do=stop phase=forward step=4 rank=1 \
    >"$work/out" 2>"$work/err" </dev/null &
job=$!
start=$(milliseconds)
until grep -q '^3 ' "$work/out"; do sleep 0.05; done
sleep 1
for process in $(pgrep -P $job); do kill -CONT "$process"; done
wait $job
code=$?
[ $code = 0 ] && [ -z "$(unlike hang)" ] || complain "continued: ends with $code"
row 8 "the same, SIGCONT before the deadline" "goes on, same bits" $(($(milliseconds) - start)) nothing
