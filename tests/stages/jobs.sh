#!/usr/bin/env bash
# jobs.sh: functions for tests of whole jobs; sourced. JUDO_PROGRAMS, JUDO_MPIEXEC, JUDO_WORLD and JUDO_COMPARE say where the
# programs, the launcher, the folder made by world.sh and compare_metrics are. Runs go to $work, gone in the end.
set -u
# shellcheck source=tests/shell/waiting.sh
source "$(dirname "${BASH_SOURCE[0]}")/../shell/waiting.sh"
cd "$JUDO_WORLD" || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

complain() {
    echo "FAILED $1"
    failures=$((failures + 1))
}

finish() { # finish NAME
    [ $failures = 0 ] && echo "$1: ok"
    exit $((failures > 0))
}

# train RANKS STAGE RUN [key=value ...]: one job from start to end.
train() {
    local ranks=$1 stage=$2 run=$3
    shift 3
    "$JUDO_MPIEXEC" -np "$ranks" "$JUDO_PROGRAMS/judo_stage$stage" "stage$stage.yaml" run.folder="$work/$run" "$@" \
        >"$work/$run.log" 2>&1 || { complain "stage $stage on $ranks ranks: exit code $?"; cat "$work/$run.log"; }
}

# begin RANKS STAGE RUN [key=value ...]: the same in the background; $job is the launcher's process.
begin() {
    local ranks=$1 stage=$2 run=$3
    shift 3
    "$JUDO_MPIEXEC" -np "$ranks" "$JUDO_PROGRAMS/judo_stage$stage" "stage$stage.yaml" run.folder="$work/$run" "$@" \
        >"$work/$run.log" 2>&1 &
    job=$!
}

# wait_for RUN STEP: until the running job has logged that step.
wait_for() {
    has_step() { grep -qs "^{\"step\":$2," "$work/$1/metrics.jsonl" || ! kill -0 "$job" 2>/dev/null; }
    wait_until 30 has_step "$@" && grep -qs "^{\"step\":$2," "$work/$1/metrics.jsonl" && return
    complain "$1: step $2 did not come"
    cat "$work/$1.log"
}

# compare RUN RUN TOLERANCE KEY..: relative; 0 asks for the same bits.
compare() {
    "$JUDO_COMPARE" "$work/$1/metrics.jsonl" "$work/$2/metrics.jsonl" "${@:3}" || complain "$1 and $2 differ"
}

# same_samples RUN RUN: the same completions, scores and advantages, whichever rank drew them.
same_samples() {
    local file found=0
    for file in "$work/$1"/samples/*.jsonl; do
        found=1
        cmp -s <(sort "$file") <(sort "$work/$2/samples/${file##*/}") || complain "$1 and $2: other completions in ${file##*/}"
    done
    [ $found = 1 ] || complain "$1: no samples"
}

# asked_nothing RUN: the device's memory was planned, and neither it nor staging was asked for behind the first step.
asked_nothing() {
    grep -q "block of .* MB was used; 0 allocations behind the first step" "$work/$1.log" || complain "$1: memory was asked for"
    grep -q "memory was asked for" "$work/$1.log" && complain "$1: a rank asked for memory in the loop"
}
