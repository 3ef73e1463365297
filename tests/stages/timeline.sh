#!/usr/bin/env bash
# timeline.sh: run.timeline_steps gives one Chrome trace with every rank's steps, units, collectives and batches, and every
# row of metrics says how much of the communication was hidden.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
train 2 2 timed train.max_steps=5 run.timeline_steps=2 run.timeline_from=1
trace=$work/timed/timeline.json
"$JUDO_PROGRAMS/check_json" "$trace" 2>"$work/err" || { complain "the trace is no JSON"; cat "$work/err"; }
for rank in 0 1; do
    for lane in step compute gather reduce; do
        grep -q "\"cat\":\"$lane\",\"ph\":\"X\",\"pid\":$rank," "$trace" || complain "rank $rank has no span of $lane"
    done
done
[ "$(grep -o '"name":"optimizer"' "$trace" | wc -l)" = 4 ] || complain "two steps on two ranks have four updates"
[ "$(grep -c '"comm/hidden":' "$work/timed/metrics.jsonl")" = 5 ] || complain "metrics without comm/hidden"
train 1 2 alone train.max_steps=2 run.timeline_steps=9
[ -f "$work/alone/timeline.json" ] && complain "a run that ended before the recording began wrote one"
finish "timeline"
