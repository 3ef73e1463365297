# tests/faults/memory.sh: class 13: no memory at any of the program's allocations: one line that says for what, never a crash.
# One process without a launcher, so that there are few milliseconds to each.
starve() { # starve AT: the job with allocation number AT refused; sets code
    rm -rf "$work/run" && mkdir "$work/run"
    program
    timeout 60 env LD_PRELOAD="$bin/judo_interpose.so" JUDO_FAULT_DO=enomem JUDO_FAULT_CALLS=,memory, JUDO_FAULT_AT="$1" \
        JUDO_FAULT_PATH= JUDO_FAULT_LOG="$work/calls" "${command[@]}" >"$work/out" 2>"$work/err" </dev/null
    code=$?
}

# starve_once "name" K: adds a line to $home/refused if that allocation mattered.
starve_once() {
    starve "$2"
    case $code in
    0) ;; # it could do without
    15) [ "$(errors)" = 1 ] && says 'error: .*no memory' || complain "$1, allocation $2: $(errors) lines"; echo "$2" >>"$home/refused" ;;
    *) complain "$1, allocation $2: ends with $code" ;;
    esac
}

# starve_all "name" MOST: at up to MOST allocations, evenly.
starve_all() {
    local name=$1 most=$2 total k
    rm -f "$work/calls"
    starve 0
    [ $code = 0 ] || complain "$name: ends with $code without a fault"
    total=$(wc -l <"$work/calls")
    : >"$home/refused"
    for ((k = 1; k <= total; k += (total + most - 1) / most)); do trial starve_once "$name" "$k"; done
    trials_done
    [ -s "$home/refused" ] || complain "$name: no allocation mattered"
    row 13 "no memory, $tried of $total allocations of $name" "one line that says for what" "$ms" "since the last save"
}
most=400
[ $quick = 0 ] || most=20
# program: sets the command of this trial.
program() { command=("$bin/faults_job" train "$work/run/checkpoints" steps=3); }
starve_all "the small job" $most
[ $quick = 1 ] && return
need_world
program() { command=("$bin/judo_stage1" stage1.yaml run.folder="$work/run" train.max_steps=2 run.save_every=1); }
starve_all "judo_stage1" 150
program() { command=("$bin/judo_stage3" stage3.yaml run.folder="$work/run" train.max_steps=1 grpo.max_new_tokens=8); }
starve_all "judo_stage3" 150
