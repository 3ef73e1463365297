#!/usr/bin/env bash
# Prints what sharding costs: seconds of a training step of judo_stage2 on a made-up model of 53 million parameters.
#   tests/bench/overhead.sh [--build FOLDER] [--turns N] [--steps N] [--layers N] [--timeline FOLDER]
# The cases take turns (default: 3 turns of 6 steps, of which the first 2 warm up); a figure is the median over all turns. A step has 8
# samples of about 90 tokens, 4 in a pass. Every case computes with 2 threads in all: "alone" is one rank without sharding, the
# others are compared with it:
#   one rank     under ZeRO-3 (zero.resident_weights=no): at most 3 % slower
#   two ranks    of one thread, weights gathered for each use (..=no), or once per step (..=yes), or not sharded at all
#                (zero.stage=0): at least 85 % of its throughput
# "hidden" is the share of communication that was hidden behind work (comm/hidden), "waited" the seconds a rank stood still for
# it (comm/wait_time). Means something on a quiet machine of two cores or more. --timeline keeps a Chrome trace of each case.
# Takes 1.2 GB of memory and about 3 minutes. The exit code is 1 if a promise is not kept.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/build/cpu/bin turns=3 steps=6 layers=14 timeline=
warm=2
while [ $# -gt 0 ]; do
    case "$1" in
    -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --build) bin=$(cd "${2:?}" && pwd) && shift ;;
    --turns) turns=${2:?} && shift ;;
    --steps) steps=${2:?} && shift ;;
    --layers) layers=${2:?} && shift ;;
    --timeline) mkdir -p "${2:?}" && timeline=$(cd "$2" && pwd) && shift ;;
    *) echo "overhead: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done
source "$root/launch/environment.sh"
unset OPENBLAS_CORETYPE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    "$bin/judo" synth "$work/data" --train 1 --heldout 1 --normals 2 --pretrain 4 --size 112 &&
        "$bin/judo" init "$work/model" "$work/data/stage2.jsonl" --vocab 1000 --layers "$layers" --hidden 512 --heads 8 --kv-heads 2 \
            --ffn 2048 --vision-hidden 64 --vision-depth 2 --vision-heads 4 --vision-ffn 96 &&
        "$bin/judo" pack "$work/data.h5" --model "$work/model" --root "$work/data" --stage2 "$work/data/stage2.jsonl"
} >"$work/log" 2>&1 || { cat "$work/log"; exit 2; }
printf '%s\n' "data: {path: $work/data.h5, prompts: compact}" "model: {path: $work/model}" 'optimizer: {learning_rate: 1e-4}' \
    'train: {max_steps: 100000, batch_size: 8, micro_batch: 4, max_tokens: 1024, max_patches: 512}' \
    'run: {save_every: 0, log_every: 0, tensorboard: false, async_checkpoint: false}' >"$work/stage2.yaml"

gathered="zero.stage=3 zero.resident_weights=no"
names=(alone one-rank gathered resident replicated)
titles=("1 x 2, not sharded" "1 x 2, ZeRO-3, gathered" "2 x 1, ZeRO-3, gathered" "2 x 1, ZeRO-3, resident" "2 x 1, not sharded")
ranks=(1 1 2 2 2)
settings=("zero.stage=0" "$gathered" "$gathered" "zero.stage=3 zero.resident_weights=yes" "zero.stage=0")

# turn CASE: trains, and is killed behind the last step, so that nothing is saved. Appends rows to CASE's table.
turn() {
    local name=${names[$1]} run=$work/run job extra
    read -ra extra <<<"${settings[$1]}"
    [ -z "$timeline" ] || extra+=(run.timeline_steps=1 "run.timeline_from=$warm")
    rm -rf "$run"
    OMP_NUM_THREADS=$((2 / ${ranks[$1]})) "${JUDO_MPIEXEC:-mpirun}" -np "${ranks[$1]}" "$bin/judo_stage2" "$work/stage2.yaml" \
        run.folder="$run" "${extra[@]}" >"$work/log" 2>&1 </dev/null &
    job=$!
    until [ -f "$run/metrics.jsonl" ] && [ "$(wc -l <"$run/metrics.jsonl")" -ge "$steps" ]; do
        kill -0 $job 2>/dev/null || { cat "$work/log"; exit 2; }
        sleep 0.1
    done
    pgrep -P $job | xargs -r kill -9
    wait $job 2>/dev/null
    sed -n "$((warm + 1)),${steps}p" "$run/metrics.jsonl" >>"$work/$name"
    [ -z "$timeline" ] || cp "$run/timeline.json" "$timeline/$name.json"
}

median() { # median CASE KEY: over its rows; empty if they have no such key
    sed -n "s|.*\"$2\":\([-+0-9.e]*\).*|\1|p" "$work/${names[$1]}" | sort -g |
        awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

for ((i = 0; i < turns; i++)); do
    for c in "${!names[@]}"; do
        turn "$c"
    done
done
sed -n 's/.*\(model  .*\)/\1/p' "$work/log" | sed "s|$work/||"
echo "ranks x threads                step s  tokens/s  throughput  promise      hidden  waited s"
kept=0
for c in "${!names[@]}"; do
    [ "${ranks[$c]}" = 1 ] && least=0.971 || least=0.85 # 1 / 1.03
    [ "$c" != 0 ] || least=0
    awk -v title="${titles[$c]}" -v t="$(median "$c" step_time)" -v base="$(median 0 step_time)" -v least=$least \
        -v tokens="$(median "$c" num_tokens)" -v hidden="$(median "$c" comm/hidden)" -v waited="$(median "$c" comm/wait_time)" 'BEGIN {
        ratio = base / t
        verdict = least == 0 ? "" : (ratio >= least ? "kept" : "not kept") " (" least ")"
        printf "%-28s %8.3f  %8.0f  %9.1f %%  %-16s %6s  %8s\n", title, t, tokens / t, 100 * ratio, verdict, \
            hidden == "" ? "" : sprintf("%.2f", hidden), waited == "" ? "" : sprintf("%.3f", waited)
        exit ratio < least }' || kept=1
done
exit $kept
