#!/usr/bin/env bash
# run_folder.sh: what a run's folder allows: a finished run ends at once and can be prolonged; another stage, another seed, a
# second job and a resume without a checkpoint are refused with a line that says why; a run can start over.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"

# refuse TEXT STAGE RUN [key=value ...]: the job must fail and say TEXT.
refuse() {
    local text=$1 stage=$2 run=$3
    shift 3
    "$JUDO_PROGRAMS/judo_stage$stage" "stage$stage.yaml" run.folder="$work/$run" "$@" >"$work/refused.log" 2>&1 &&
        complain "$run $*: was not refused"
    grep -q "error: .*$text" "$work/refused.log" || { complain "$run $*: did not say '$text'"; cat "$work/refused.log"; }
}
rows() { wc -l <"$work/$1/metrics.jsonl"; }

train 1 1 run train.max_steps=5
train 1 1 run train.max_steps=5
[ "$(rows run)" = 5 ] || complain "a finished run ran on"
cp "$work/run/metrics.jsonl" "$work/first"
refuse "seed" 1 run train.max_steps=9 run.seed=7
refuse "stage" 2 run train.max_steps=9
refuse "'must'" 1 absent run.resume=must
refuse "every weight is 0" 3 absent rewards.choice.weight=0 rewards.format.weight=0 rewards.structure.weight=0 \
    rewards.segmentation.weight=0
refuse "unknown key" 1 absent train.max_stepz=9
cmp -s "$work/run/metrics.jsonl" "$work/first" || complain "a refused job changed the metrics"
train 1 1 run train.max_steps=9
[ "$(rows run)" = 9 ] || complain "a prolonged run did not go on"

# Starting over: the old run's checkpoints must not be taken for the new one's.
train 1 1 run train.max_steps=5 run.resume=never
cmp -s <(cut -d, -f1,3 "$work/first") <(cut -d, -f1,3 "$work/run/metrics.jsonl") || complain "other losses after starting over"
train 1 1 run train.max_steps=6
[ "$(rows run)" = 6 ] || complain "prolonging a run that started over gives $(rows run) steps, not 6"

# Stage 3 ends inside a rollout of two updates and is prolonged: it draws that rollout anew.
train 1 3 odd grpo.updates_per_rollout=2 train.max_steps=3
train 1 3 odd grpo.updates_per_rollout=2 train.max_steps=6
[ "$(rows odd)" = 6 ] || complain "a prolonged stage 3 did not go on"
grep -q '"num_tokens":1,' "$work/odd/metrics.jsonl" && complain "a step without completions"

# One job at a time.
begin 1 1 busy train.max_steps=2000
wait_for busy 1
refuse "another run is using" 1 busy train.max_steps=2000
kill "$job"
wait "$job" && complain "a job that SIGTERM stops must not end with 0"
finish "run folder"
