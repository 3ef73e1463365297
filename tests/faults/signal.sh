# tests/faults/signal.sh: class 11: a signal means a complete checkpoint and the code that the job script requeues on.
whole signal 2 steps=7
phases=(data backward optimizer save)
[ $quick = 0 ] || phases=(backward)
for phase in "${phases[@]}"; do
    for background in 0 1; do
        fresh
        train 2 steps=7 background=$background do=signal phase="$phase" step=4 rank=1
        spent=$ms
        [ $code = 75 ] && [ "$(errors)" = 0 ] || complain "signal in $phase: exit code $code, expected 75"
        done_before=$(last_step "$work/out")
        resume "signal in $phase" signal 2 steps=7
        [ "$lost" = 0 ] || complain "signal in $phase: $lost steps were lost"
        row 11 "SIGUSR1 in $phase, background=$background" "checkpoint complete, code 75" "$spent" "$lost steps"
    done
done
