# tests/faults/lock.sh: class 12: a second launch on a folder in use is refused, with the holder's host and process.
need_world
fresh
"$mpirun" -np 2 "$bin/judo_stage1" stage1.yaml run.folder="$work/run" train.max_steps=100000 >"$work/first" 2>&1 </dev/null &
job=$!
wait_until 60 grep -qs '"step":1,' "$work/run/metrics.jsonl" || complain "two launches: the first does not train"
start=$(milliseconds)
"$mpirun" -np 2 "$bin/judo_stage1" stage1.yaml run.folder="$work/run" >"$work/out" 2>"$work/err" </dev/null
code=$?
spent=$(($(milliseconds) - start))
[ $code = 10 ] && [ "$(errors)" = 1 ] && says 'another run is using this folder \(host .*, process [0-9]+\)' ||
    complain "two launches: the second ends with $code"
kill -USR1 $job # passed on to the ranks
wait $job
[ $? = 75 ] || complain "two launches: the first was disturbed"
row 12 "two launches on one folder" "the second refused, holder named" "$spent" nothing
