#!/usr/bin/env bash
# bf16.sh: jobs in bf16: 200 steps from random weights end near where fp32 ends, and the log-probabilities recorded while
# drawing are the training pass's to the last bit.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"

# mean RUN KEY FIRST LAST: of the steps [FIRST, LAST).
mean() {
    sed -n "$(($3 + 1)),$4s/.*\"$2\":\([^,}]*\).*/\1/p" "$work/$1/metrics.jsonl" | awk '{ sum += $1 } END { print sum / NR }'
}

lessons=(model.path=random data.path=lessons.h5 train.max_steps=200 train.batch_size=8 train.micro_batch=8 optimizer.learning_rate=3e-3)
train 1 2 f32 "${lessons[@]}"
train 1 2 bf16 "${lessons[@]}" torch_dtype=bfloat16
grep -q 'BF16 *weights in use' "$work/bf16.log" || complain "no table of dtypes"
for range in "0 1" "20 40" "180 200"; do
    read -r first last <<<"$range"
    f32=$(mean f32 loss "$first" "$last")
    bf16=$(mean bf16 loss "$first" "$last")
    echo "loss of steps $first to $last: $f32 in f32, $bf16 in bf16"
    awk -v a="$f32" -v b="$bf16" 'BEGIN { exit !(a > 0 && b > 0 && b < 1.05 * a + 0.002 && b > 0.95 * a - 0.002) }' ||
        complain "the losses of steps $first to $last differ"
done
awk -v a="$(mean bf16 loss 180 200)" 'BEGIN { exit !(a < 0.15) }' || complain "nothing was learnt"

train 2 3 drawn model.dtype=bf16 train.max_steps=8
[ "$(grep -c '"sampling/sampling_logp_difference/max":0[,}]' "$work/drawn/metrics.jsonl")" = 8 ] ||
    complain "log-probabilities differ between drawing and training"
finish "training in bf16"
