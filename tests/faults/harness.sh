# tests/faults/harness.sh: what the classes of the fault suite share; sourced by run, which sets here, root, bin, quick and slots.
# Folders: $top of the suite, $home of a class, $work of one trial; a class outside of its trials has $work = $home.
# shellcheck source=launch/environment.sh
source "$root/launch/environment.sh"
# shellcheck source=tests/shell/waiting.sh
source "$root/tests/shell/waiting.sh"
unset OPENBLAS_CORETYPE
export OMP_NUM_THREADS=1
mpirun=${JUDO_MPIEXEC:-mpirun}
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
began=$SECONDS
mkfifo "$top/fifo"
exec {free_slots}<>"$top/fifo"
printf "%${slots}s" "" >&$free_slots
: >"$top/failures"

# A slot is the right to run one job.
take_slot() { read -r -N 1 -u "$free_slots"; }
give_slot() { printf ' ' >&"$free_slots"; }

run_class() { # run_class CLASS: in a shell of its own
    (
        home=$top/$1 work=$top/$1 in_trial=0 num_trials=0
        mkdir "$home"
        [ -t 2 ] && echo "faults: $1" >&2
        # shellcheck source=/dev/null
        source "$here/$1.sh"
        wait
        echo "$1 $(class_seconds)" >"$home/seconds"
    ) >"$top/$1.log" 2>&1
}
class_seconds() { echo $((SECONDS - began)); }

# trial COMMAND ..: in a shell and a folder of its own, beside others; its row, if it prints one, keeps its place in the table.
trial() {
    num_trials=$((num_trials + 1))
    take_slot
    (
        local start
        trap give_slot EXIT
        in_trial=1 work=$home/trial-$num_trials lost=0
        mkdir "$work"
        start=$(milliseconds)
        "$@"
        echo "$lost $(($(milliseconds) - start))" >>"$home/trials"
        [ ! -e "$work/broken" ] || : >"$home/broken"
        rm -rf "$work"
    ) &
}

# trials_done: waits for them. Sets tried, worst (the most steps that one lost) and ms, the mean of their times.
trials_done() {
    wait
    tried=$(wc -l <"$home/trials")
    worst=$(sort -n "$home/trials" | tail -n 1 | cut -d' ' -f1)
    ms=$(awk '{sum += $2} END {printf "%d", sum / NR}' "$home/trials")
    rm "$home/trials"
}

complain() {
    : >"$work/broken"
    echo "$*" >>"$top/failures"
    echo "FAILED $*"
    tail -n 3 "$work/err" 2>/dev/null | sed 's/^/    /'
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# inject RANK DO CALLS AT: the next run's fault, in a call of that rank on a path below .../checkpoints.
fault=()
inject() {
    fault=(-x "LD_PRELOAD=$bin/judo_interpose.so" -x "JUDO_FAULT_RANK=$1" -x "JUDO_FAULT_DO=$2" -x "JUDO_FAULT_CALLS=$3"
        -x "JUDO_FAULT_AT=$4" -x "JUDO_FAULT_PATH=${fault_path-/checkpoints}")
}

# launch RANKS PROGRAM ARGUMENTS..: to its end; sets code, ms, and leaves $work/out and $work/err. A fault is used once.
launch() {
    local ranks=$1 start
    shift
    [ $in_trial = 1 ] || take_slot
    start=$(milliseconds)
    timeout 120 "$mpirun" -np "$ranks" "${fault[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    ms=$(($(milliseconds) - start))
    fault=()
    [ $in_trial = 1 ] || give_slot
    [ $code != 124 ] || complain "it hung: $*"
    ! pgrep -f "$work/run" >/dev/null || complain "a process was left behind by: $*"
}

train() { launch "$1" "$bin/faults_job" train "$work/run/checkpoints" "${@:2}"; }
check() { "$bin/faults_job" check "${1:-$work/run/checkpoints}" >"$work/out" 2>"$work/err"; }
fresh() { rm -rf "$work/run" && mkdir "$work/run"; }
errors() { grep -c 'error: ' "$work/err"; }
says() { grep -qE -- "$1" "$work/err"; }
last_step() { grep -oE '^[0-9]+ ' "$1" | tail -n 1 | tr -d ' '; }

# A model and data for the stage programs: JUDO_WORLD, or made when a class first needs it; leaves the shell there.
need_world() {
    world=${JUDO_WORLD:-$top/world}
    (
        flock 9
        [ -d "$world" ] || "$root/tests/stages/world.sh" "$world" "$bin" >"$top/world.log" 2>&1 ||
            complain "no world to train in: $(tail -n 1 "$top/world.log")"
    ) 9>"$top/world.lock"
    cd "$world" || exit 2
}

# stage RANKS N SETTINGS..: a job of judo_stageN.
stage() { launch "$1" "$bin/judo_stage$2" "stage$2.yaml" run.folder="$work/run" "${@:3}"; }

# whole NAME RANKS SETTINGS..: the uninterrupted run whose lines all others must repeat.
whole() {
    local name=$1 ranks=$2
    shift 2
    fresh
    train "$ranks" "$@"
    [ $code = 0 ] || complain "the uninterrupted run ends with $code"
    cp "$work/out" "$home/$name"
}

# unlike NAME: a line that the uninterrupted run does not have.
unlike() { grep -vxFf "$home/$1" "$work/out" | head -n 1; }

# resume "what" NAME RANKS SETTINGS..: what is left is a state of the uninterrupted run, and goes on to the same end. Sets lost to
# the steps that were done twice; `done_before` is how far the broken run came.
resume() {
    local what=$1 name=$2 ranks=$3 from
    shift 3
    train "$ranks" "$@"
    [ $code = 0 ] || complain "$what: the resumed run ends with $code"
    [ -z "$(unlike "$name")" ] || complain "$what: other numbers after resuming: $(unlike "$name")"
    [ "$(tail -n 1 "$work/out")" = "$(tail -n 1 "$home/$name")" ] || complain "$what: another state in the end"
    from=$(grep -oE '^[0-9]+ ' "$work/out" | head -n 1)
    [ -n "$from" ] || from=$((${done_before:-0} + 1))
    lost=$((${done_before:-0} - from + 1))
    [ $lost -ge 0 ] || lost=0
}

# is_good NAME: what the broken run left loads, is a state of the uninterrupted run, and is not older than the last checkpoint that
# the broken run called complete. Says what is wrong, if anything; leaves the loaded state in $work/out.
is_good() {
    local promised loaded
    promised=$(grep -oE 'checkpoint step-[0-9]+: complete' "$work/err" | tail -n 1 | tr -dc 0-9)
    check || { echo "nothing loads"; return; }
    loaded=$(cut -d' ' -f2 "$work/out")
    [ "$loaded" -ge $((10#${promised:-0})) ] || { echo "step $promised was complete, but step $loaded is loaded"; return; }
    [ "$loaded" = 0 ] || [ -z "$(unlike "$1")" ] || echo "a state that never was: $(cat "$work/out")"
}

# good_state "what" NAME: complains unless it is good. Sets lost.
good_state() {
    local wrong
    wrong=$(is_good "$2")
    [ -z "$wrong" ] || complain "$1: $wrong"
    lost=$((${done_before:-0} - $(cut -d' ' -f2 "$work/out" | grep . || echo 0)))
    [ $lost -ge 0 ] || lost=0
}

# row CLASS "injected" "happened" MILLISECONDS "lost"
row() {
    local verdict=kept
    [ ! -e "$work/broken" ] || verdict=BROKEN
    rm -f "$work/broken"
    printf '%s\t%s\t%s\t%d.%d\t%s\t%s\n' "$1" "$2" "$3" $(($4 / 1000)) $(($4 % 1000 / 100)) "$5" "$verdict" \
        >>"$home/rows.$(printf %06d "$num_trials")"
}

print_table() {
    local class
    for class in "${classes[@]}"; do cat "$top/$class.log"; done
    for class in "${classes[@]}"; do cat "$top/$class"/rows.*; done >"$top/rows"
    printf '\nClass\tInjected\tWhat happened\tSeconds\tLost\tPromise\n' | cat - "$top/rows" | column -t -s $'\t' 2>/dev/null ||
        cat "$top/rows"
    echo "ended after seconds: $(for class in "${classes[@]}"; do cat "$top/$class/seconds"; done | tr '\n' ' ')"
    echo "$(wc -l <"$top/rows") faults in $((SECONDS - began)) s, $(wc -l <"$top/failures") promises broken"
    [ ! -s "$top/failures" ] || exit 1
}
