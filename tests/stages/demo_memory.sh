#!/usr/bin/env bash
# demo_memory.sh GUARD: the quickstart's configurations on a device that has a block of memory exactly as large as planned: two
# steps of every stage on one rank and on two go through, and ask for nothing behind the first. GUARD: the module of tests/guard.
root=$(realpath "$(dirname "$0")/../..")
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
export JUDO_DEVICE_MODULE=$1 JUDO_DEMO=$work
cd "$root" || exit 2

{
    "$JUDO_PROGRAMS/judo" synth "$work/data" --train 1 --heldout 1 --normals 1 --pretrain 0 --size 112 &&
        "$JUDO_PROGRAMS/judo" pack "$work/train.h5" --model launch/demo/base --root "$work/data" --stage1 "$work/data/stage1.jsonl" \
            --stage2 "$work/data/stage2.jsonl" --stage3 "$work/data/stage3.jsonl"
} >"$work/data.log" 2>&1 || { cat "$work/data.log"; exit 2; }

for stage in 1 2 3; do
    for ranks in 1 2; do
        name=demo-$stage-$ranks
        "$JUDO_MPIEXEC" -np $ranks "$JUDO_PROGRAMS/judo_stage$stage" "launch/demo/stage$stage.yaml" device=cuda run.folder="$work/$name" \
            model.path=launch/demo/base train.max_steps=2 run.save_every=1 >"$work/$name.log" 2>&1 ||
            { complain "$name: exit code $?"; cat "$work/$name.log"; }
        asked_nothing $name
        rm -rf "${work:?}/$name"
    done
done
finish "memory of the demo"
