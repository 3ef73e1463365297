# tests/faults/memory.sh: class 13: no memory at any of the program's allocations: one line that says for what, never a crash.
# One process without a launcher, so that there are few milliseconds to each.
starve() { # starve AT: the job with allocation number AT refused; sets code
    rm -rf "$work/run" && mkdir "$work/run"
    LD_PRELOAD=$bin/judo_interpose.so JUDO_FAULT_DO=enomem JUDO_FAULT_CALLS=,memory, JUDO_FAULT_AT=$1 JUDO_FAULT_PATH= \
        JUDO_FAULT_LOG=$work/calls timeout 60 "${program[@]}" >"$work/out" 2>"$work/err" </dev/null
    code=$?
}

# starve_all "name" MOST: at up to MOST of them, evenly.
starve_all() {
    local name=$1 most=$2 total k stride tried=0 refused=0 start
    rm -f "$work/calls"
    starve 0
    [ $code = 0 ] || complain "$name: ends with $code without a fault"
    total=$(wc -l <"$work/calls")
    stride=$(((total + most - 1) / most))
    start=$(milliseconds)
    for ((k = 1; k <= total; k += stride)); do
        starve "$k"
        tried=$((tried + 1))
        case $code in
        0) ;; # it could do without
        15) [ "$(errors)" = 1 ] && says 'error: .*no memory' || complain "$name, allocation $k: $(errors) lines"; refused=$((refused + 1)) ;;
        *) complain "$name, allocation $k: ends with $code" ;;
        esac
    done
    [ $refused -gt 0 ] || complain "$name: no allocation mattered"
    row 13 "no memory, $tried of $total allocations of $name" "one line that says for what" $((($(milliseconds) - start) / tried)) "since the last save"
}
most=400
[ $quick = 0 ] || most=20
program=("$bin/faults_job" train "$work/run/checkpoints" steps=3)
starve_all "the small job" $most
[ $quick = 1 ] && return
need_world
program=("$bin/judo_stage1" stage1.yaml run.folder="$work/run" train.max_steps=2 run.save_every=1)
starve_all "judo_stage1" 60
program=("$bin/judo_stage3" stage3.yaml run.folder="$work/run" train.max_steps=1 grpo.max_new_tokens=8)
starve_all "judo_stage3" 60
