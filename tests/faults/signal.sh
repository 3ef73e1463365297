# tests/faults/signal.sh: class 11: a signal means a complete checkpoint and the code that the job script requeues on; a second one
# ends the job at once, also in the middle of that checkpoint.
whole signal 2 steps=7
phases=(data backward optimizer save)
[ $quick = 0 ] || phases=(backward)

signal_in() { # signal_in PHASE BACKGROUND
    fresh
    train 2 steps=7 background="$2" do=signal phase="$1" step=4 rank=1
    spent=$ms
    [ $code = 75 ] && [ "$(errors)" = 0 ] || complain "signal in $1: exit code $code, expected 75"
    done_before=$(last_step "$work/out")
    resume "signal in $1" signal 2 steps=7
    [ "$lost" = 0 ] || complain "signal in $1: $lost steps were lost"
    row 11 "SIGUSR1 in $1, background=$2" "checkpoint complete, code 75" "$spent" "$lost steps"
}

# The first signal comes in step 3; the disk is so slow that its checkpoint, of step 3, takes many seconds. The second comes 2.5 s
# into it: signals within two seconds are one request, as launchers pass on the same one on several ways.
signal_again() { # signal_again SIGNAL
    local job start
    fresh
    inject 0 slow ,sync, 4000
    "$mpirun" -np 2 "${fault[@]}" "$bin/faults_job" train "$work/run/checkpoints" steps=7 every=100 do=signal phase=backward step=3 \
        rank=0 >"$work/out" 2>"$work/err" </dev/null &
    job=$!
    fault=()
    wait_until 60 [ -e "$work/run/checkpoints/step-000003.tmp" ] || complain "second signal: no checkpoint is written"
    sleep 2.5
    [ ! -e "$work/run/checkpoints/step-000003" ] || complain "second signal: the checkpoint was complete before it came"
    start=$(milliseconds)
    kill "-$1" "$(rank_process $job 0)"
    wait $job
    code=$?
    ms=$(($(milliseconds) - start))
    [ $code != 0 ] && [ $code != 75 ] || complain "second signal: exit code $code"
    [ $ms -lt 3000 ] || complain "second signal: it took $ms ms to end"
    ! pgrep -f "$work/run" >/dev/null || complain "second signal: a process was left behind"
    done_before=$(last_step "$work/out")
    good_state "second signal" signal
    row 11 "a second SIG$1 while the checkpoint is written" "all ended, the state before it loads" "$ms" "$lost steps"
    resume "second signal" signal 2 steps=7
}

for phase in "${phases[@]}"; do
    for background in 0 1; do trial signal_in "$phase" $background; done
done
trial signal_again USR1
[ $quick = 1 ] || trial signal_again TERM
