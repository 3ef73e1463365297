#!/usr/bin/env bash
# scaling.sh: launch/scaling/run makes points on 1 and 2 ranks, strong and weak, that agree in their losses, and a table and a
# page of them; a point whose job fails is named; losses that differ, and folders that are no points, are refused.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
runner=$(cd "$(dirname "$0")/../.." && pwd)/launch/scaling/run
PATH=$JUDO_PROGRAMS:$PATH

# experiment NAME CODE ARGUMENT ..: must end with that code.
experiment() {
    local name=$1 wanted=$2 code=0
    shift 2
    "$runner" --launcher "$JUDO_MPIEXEC" --out "$work/$name" "$@" >"$work/$name.out" 2>&1 || code=$?
    [ $code = "$wanted" ] || { complain "$name: exit code $code, not $wanted"; cat "$work/$name.out"; }
}
says() { grep -qE -- "$2" "$work/$1.out" || { complain "$1 does not say '$2'"; cat "$work/$1.out"; }; }

experiment strong 0 --ranks 1,2 --steps 5 judo_stage2 stage2.yaml
says strong 'strong scaling, steps 3 to 4'
says strong '^ +1 +1 +1 +6 +1 .* 1\.00 +100\.0 +- +-$'
says strong '^ +2 +1 +1 +6 +1 .* [0-9.]+ +agree$'
grep -q '<svg' "$work/strong/scaling.html" || complain "no picture"
[ -e "$work/strong/ranks-00001/run-1/checkpoints" ] && complain "a measured run wrote a checkpoint"
[ -e "$work/strong/ranks-00001/run-1/model" ] && complain "a measured run wrote a model"

experiment weak 0 --ranks 1,2 --steps 3 --drop 1 --repeats 2 --weak judo_stage3 stage3.yaml grpo.prompts_per_step=2 grpo.max_new_tokens=4
says weak 'weak scaling'
says weak '^ +2 +1 +1 +4 +2 .* agree$'

# Runs that did not learn the same.
sed -i 's/"loss":/"loss":1/' "$work/strong/ranks-00002/run-1/metrics.jsonl"
judo scaling "$work"/strong/ranks-*/run-* >"$work/differ.out" 2>&1
[ $? = 14 ] || complain "losses that differ must end with 14"
says differ 'did not learn the same: loss of step 0'
says differ 'DIFFER$'

# A point that fails: its batch does not divide by its ranks as train.deterministic wants it.
experiment fails 1 --ranks 1,2 --steps 4 judo_stage2 stage2.yaml train.deterministic=true train.batch_size=2 train.micro_batch=2
says fails 'ranks 2 .*FAILED with exit code 11: .*train.deterministic'
says fails '^ +1 +1 '

experiment weak 2 --ranks 1 --steps 4 judo_stage2 stage2.yaml
says weak 'is there already'
experiment none 2 --steps 4 judo_stage2 stage2.yaml
experiment order 2 --ranks 2,1 judo_stage2 stage2.yaml
experiment few 2 --ranks 1 --steps 3 judo_stage2 stage2.yaml
experiment mistake 11 --ranks 1 judo_stage2 stage2.yaml train.max_stepz=1
says mistake "unknown key"
experiment place 2 --ranks 1 judo_stage2 stage2.yaml run.folder=elsewhere
says place 'out says where'
judo scaling "$work" >"$work/folder.out" 2>&1 && complain "a folder without a run was taken"
says folder 'launch.json: No such file'
finish "scaling"
