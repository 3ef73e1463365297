#!/usr/bin/env bash
# billion.sh [FOLDER] [LAYERS] [PROGRAMS]: planned and measured memory of each of 4 ranks that train a made-up model under ZeRO-3.
# 145 layers (the default) are 1.01 billion parameters: 16.1 GB of weights, gradients and moments over the ranks, about 18 GB
# in all, and 4 GB of disk for the checkpoint. Two steps are run; then the ranks are stopped, so that nothing is saved.
# "own" is what a rank takes beside its plan (libraries, MPI), measured with a model of 2 layers of the same width.
set -eu
if [ "${1:-}" = --rank ]; then # one rank: its program, and its peak until all ranks have one
    folder=$2 steps=$3
    shift 3
    "$@" &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        peak=$(awk '/VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null) || true
        if [ -f "$folder/run/metrics.jsonl" ] && [ "$(wc -l <"$folder/run/metrics.jsonl")" -ge "$steps" ] && [ -n "$peak" ]; then
            echo "$peak" >"$folder/peak.part$OMPI_COMM_WORLD_RANK"
            mv "$folder/peak.part$OMPI_COMM_WORLD_RANK" "$folder/peak.$OMPI_COMM_WORLD_RANK"
            until [ "$(find "$folder" -name 'peak.[0-9]' | wc -l)" = "$OMPI_COMM_WORLD_SIZE" ]; do sleep 0.1; done
            sleep 1
            kill -9 $pid
        fi
        sleep 0.2
    done
    exit 0
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
made=
[ -n "${1:-}" ] || made=$(mktemp -d)
folder=${1:-$made} layers=${2:-145} programs=$(realpath "${3:-$root/build/cpu/bin}")
trap '[ -z "$made" ] || rm -rf "$made"' EXIT
source "$root/launch/environment.sh"
export OMP_NUM_THREADS=1
widths=(--vocab 1000 --hidden 512 --heads 8 --kv-heads 2 --ffn 4096 --vision-hidden 64 --vision-depth 2 --vision-heads 4 --vision-ffn 96)

# One layer has 2 x 512 x 512 + 2 x 512 x 128 + 3 x 512 x 4096 weights; 16 bytes each, and 1.5 GB of buffers and libraries.
needed=$((layers * 6949 * 16 / 1000 + 1500)) available=$(awk '/MemAvailable/ {print int($2 / 1000)}' /proc/meminfo)
[ "$available" -ge "$needed" ] || { echo "billion.sh: needs $needed MB of memory; $available MB are free" >&2; exit 1; }

train() { # train NAME LAYERS: leaves NAME/peak.RANK and NAME/log
    local at=$folder/$1
    rm -rf "$at"
    mkdir -p "$at"
    "$programs/judo" init "$at/model" "$folder/data/stage2.jsonl" "${widths[@]}" --layers "$2" >"$at/log" 2>&1
    "$programs/judo" pack "$at/data.h5" --model "$at/model" --root "$folder/data" --stage2 "$folder/data/stage2.jsonl" >>"$at/log" 2>&1
    printf '%s\n' 'train: {max_steps: 1000, batch_size: 4, micro_batch: 1, max_tokens: 512, max_patches: 256}' \
        'data: {prompts: compact}' 'optimizer: {learning_rate: 1e-4}' >"$at/stage2.yaml"
    mpirun -np 4 "$root/tests/bench/billion.sh" --rank "$at" 2 "$programs/judo_stage2" "$at/stage2.yaml" run.folder="$at/run" \
        run.log_every=1 run.save_every=0 run.tensorboard=false model.path="$at/model" data.path="$at/data.h5" >>"$at/log" 2>&1 || true
    [ -f "$at/peak.3" ] || { tail -20 "$at/log" >&2; echo "billion.sh: the job in $at did not get through its steps" >&2; exit 1; }
}
planned() { sed -n 's/.*memory *\([0-9.]*\) MB per rank.*/\1/p' "$folder/$1/log"; }

"$programs/judo" synth "$folder/data" --train 1 --heldout 1 --normals 1 --pretrain 0 --size 112 >/dev/null 2>&1
train small 2
begin=$SECONDS
train whole "$layers"
sed -n 's/.*\(model  .*\|memory  .*\)/\1/p' "$folder/whole/log"
echo "rank  planned MB  own MB  peak MB  beyond plan MB"
holds=0
for rank in 0 1 2 3; do
    awk -v rank=$rank -v plan="$(planned whole)" -v small="$(planned small)" -v peak="$(cat "$folder/whole/peak.$rank")" \
        -v base="$(cat "$folder/small/peak.$rank")" 'BEGIN {
        own = base * 1.024e-3 - small; peak *= 1.024e-3
        printf "%4d  %10.1f  %6.1f  %7.1f  %14.1f\n", rank, plan, own, peak, peak - plan - own
        exit peak - plan - own > 0.005 * plan + 8 }' || holds=1
done
echo "losses of the steps: $(sed -n 's/.*"loss":\([-+0-9.e]*\).*/\1/p' "$folder/whole/run/metrics.jsonl" | tr '\n' ' '); $((SECONDS - begin)) s"
[ $holds = 0 ] && echo "no rank is above its plan" || echo "a rank is above its plan"
exit $holds
