#!/usr/bin/env bash
# ranks.sh STAGE TOLERANCE KEYS [key=value ...]: the job's loss and the other metrics in KEYS ("loss grad_norm ..") do not
# depend on the number of ranks. The step's samples divide unevenly: some ranks have fewer, or none.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
stage=$1
tolerance=$2
read -r -a keys <<<"$3"
shift 3
for ranks in 1 2 4; do
    train $ranks "$stage" "on-$ranks" "$@"
done
for ranks in 2 4; do
    compare on-1 on-$ranks "$tolerance" "${keys[@]}"
    [ "$stage" != 3 ] || same_samples on-1 on-$ranks
done
# A completion that met another prompt or picture in training than in drawing would differ in its log-probabilities.
if [ "$stage" = 3 ] && grep -v '"sampling/sampling_logp_difference/max":0,' "$work"/on-*/metrics.jsonl; then
    complain "log-probabilities of drawing and training differ"
fi
if [[ "$*" == *updates_per_rollout* ]]; then
    grep -q '"clip_ratio/low_mean":0\.' "$work/on-1/metrics.jsonl" || complain "no ratio was clipped"
fi
finish "stage $stage on 1, 2 and 4 ranks"
