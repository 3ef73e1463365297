# tests/faults/kill.sh: class 1: a rank dies in each phase of a step. The job ends, and goes on from its last checkpoint.
whole straight 2 steps=7
phases=(data rollout forward backward reduction optimizer save)
[ $quick = 0 ] || phases=(forward save)

killed_in() { # killed_in PHASE
    fresh
    train 2 steps=7 do=kill phase="$1" step=6 rank=1
    spent=$ms
    [ $code != 0 ] || complain "killed in $1: the job ended well"
    says 'rank 1 .*exited on signal 9' || complain "killed in $1: nobody names the rank"
    done_before=$(last_step "$work/out")
    resume "killed in $1" straight 2 steps=7
    row 1 "SIGKILL of rank 1, step 6, $1" "all ended, rank named, resumed to the bit" "$spent" "$lost steps"
}

leaves() {
    fresh
    train 2 steps=7 do=exit phase=backward step=6 rank=1
    spent=$ms
    [ $code != 0 ] || complain "exit: the job ended well"
    done_before=$(last_step "$work/out")
    resume "a rank that leaves" straight 2 steps=7
    row 1 "rank 1 exits with 3 in backward" "all ended, resumed to the bit" "$spent" "$lost steps"
}

meets_bad_input() {
    fresh
    train 2 steps=7 do=fail phase=data step=6 rank=1
    spent=$ms
    [ $code = 13 ] && [ "$(errors)" = 1 ] && says 'error: rank 1: sample.png: damaged PNG in step 6' ||
        complain "bad input on one rank: exit code $code"
    done_before=$(last_step "$work/out")
    resume "bad input on one rank" straight 2 steps=7
    row 1 "bad input on rank 1 only" "one line that names it, code 13" "$spent" "$lost steps"
}

agree() {
    launch 4 "$bin/faults_job" agree
    [ $code = 12 ] && [ "$(errors)" = 1 ] && says 'rank 3: no such picture' || complain "agree: one line that names the rank"
    row 1 "rank 3 of 4 fails, agreed" "one line that names it, code 12" "$ms" nothing
}

alone() {
    launch 4 "$bin/faults_job" alone
    [ $code = 12 ] && says 'error: this rank met a bad file' || complain "alone: its own message"
    row 1 "rank 3 of 4 fails before a collective" "its line, the job taken down" "$ms" nothing
}

for phase in "${phases[@]}"; do trial killed_in "$phase"; done
trial leaves
trial meets_bad_input
trial agree
[ $quick = 1 ] || trial alone
