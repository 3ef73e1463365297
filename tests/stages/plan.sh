#!/usr/bin/env bash
# plan.sh GUARD: `judo plan` says before a job what the job then says, line by line, on the CPU and on a device with memory of
# its own; refuses what has no room; and leaves nothing behind. GUARD: the module of tests/guard.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
guard=$1

# plan NAME CODE ARGUMENTS..: `judo plan` ends with CODE.
plan() {
    local name=$1 code=$2 got
    shift 2
    "$JUDO_PROGRAMS/judo" plan "$@" run.folder="$work/untouched" >"$work/$name.plan" 2>&1
    got=$?
    [ $got = "$code" ] || { complain "$name: exit code $got, not $code"; cat "$work/$name.plan"; }
}

says() { # says NAME PATTERN
    grep -qE -- "$2" "$work/$1.plan" || { complain "$1: no line like: $2"; cat "$work/$1.plan"; }
}

# From the model to the sum of the table, but for the ranks' threads.
table() { sed -n '/^model  /,/^memory .* MB per rank/{/^ranks /!p}' "$1"; }

# alike STAGE NAME [key=value ..]: what is planned for two ranks is what two ranks plan.
alike() {
    local stage=$1 name=$2
    shift 2
    plan "$name" 0 "stage$stage.yaml" --stage "$stage" --ranks 2 "$@"
    train 2 "$stage" "$name" "$@" train.max_steps=1 run.save_at_end=false
    [ "$(table "$work/$name.log" | grep -c ' MB')" -ge 6 ] || complain "$name: no table"
    diff <(table "$work/$name.log") <(table "$work/$name.plan") || complain "$name: another table than planned"
}

sharded=(zero.resident_weights=no zero.persistence_threshold=0 zero.bucket=4096)
alike 1 cpu-1 device=cpu
alike 1 cpu-1-sharded device=cpu "${sharded[@]}" model.dtype=bf16
alike 3 cpu-3 device=cpu grpo.prompts_per_step=2 grpo.max_new_tokens=8
export JUDO_DEVICE_MODULE=$guard
alike 1 device-1 device=cuda
says device-1 'guarded memory'
alike 3 device-3 device=cuda grpo.prompts_per_step=2 grpo.max_new_tokens=8 "${sharded[@]}"

# What a job counts: its steps, and the bytes of its checkpoint but for headers.
train 2 1 counted device=cpu train.epochs=0.25 train.max_steps=0 zero.stage=1 run.save_every=1 run.keep_last=1
plan counted 0 stage1.yaml --stage 1 --ranks 2 device=cpu train.epochs=0.25 train.max_steps=0 zero.stage=1
steps=$(wc -l <"$work/counted/metrics.jsonl")
says counted "^steps +$steps in all, .* 6 samples per step"
held=$(cat "$work"/counted/checkpoints/step-*/shard-* | wc -c)
planned=$(sed -n 's/^checkpoint \([0-9]*\) bytes.*/\1/p' "$work/counted.plan")
[ "$planned" -gt 0 ] && [ "$planned" -le "$held" ] && [ $((held - planned)) -lt 65536 ] ||
    complain "a checkpoint of $held bytes was planned as '$planned'"

# Room, and the lack of it.
plan room 0 stage1.yaml --stage 1 --ranks 2 device=cuda --memory 1
says room '^memory +fits: [0-9.]+ of 1000.0 MB per rank are left'
plan short 15 stage1.yaml --stage 1 --ranks 2 device=cuda --memory 0.001
says short 'memory is short by [0-9.]+ MB'
says short '^memory +[0-9.]+ MB per rank on the device'
plan short-cpu 15 stage3.yaml --stage 3 --ranks 2 device=cpu --memory 0.001
says short-cpu 'memory is short by [0-9.]+ MB'
JUDO_GUARD_BYTES=3000000 plan full 0 stage1.yaml --stage 1 --ranks 2 device=cuda
says full '^backward +computes whole blocks again'

# Without the module: what is missing is said. Weights need not be there.
export JUDO_DEVICE_MODULE=$work/absent.so
mkdir "$work/bare"
cp base/model/*.json "$work/bare"
plan bare 0 stage3.yaml --stage 3 --ranks 4 --gpus-per-node 2 device=cuda zero.hybrid=true model.path="$work/bare" --memory 80
says bare '^device .*the table lacks its work memory of ops'
says bare '^ranks +4 on 2 machines, planned'
says bare '^memory +fits if what the table lacks does'
plan unsaid 16 stage1.yaml --stage 1 --ranks 4 device=cuda
says unsaid 'error: .*say it with --memory GB'

# Mistakes.
plan missing 12 absent.yaml --stage 1 --ranks 2
says missing 'error: .*absent.yaml: cannot open'
plan unknown 11 stage1.yaml grpo.group_size=4 --stage 1 --ranks 2
says unknown "error: .*unknown key 'grpo.group_size'"
plan no-data 12 stage1.yaml data.path=absent.h5 --stage 1 --ranks 2
says no-data 'error: .*absent.h5: cannot open'
plan no-stage 10 stage1.yaml --ranks 2
says no-stage 'error: .*--stage 0: must be 1, 2 or 3'
plan uneven 10 stage1.yaml --stage 1 --ranks 6 --gpus-per-node 4
says uneven 'error: .*6 ranks must fill machines'
plan odd-groups 10 stage1.yaml --stage 1 --ranks 6 device=cpu zero.group_size=4
says odd-groups 'error: .*6 ranks do not fill groups of 4'
[ -e "$work/untouched" ] && complain "judo plan wrote something"
finish plan
